// Tanimoto similarity of packed fingerprints: all pairs, top-k, and the index.
#include "bindings/arrays.h"
#include "similarity/counts.h"
#include "similarity/index.h"
#include "similarity/tanimoto.h"

namespace catalase {
namespace {

struct Rows {
  const std::uint8_t* data;
  Index n, bytes;
};
Rows packed_rows(const py::array& a) {
  require(a.ndim() == 2 && a.shape(1) <= kMaxRowBytes, "expected packed rows");
  return {input<std::uint8_t>(a), a.shape(0), a.shape(1)};
}

template <class T>
T* column_of(py::array a, Index n) {
  require(a.ndim() == 1 && a.shape(0) == n, "expected an array of another length");
  return output<T>(a);
}

// Hits of n queries, (n, k) each.
struct Hits {
  Hits(py::array indices_out, py::array similarities_out, Index n) {
    require(indices_out.ndim() == 2 && similarities_out.ndim() == 2, "expected matrices");
    k = indices_out.shape(1);
    require(indices_out.shape(0) == n && similarities_out.shape(0) == n && similarities_out.shape(1) == k && k > 0,
            "out does not fit");
    indices = output<std::int64_t>(indices_out);
    similarities = output<float>(similarities_out);
  }
  std::int64_t* indices;
  float* similarities;
  Index k;
};

IndexView index_view(Index bytes, const py::array& slices, const py::array& popcounts, const py::array& places,
                     const py::array& bit_frequencies) {
  require(bytes >= 0 && bytes <= kMaxRowBytes && popcounts.ndim() == 1, "unexpected shape");
  const Index rows = popcounts.shape(0);
  require(slices.ndim() == 1 && slices.shape(0) == slice_bytes(rows, bytes), "slices do not fit");
  require(places.ndim() == 1 && places.shape(0) == rows, "places do not fit");
  require(bit_frequencies.ndim() == 1 && bit_frequencies.shape(0) == 8 * bytes, "bit_frequencies do not fit");
  return {rows,
          bytes,
          input<std::uint8_t>(slices),
          input<std::int32_t>(popcounts),
          input<std::int64_t>(places),
          input<std::int64_t>(bit_frequencies)};
}

void bind_index(py::module_& m) {
  m.attr("CHUNK_ROWS") = kChunkRows;
  m.def("slice_bytes", &slice_bytes, py::arg("rows"), py::arg("bytes"));
  m.def(
      "build_index",
      [](const py::array& library, py::array slices, py::array popcounts, py::array places, py::array frequencies) {
        const Rows rows = packed_rows(library);
        auto* s = column_of<std::uint8_t>(slices, slice_bytes(rows.n, rows.bytes));
        auto* c = column_of<std::int32_t>(popcounts, rows.n);
        auto* p = column_of<std::int64_t>(places, rows.n);
        auto* f = column_of<std::int64_t>(frequencies, 8 * rows.bytes);
        KernelScope scope;
        build_index(rows.data, rows.n, rows.bytes, s, c, p, f);
      },
      py::arg("library"), py::arg("slices"), py::arg("popcounts"), py::arg("places"), py::arg("bit_frequencies"));
  m.def(
      "index_topk",
      [](const py::array& slices, const py::array& popcounts, const py::array& places, const py::array& frequencies,
         const py::array& queries, float threshold, py::array indices, py::array similarities) {
        const Rows q = packed_rows(queries);
        const IndexView index = index_view(q.bytes, slices, popcounts, places, frequencies);
        const Hits hits(indices, similarities, q.n);
        KernelScope scope;
        index_topk(index, q.data, q.n, hits.k, threshold, hits.indices, hits.similarities);
      },
      py::arg("slices"), py::arg("popcounts"), py::arg("places"), py::arg("bit_frequencies"), py::arg("queries"),
      py::arg("threshold"), py::arg("indices"), py::arg("similarities"));
  m.def(
      "index_neighbors",
      [](const py::array& slices, const py::array& popcounts, const py::array& places, const py::array& frequencies,
         const py::array& queries, double cutoff, py::array counts, const py::object& starts, const py::object& found) {
        const Rows q = packed_rows(queries);
        const IndexView index = index_view(q.bytes, slices, popcounts, places, frequencies);
        auto* c = column_of<std::int64_t>(counts, q.n);
        const std::int64_t* s = nullptr;
        std::int64_t* f = nullptr;
        if (!found.is_none()) {
          s = column_of<std::int64_t>(py::cast<py::array>(starts), q.n + 1);
          f = column_of<std::int64_t>(py::cast<py::array>(found), q.n > 0 ? s[q.n] : 0);
        }
        KernelScope scope;
        index_neighbors(index, q.data, q.n, cutoff, c, s, f);
      },
      py::arg("slices"), py::arg("popcounts"), py::arg("places"), py::arg("bit_frequencies"), py::arg("queries"),
      py::arg("cutoff"), py::arg("counts"), py::arg("starts") = py::none(), py::arg("neighbors") = py::none());
}

// f.operator()<T>() for the type of an array of counts.
template <class F>
auto by_count_type(const py::array& a, F&& f) {
  if (has_dtype<std::uint16_t>(a)) return f.template operator()<std::uint16_t>();
  if (has_dtype<std::uint32_t>(a)) return f.template operator()<std::uint32_t>();
  return by_type(a, f);
}

template <class T>
MatrixView<const T> count_rows_of(const py::array& a) {
  const auto view = matrix_view<const T>(a);
  require(view.cols <= 1 || view.col_stride == 1, "expected rows of unit stride");
  require(view.cols <= kMaxCountColumns, "too many columns");
  return view;
}

py::object counts_into(const py::array& a, const py::array& b, py::array out) {
  require(a.ndim() == 2 && b.ndim() == 2 && a.shape(1) == b.shape(1) && out.ndim() == 2, "shapes do not fit");
  require(out.shape(0) == a.shape(0) && out.shape(1) == b.shape(0), "out does not fit");
  const BadCount bad = by_type(out, [&]<class Out>() {
    Out* o = output<Out>(out);
    return by_count_type(a, [&]<class A>() {
      return by_count_type(b, [&]<class B>() {
        const auto left = count_rows_of<A>(a);
        const auto right = count_rows_of<B>(b);
        KernelScope scope;
        return tanimoto_counts<A, B, Out>(left, right, o);
      });
    });
  });
  if (bad.side < 0) return py::none();
  return py::make_tuple(bad.side, bad.row, bad.column);
}

}  // namespace

CATALASE_BINDING(similarity, m) {
  m.attr("MAX_COUNT_COLUMNS") = kMaxCountColumns;
  m.def("tanimoto_counts", &counts_into, py::arg("a"), py::arg("b"), py::arg("out"));
  m.attr("MAX_ROW_BYTES") = kMaxRowBytes;
  m.def(
      "tanimoto",
      [](const py::array& a, const py::array& b, py::array out) {
        const Rows x = packed_rows(a), y = packed_rows(b);
        require(x.bytes == y.bytes && out.ndim() == 2, "shapes do not fit");
        require(out.shape(0) == x.n && out.shape(1) == y.n, "out does not fit");
        float* po = output<float>(out);
        KernelScope scope;
        tanimoto(x.data, x.n, y.data, y.n, x.bytes, po);
      },
      py::arg("a"), py::arg("b"), py::arg("out"));
  m.def(
      "tanimoto_topk",
      [](const py::array& queries, const py::array& targets, float threshold, py::array indices,
         py::array similarities) {
        const Rows q = packed_rows(queries), t = packed_rows(targets);
        require(q.bytes == t.bytes, "shapes do not fit");
        const Hits hits(indices, similarities, q.n);
        KernelScope scope;
        tanimoto_topk(q.data, q.n, t.data, t.n, q.bytes, hits.k, threshold, hits.indices, hits.similarities);
      },
      py::arg("queries"), py::arg("targets"), py::arg("threshold"), py::arg("indices"), py::arg("similarities"));
  m.def("allow_vpopcntdq", &allow_vpopcntdq, py::arg("allowed"));
  bind_index(m);
}

}  // namespace catalase
