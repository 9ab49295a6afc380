// Cholesky's factor and triangular systems.
#include "linalg/linalg.h"

#include "bindings/arrays.h"

namespace catalase {
namespace {

template <class T>
MatrixView<T> written_rows(const py::array& a) {
  MatrixView<T> view = matrix_view<T>(a);
  require(view.cols <= 1 || view.col_stride == 1, "expected rows of unit stride");
  view.col_stride = 1;
  return view;
}

template <class T>
py::object cholesky_into(const py::array& a, const py::array& out) {
  const auto from = matrix_view<const T>(a);
  const auto to = written_rows<T>(out);
  require(from.rows == from.cols && to.rows == from.rows && to.cols == from.rows, "shapes do not fit");
  Pivot<T> found;
  {
    KernelScope scope;
    found = cholesky<T>(from, to);
  }
  if (found.row < 0) return py::none();
  return py::make_tuple(found.row, found.value);
}

template <class T>
void solve_in_place(const py::array& t, bool lower, const py::array& x) {
  const auto triangle = matrix_view<const T>(t);
  const auto to = written_rows<T>(x);
  require(triangle.rows == triangle.cols && to.rows == triangle.rows, "shapes do not fit");
  KernelScope scope;
  solve_triangular<T>(triangle, lower, to);
}

}  // namespace

CATALASE_BINDING(linalg, m) {
  m.def(
      "cholesky",
      [](const py::array& a, const py::array& out) {
        return by_type(a, [&]<class T>() { return cholesky_into<T>(a, out); });
      },
      py::arg("a"), py::arg("out"));
  m.def(
      "solve_triangular",
      [](const py::array& t, bool lower, const py::array& x) {
        by_type(t, [&]<class T>() { solve_in_place<T>(t, lower, x); });
      },
      py::arg("t"), py::arg("lower"), py::arg("x"));
}

}  // namespace catalase
