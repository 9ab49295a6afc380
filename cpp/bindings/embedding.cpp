// Embedding. Each function returns the position of the first id that is no row of w, or -1.
#include "embedding/embedding.h"

#include "bindings/arrays.h"

namespace catalase {
namespace {

// A matrix whose rows have unit stride.
template <class T>
MatrixView<T> rows_of(const py::array& a) {
  MatrixView<T> view = matrix_view<T>(a);
  require(view.col_stride == 1 || view.cols <= 1 || view.rows == 0, "rows must have unit stride");
  view.col_stride = 1;
  return view;
}

template <class T>
Index embedding_of(const py::array& ids, const py::array& w, py::array out) {
  const auto* numbers = input<std::int64_t>(ids);
  const auto rows = rows_of<const T>(w);
  const Index count = ids.size();
  require(out.size() == count * rows.cols, "out does not fit");
  T* data = output<T>(out);
  KernelScope scope;
  const Index bad = first_unknown(numbers, count, rows.rows);
  if (bad < 0) embedding<T>(numbers, count, rows, data);
  return bad;
}

template <class T>
Index embedding_gradient_of(const py::array& ids, Index padding, const py::array& dy, const py::array& dw) {
  const auto* numbers = input<std::int64_t>(ids);
  const auto from = rows_of<const T>(dy);
  const auto to = rows_of<T>(dw);
  require(ids.size() == from.rows && from.cols == to.cols, "shapes do not fit");
  require(from.rows >> 31 == 0 && to.rows >> 31 == 0, "more than 2^31 rows");
  KernelScope scope;
  const Index bad = first_unknown(numbers, from.rows, to.rows);
  if (bad < 0) embedding_gradient<T>(numbers, padding, from, to);
  return bad;
}

}  // namespace

CATALASE_BINDING(embedding, m) {
  m.def(
      "embedding",
      [](const py::array& ids, const py::array& w, const py::array& out) {
        return by_type(w, [&]<class T>() { return embedding_of<T>(ids, w, out); });
      },
      py::arg("ids"), py::arg("w"), py::arg("out"));
  m.def(
      "embedding_gradient",
      [](const py::array& ids, Index padding, const py::array& dy, const py::array& dw) {
        return by_type(dy, [&]<class T>() { return embedding_gradient_of<T>(ids, padding, dy, dw); });
      },
      py::arg("ids"), py::arg("padding"), py::arg("dy"), py::arg("dw"));
}

}  // namespace catalase
