// Indexing by arrays, and its gradient; float32, int64 indices, contiguous.
//
//   forward   y[o, k, i] = x[o, places[k], i]                            x (outer, rows, inner), y (outer, K, inner)
//   backward  dx[o, r, i] = sum of dy[o, k, i] over k with places[k] = r
//
// Several axes that are indexed together are one axis of `rows`: join_index combines their indices into one. An index
// out of range gives NaN and enters no sum: reporting it would make the host wait.
// Threads: one for each written element. Backward: sort_ids of embedding.cu has sorted the places in parts of 4,096; a
// thread finds the places of its row by bisection in each part and adds them in the order of the indices, in one chain
// as NumPy's add.at does: there are no atomics, and any grid gives the same result. Bound: memory bandwidth; backward
// one chain of additions for a place that is named often, and `rows` bisections a part. Not taken: the embedding's cut
// of the chain every 4,096 terms, which would not give the CPU's bits here.
#include "sorted_ids.cuh"

using namespace catalase;

// places[i] = places[i] * length + ids[i], counted from the end if negative; -1 if any index is out of range.
extern "C" __global__ void __launch_bounds__(256)
    join_index(const i64* ids, i64 length, i64 first, i64* places, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 id = ids[i] < 0 ? ids[i] + length : ids[i], before = first != 0 ? 0 : places[i];
    places[i] = id < 0 || id >= length || before < 0 ? -1 : before * length + id;
  }
}

// y: n elements.
extern "C" __global__ void __launch_bounds__(256)
    take_f32(const float* x, const i64* places, float* y, i64 rows, i64 count, i64 inner, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 line = e / inner, row = places[line % count];
    const bool has_row = row >= 0 && row < rows;
    y[e] = has_row ? x[(line / count * rows + row) * inner + e % inner] : __uint_as_float(0x7fc00000u);
  }
}

// dx: n elements. keys (count,): the places, sorted by sort_ids.
extern "C" __global__ void __launch_bounds__(256)
    take_gradient_f32(const u64* keys, const float* dy, float* dx, i64 rows, i64 count, i64 inner, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 line = e / inner;
    const u64 first_key = static_cast<u64>(line % rows) * kStretch;
    const float* given = dy + line / rows * count * inner + e % inner;
    float sum = 0.0f;
    for (i64 start = 0; start < count; start += kStretch) {
      const i64 end = smaller(start + kStretch, count);
      for (i64 k = bisect(keys, start, end, first_key); k < end && keys[k] < first_key + kStretch; ++k) {
        sum = sum + given[(start + static_cast<i64>(keys[k] - first_key)) * inner];
      }
    }
    dx[e] = sum;
  }
}
