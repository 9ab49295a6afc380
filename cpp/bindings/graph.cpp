// Lists of rows: offsets are int64 (lists + 1,), an index is int32 or None (segments). The Python layer has checked both
// with `bad_offset` and `bad_row`.
#include "graph/graph.h"

#include "bindings/codes.h"
#include "graph/update.h"

namespace catalase {
namespace {

RowLists lists_of(const py::array& offsets, const py::object& index) {
  RowLists lists{input<std::int64_t>(offsets), nullptr, offsets.size() - 1};
  require(lists.count >= 0, "offsets must have one element or more");
  if (!index.is_none()) lists.index = input<std::int32_t>(py::cast<py::array>(index));
  return lists;
}

// A matrix with rows of unit stride, or none.
template <class T>
MatrixView<T> graph_rows(const py::array& a, Index rows, Index cols) {
  MatrixView<T> view = matrix_view<T>(a);
  require(view.rows == rows && view.cols == cols, "shapes do not fit");
  require(view.col_stride == 1 || view.cols <= 1 || view.rows == 0, "rows must have unit stride");
  view.col_stride = 1;
  return view;
}

// The rows that entries name: as many as there are entries, if there is no index.
template <class T>
MatrixView<const T> named_rows(const py::array& x, const py::array& offsets, const RowLists& lists, Index cols) {
  const auto view = graph_rows<const T>(x, x.ndim() > 0 ? x.shape(0) : 0, cols);
  require(lists.index != nullptr || view.rows == input<std::int64_t>(offsets)[lists.count], "x does not fit");
  return view;
}

// z[kind[r]], or z[r], is added to list r; no z: nothing is.
template <class T>
MatrixView<const T> added_rows(const py::object& z, const py::object& kind, Index count, Index cols) {
  if (z.is_none()) return {};
  const auto array = py::cast<py::array>(z);
  require(array.ndim() == 2 && (!kind.is_none() || array.shape(0) == count), "z does not fit");
  return graph_rows<const T>(array, array.shape(0), cols);
}

const std::int32_t* numbers_of(const py::object& kind, Index count) {
  if (kind.is_none()) return nullptr;
  const auto array = py::cast<py::array>(kind);
  require(array.size() == count, "kind does not fit");
  return input<std::int32_t>(array);
}

template <class T>
void list_sum_into(const py::array& offsets, const py::object& index, bool mean, const py::array& x,
                   const py::object& z, const py::object& kind, bool relu, const py::array& out) {
  const RowLists lists = lists_of(offsets, index);
  SumArgs<T> args;
  args.out = graph_rows<T>(out, lists.count, x.shape(1));
  args.x = named_rows<T>(x, offsets, lists, args.out.cols);
  args.mean = mean, args.relu = relu;
  args.z = added_rows<T>(z, kind, lists.count, args.out.cols);
  args.kind = numbers_of(kind, lists.count);
  KernelScope scope;
  list_sum<T>(lists, args);
}

template <class T>
void list_max_into(const py::array& offsets, const py::object& index, const py::array& x, const py::array& out) {
  const RowLists lists = lists_of(offsets, index);
  const auto to = graph_rows<T>(out, lists.count, x.shape(1));
  const auto from = named_rows<T>(x, offsets, lists, to.cols);
  KernelScope scope;
  list_max<T>(lists, from, to);
}

template <class T>
void list_max_backward_into(const py::array& offsets, const py::object& index, const py::array& dy, const py::array& x,
                            const py::array& dx) {
  const RowLists lists = lists_of(offsets, index);
  const auto given = graph_rows<const T>(dy, lists.count, x.shape(1));
  const auto from = named_rows<T>(x, offsets, lists, given.cols);
  const auto to = graph_rows<T>(dx, from.rows, from.cols);
  KernelScope scope;
  list_max_backward<T>(lists, given, from, to);
}

template <class T>
void softmax_into(const py::array& offsets, const py::array& x, const py::array& y) {
  const RowLists lists = lists_of(offsets, py::none());
  const auto from = named_rows<T>(x, offsets, lists, x.shape(1));
  const auto to = graph_rows<T>(y, from.rows, from.cols);
  KernelScope scope;
  segment_softmax<T>(lists, from, to);
}

template <class T>
void softmax_backward_into(const py::array& offsets, const py::array& dy, const py::array& y, const py::array& dx) {
  const RowLists lists = lists_of(offsets, py::none());
  const auto given = named_rows<T>(dy, offsets, lists, dy.shape(1));
  const auto kept = graph_rows<const T>(y, given.rows, given.cols);
  const auto to = graph_rows<T>(dx, given.rows, given.cols);
  KernelScope scope;
  segment_softmax_backward<T>(lists, given, kept, to);
}

template <class T>
void spread_into(const py::array& offsets, bool mean, const py::array& dy, const py::array& dx) {
  const RowLists lists = lists_of(offsets, py::none());
  const auto given = graph_rows<const T>(dy, lists.count, dy.shape(1));
  const auto to = graph_rows<T>(dx, input<std::int64_t>(offsets)[lists.count], given.cols);
  KernelScope scope;
  segment_spread<T>(lists, mean, given, to);
}

template <class T>
void update_into(const py::array& offsets, const py::array& index, const py::array& h, const py::array& w,
                 const py::object& z, const py::object& kind, const py::object& bias, int activation,
                 const py::object& m, const py::array& y) {
  const RowLists lists = lists_of(offsets, index);
  UpdateArgs<T> args{};
  args.w = matrix_view<const T>(w);
  args.h = named_rows<T>(h, offsets, lists, args.w.rows);
  if (!m.is_none()) args.m = graph_rows<T>(py::cast<py::array>(m), lists.count, args.w.rows);
  args.y = graph_rows<T>(y, lists.count, args.w.cols);
  args.activation = activation_of(activation);
  args.z = added_rows<T>(z, kind, lists.count, args.w.cols);
  args.kind = numbers_of(kind, lists.count);
  if (!bias.is_none()) {
    const auto array = py::cast<py::array>(bias);
    require(array.ndim() == 1 && array.shape(0) == args.w.cols, "bias does not fit");
    args.bias = input<T>(array);
  }
  KernelScope scope;
  message_update<T>(lists, args);
}

}  // namespace

CATALASE_BINDING(graph, m) {
  m.def(
      "message_update",
      [](const py::array& offsets, const py::array& index, const py::array& h, const py::array& w, const py::object& z,
         const py::object& kind, const py::object& bias, int activation, const py::object& sums, const py::array& y) {
        by_type(h, [&]<class T>() { update_into<T>(offsets, index, h, w, z, kind, bias, activation, sums, y); });
      },
      py::arg("offsets"), py::arg("index"), py::arg("h"), py::arg("w"), py::arg("z"), py::arg("kind"), py::arg("bias"),
      py::arg("activation"), py::arg("m"), py::arg("y"));
  m.def(
      "bad_offset",
      [](const py::array& offsets, Index entries) {
        require(offsets.size() > 0, "offsets must have one element or more");
        return first_bad_offset(input<std::int64_t>(offsets), offsets.size() - 1, entries);
      },
      py::arg("offsets"), py::arg("entries"));
  m.def(
      "bad_row",
      [](const py::array& index, Index rows) { return first_bad_row(input<std::int32_t>(index), index.size(), rows); },
      py::arg("index"), py::arg("rows"));
  m.def(
      "transpose_lists",
      [](const py::array& offsets, const py::array& index, Index rows) {
        const RowLists lists = lists_of(offsets, index);
        require(rows >= 0 && index.size() == lists.offsets[lists.count], "index does not fit");
        py::array turned = cached_array(py::dtype::of<std::int32_t>(), {index.size()});
        py::array starts = cached_array(py::dtype::of<std::int64_t>(), {rows + 1});
        auto* to = output<std::int32_t>(turned);
        auto* from = output<std::int64_t>(starts);
        {
          KernelScope scope;
          transpose_lists(lists, rows, from, to, nullptr);
        }
        return py::make_tuple(turned, starts);
      },
      py::arg("offsets"), py::arg("index"), py::arg("rows"));
  m.def(
      "list_sum",
      [](const py::array& offsets, const py::object& index, bool mean, const py::array& x, const py::object& z,
         const py::object& kind, bool relu, const py::array& out) {
        by_type(x, [&]<class T>() { list_sum_into<T>(offsets, index, mean, x, z, kind, relu, out); });
      },
      py::arg("offsets"), py::arg("index"), py::arg("mean"), py::arg("x"), py::arg("z"), py::arg("kind"),
      py::arg("relu"), py::arg("out"));
  m.def(
      "list_max",
      [](const py::array& offsets, const py::object& index, const py::array& x, const py::array& out) {
        by_type(x, [&]<class T>() { list_max_into<T>(offsets, index, x, out); });
      },
      py::arg("offsets"), py::arg("index"), py::arg("x"), py::arg("out"));
  m.def(
      "list_max_backward",
      [](const py::array& offsets, const py::object& index, const py::array& dy, const py::array& x,
         const py::array& dx) { by_type(x, [&]<class T>() { list_max_backward_into<T>(offsets, index, dy, x, dx); }); },
      py::arg("offsets"), py::arg("index"), py::arg("dy"), py::arg("x"), py::arg("dx"));
  m.def(
      "segment_softmax",
      [](const py::array& offsets, const py::array& x, const py::array& y) {
        by_type(x, [&]<class T>() { softmax_into<T>(offsets, x, y); });
      },
      py::arg("offsets"), py::arg("x"), py::arg("y"));
  m.def(
      "segment_softmax_backward",
      [](const py::array& offsets, const py::array& dy, const py::array& y, const py::array& dx) {
        by_type(y, [&]<class T>() { softmax_backward_into<T>(offsets, dy, y, dx); });
      },
      py::arg("offsets"), py::arg("dy"), py::arg("y"), py::arg("dx"));
  m.def(
      "segment_spread",
      [](const py::array& offsets, bool mean, const py::array& dy, const py::array& dx) {
        by_type(dy, [&]<class T>() { spread_into<T>(offsets, mean, dy, dx); });
      },
      py::arg("offsets"), py::arg("mean"), py::arg("dy"), py::arg("dx"));
}

}  // namespace catalase
