// matmul and linear: C = act(A @ B + bias) into an array that the caller made.
#include "matmul/matmul.h"

#include "bindings/arrays.h"
#include "matmul/sparse.h"

namespace catalase {
namespace {

// `look`: take the gather path where a is mostly zeros.
template <class T>
void matmul_into(bool look, const py::array& a, const py::array& b, const py::object& bias, int activation,
                 const py::array& out) {
  MatmulArgs<T> args{matrix_view<const T>(a), matrix_view<const T>(b), matrix_view<T>(out), nullptr,
                     static_cast<Activation>(activation)};
  require(args.a.cols == args.b.rows && args.c.rows == args.a.rows && args.c.cols == args.b.cols, "shapes do not fit");
  require(args.c.col_stride == 1 || args.c.cols <= 1, "out must have rows of unit stride");
  require(activation >= 0 && activation <= 4, "unknown activation");
  args.c.col_stride = 1;
  if (!bias.is_none()) {
    const auto array = py::cast<py::array>(bias);
    require(array.ndim() == 1 && array.shape(0) == args.c.cols, "bias does not fit");
    args.bias = input<T>(array);
  }
  KernelScope scope;
  look ? linear<T>(args) : matmul<T>(args);
}

template <class T>
void column_sum_into(const py::array& x, py::array& out) {
  const MatrixView<const T> view = matrix_view<const T>(x);
  require(out.ndim() == 1 && out.shape(0) == view.cols, "out does not fit");
  require(view.col_stride == 1 || view.cols <= 1, "x must have rows of unit stride");
  T* target = output<T>(out);
  KernelScope scope;
  column_sum<T>({view.data, view.rows, view.cols, view.row_stride, 1}, target);
}

}  // namespace

void bind_matmul(py::module_& m) {
  for (const bool look : {false, true}) {
    m.def(
        look ? "linear" : "matmul",
        [look](const py::array& a, const py::array& b, const py::object& bias, int activation, const py::array& out) {
          if (has_dtype<double>(a)) {
            matmul_into<double>(look, a, b, bias, activation, out);
          } else {
            matmul_into<float>(look, a, b, bias, activation, out);
          }
        },
        py::arg("a"), py::arg("b"), py::arg("bias"), py::arg("activation"), py::arg("out"));
  }
  m.def(
      "column_sum",
      [](const py::array& x, py::array out) {
        if (has_dtype<double>(x)) {
          column_sum_into<double>(x, out);
        } else {
          column_sum_into<float>(x, out);
        }
      },
      py::arg("x"), py::arg("out"));
}

}  // namespace catalase
