// Pooling over contiguous arrays (N, D, H, W, C).
#include "pool/pool.h"

#include <pybind11/stl.h>

#include <array>

#include "bindings/arrays.h"

namespace catalase {
namespace {

using Triple = std::array<Index, 3>;

PoolShape shape_of(const py::array& x, const py::array& y, const Triple& size, const Triple& stride,
                   const Triple& before) {
  require(x.ndim() == 5 && y.ndim() == 5 && x.shape(0) == y.shape(0) && x.shape(4) == y.shape(4),
          "pool: x and y must be (N, D, H, W, C) with equal N and C");
  PoolShape shape;
  shape.batch = x.shape(0);
  shape.channels = x.shape(4);
  for (int k = 0; k < 3; ++k) {
    shape.in[k] = x.shape(k + 1);
    shape.out[k] = y.shape(k + 1);
    shape.size[k] = size[static_cast<std::size_t>(k)];
    shape.stride[k] = stride[static_cast<std::size_t>(k)];
    shape.before[k] = before[static_cast<std::size_t>(k)];
    require(shape.size[k] >= 1 && shape.stride[k] >= 1 && shape.before[k] >= 0 && shape.before[k] < shape.size[k],
            "pool: size, stride or padding out of range");
    require(shape.out[k] == 0 || (shape.out[k] - 1) * shape.stride[k] - shape.before[k] < shape.in[k],
            "pool: the last window lies outside x");
  }
  return shape;
}

template <class T>
void forward_into(int kind, const py::array& x, py::array& y, const PoolShape& shape) {
  const T* px = input<T>(x);
  T* py_ = output<T>(y);
  KernelScope scope;
  pool<T>(static_cast<Pool>(kind), shape, px, py_);
}

template <class T>
void backward_into(int kind, const py::object& x, const py::array& dy, py::array& dx, const PoolShape& shape) {
  const T* px = nullptr;
  if (!x.is_none()) {
    const auto array = py::cast<py::array>(x);
    require(array.size() == dx.size(), "pool: x and dx must have one shape");
    px = input<T>(array);
  }
  require(px != nullptr || static_cast<Pool>(kind) != Pool::kMax, "pool: x is needed");
  const T* pdy = input<T>(dy);
  T* pdx = output<T>(dx);
  KernelScope scope;
  pool_backward<T>(static_cast<Pool>(kind), shape, px, pdy, pdx);
}

}  // namespace

void bind_pool(py::module_& m) {
  m.def(
      "pool",
      [](int kind, const py::array& x, py::array y, const Triple& size, const Triple& stride, const Triple& before) {
        require(kind >= 0 && kind <= 2, "pool: unknown kind");
        const PoolShape shape = shape_of(x, y, size, stride, before);
        has_dtype<double>(x) ? forward_into<double>(kind, x, y, shape) : forward_into<float>(kind, x, y, shape);
      },
      py::arg("kind"), py::arg("x"), py::arg("y"), py::arg("size"), py::arg("stride"), py::arg("before"));
  m.def(
      "pool_backward",
      [](int kind, const py::object& x, const py::array& dy, py::array dx, const Triple& size, const Triple& stride,
         const Triple& before) {
        require(kind >= 0 && kind <= 2, "pool: unknown kind");
        const PoolShape shape = shape_of(dx, dy, size, stride, before);
        has_dtype<double>(dy) ? backward_into<double>(kind, x, dy, dx, shape)
                              : backward_into<float>(kind, x, dy, dx, shape);
      },
      py::arg("kind"), py::arg("x"), py::arg("dy"), py::arg("dx"), py::arg("size"), py::arg("stride"),
      py::arg("before"));
}

}  // namespace catalase
