// Pooling over contiguous arrays (N, D, H, W, C).
#include "pool/pool.h"

#include <pybind11/stl.h>

#include <array>

#include "bindings/codes.h"

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
void forward_into(Pool kind, const py::array& x, py::array& y, const PoolShape& shape) {
  const T* px = input<T>(x);
  T* py_ = output<T>(y);
  KernelScope scope;
  pool<T>(kind, shape, px, py_);
}

template <class T>
void backward_into(Pool kind, const py::object& x, const py::array& dy, py::array& dx, const PoolShape& shape) {
  const T* px = nullptr;
  if (!x.is_none()) {
    const auto array = py::cast<py::array>(x);
    require(array.size() == dx.size(), "pool: x and dx must have one shape");
    px = input<T>(array);
  }
  require(px != nullptr || kind != Pool::kMax, "pool: x is needed");
  const T* pdy = input<T>(dy);
  T* pdx = output<T>(dx);
  KernelScope scope;
  pool_backward<T>(kind, shape, px, pdy, pdx);
}

}  // namespace

CATALASE_BINDING(pool, m) {
  m.attr("POOLS") = codes<Pool>({{"max", Pool::kMax}, {"mean", Pool::kMean}, {"sum", Pool::kSum}});
  m.def(
      "pool",
      [](int number, const py::array& x, py::array y, const Triple& size, const Triple& stride, const Triple& before) {
        const Pool kind = code(number, Pool::kSum, "pool: unknown kind");
        const PoolShape shape = shape_of(x, y, size, stride, before);
        by_type(x, [&]<class T>() { return forward_into<T>(kind, x, y, shape); });
      },
      py::arg("kind"), py::arg("x"), py::arg("y"), py::arg("size"), py::arg("stride"), py::arg("before"));
  m.def(
      "pool_backward",
      [](int number, const py::object& x, const py::array& dy, py::array dx, const Triple& size, const Triple& stride,
         const Triple& before) {
        const Pool kind = code(number, Pool::kSum, "pool: unknown kind");
        const PoolShape shape = shape_of(dx, dy, size, stride, before);
        by_type(dy, [&]<class T>() { return backward_into<T>(kind, x, dy, dx, shape); });
      },
      py::arg("kind"), py::arg("x"), py::arg("dy"), py::arg("dx"), py::arg("size"), py::arg("stride"),
      py::arg("before"));
}

}  // namespace catalase
