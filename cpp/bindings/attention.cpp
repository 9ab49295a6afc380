// Attention over arrays (N, H, T, D) with rows of unit stride.
#include "attention/attention.h"

#include "bindings/arrays.h"

namespace catalase {
namespace {

template <class T>
HeadRows<T> head_rows(const py::array& a, Index batch, Index heads, Index rows, Index width) {
  require(has_dtype<std::remove_const_t<T>>(a), "attention: unexpected dtype");
  require(a.ndim() == 4 && a.shape(0) == batch && a.shape(1) == heads && a.shape(2) == rows && a.shape(3) == width,
          "attention: shapes do not fit");
  if (a.size() == 0) return {};
  constexpr Index item = sizeof(T);
  for (int i = 0; i < 3; ++i) require(a.strides(i) % item == 0, "attention: strides are not whole elements");
  require(a.strides(3) == item || width == 1, "attention: rows must have unit stride");
  T* data;
  if constexpr (std::is_const_v<T>) {
    data = static_cast<T*>(a.data());
  } else {
    data = static_cast<T*>(const_cast<py::array&>(a).mutable_data());
  }
  return {data, a.strides(0) / item, a.strides(1) / item, a.strides(2) / item};
}

const Index* head_lengths(const py::object& lengths, Index batch, Index most) {
  if (lengths.is_none()) return nullptr;
  const auto array = py::cast<py::array>(lengths);
  require(array.size() == batch, "attention: one length a sequence is needed");
  const Index* data = input<Index>(array);
  for (Index n = 0; n < batch; ++n) require(data[n] >= 0 && data[n] <= most, "attention: a length is out of range");
  return data;
}

template <class T>
AttentionArgs<T> attention_args(const py::array& q, const py::array& k, const py::array& v,
                                const py::object& query_lengths, const py::object& lengths, bool causal, double scale,
                                py::array& y, py::array& top, py::array& inverse) {
  require(q.ndim() == 4 && k.ndim() == 4 && v.ndim() == 4, "attention: expected arrays of four axes");
  AttentionArgs<T> args{};
  args.batch = q.shape(0), args.heads = q.shape(1), args.queries = q.shape(2), args.width = q.shape(3);
  args.keys = k.shape(2), args.value_width = v.shape(3);
  args.q = head_rows<const T>(q, args.batch, args.heads, args.queries, args.width);
  args.k = head_rows<const T>(k, args.batch, args.heads, args.keys, args.width);
  args.v = head_rows<const T>(v, args.batch, args.heads, args.keys, args.value_width);
  args.y = head_rows<T>(y, args.batch, args.heads, args.queries, args.value_width);
  args.query_lengths = head_lengths(query_lengths, args.batch, args.queries);
  args.key_lengths = head_lengths(lengths, args.batch, args.keys);
  args.causal = causal, args.scale = static_cast<T>(scale);
  require(args.width > 0 && args.value_width > 0, "attention: rows must have columns");
  const Index all = args.batch * args.heads * args.queries;
  require(top.size() == all && inverse.size() == all, "attention: one statistic a query is needed");
  args.top = output<T>(top), args.inverse = output<T>(inverse);
  return args;
}

template <class T>
void attention_into(const py::array& q, const py::array& k, const py::array& v, const py::object& query_lengths,
                    const py::object& lengths, bool causal, double scale, py::array& y, py::array& top,
                    py::array& inverse) {
  const auto args = attention_args<T>(q, k, v, query_lengths, lengths, causal, scale, y, top, inverse);
  KernelScope scope;
  attention<T>(args);
}

template <class T>
void attention_backward_into(const py::array& dy, const py::array& q, const py::array& k, const py::array& v,
                             py::array& y, py::array& top, py::array& inverse, const py::object& query_lengths,
                             const py::object& lengths, bool causal, double scale, py::array& dq, py::array& dk,
                             py::array& dv) {
  auto args = attention_args<T>(q, k, v, query_lengths, lengths, causal, scale, y, top, inverse);
  args.dy = head_rows<const T>(dy, args.batch, args.heads, args.queries, args.value_width);
  args.dq = head_rows<T>(dq, args.batch, args.heads, args.queries, args.width);
  args.dk = head_rows<T>(dk, args.batch, args.heads, args.keys, args.width);
  args.dv = head_rows<T>(dv, args.batch, args.heads, args.keys, args.value_width);
  KernelScope scope;
  attention_backward<T>(args);
}

}  // namespace

CATALASE_BINDING(attention, m) {
  m.def(
      "attention",
      [](const py::array& q, const py::array& k, const py::array& v, const py::object& query_lengths,
         const py::object& lengths, bool causal, double scale, py::array y, py::array top, py::array inverse) {
        by_type(q, [&]<class T>() {
          return attention_into<T>(q, k, v, query_lengths, lengths, causal, scale, y, top, inverse);
        });
      },
      py::arg("q"), py::arg("k"), py::arg("v"), py::arg("query_lengths"), py::arg("lengths"), py::arg("causal"),
      py::arg("scale"), py::arg("y"), py::arg("top"), py::arg("inverse"));
  m.def(
      "attention_backward",
      [](const py::array& dy, const py::array& q, const py::array& k, const py::array& v, py::array y, py::array top,
         py::array inverse, const py::object& query_lengths, const py::object& lengths, bool causal, double scale,
         py::array dq, py::array dk, py::array dv) {
        by_type(q, [&]<class T>() {
          return attention_backward_into<T>(dy, q, k, v, y, top, inverse, query_lengths, lengths, causal, scale, dq, dk,
                                            dv);
        });
      },
      py::arg("dy"), py::arg("q"), py::arg("k"), py::arg("v"), py::arg("y"), py::arg("top"), py::arg("inverse"),
      py::arg("query_lengths"), py::arg("lengths"), py::arg("causal"), py::arg("scale"), py::arg("dq"), py::arg("dk"),
      py::arg("dv"));
}

}  // namespace catalase
