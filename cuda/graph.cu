// Reductions over lists of rows, float32; cpp/graph/graph.h has the formulas. List r has the entries offsets[r] (i64) to
// offsets[r + 1] - 1; entry e is row index[e] (i32), or row e if there is no index.
//
// One thread an element of the result (softmax: a column of a segment), neighbours along a row. Each sum goes through
// its entries in the CPU's order, cut every 4,096 entries, so the bits are the CPU's; there are no atomics. Bound:
// memory bandwidth, or the longest list.
#include "types.cuh"
#include "vecmath.cuh"

using namespace catalase;

namespace catalase {

constexpr i64 kListChain = 4096;

__device__ __forceinline__ i64 row_of_entry(const i32* index, i64 e) {
  return index == nullptr ? e : index[e];
}

// The segment that a row belongs to: the last whose first row is not beyond it.
__device__ __forceinline__ i64 segment_of(const i64* offsets, i64 segments, i64 row) {
  i64 low = 0, high = segments;
  while (high - low > 1) {
    const i64 middle = (low + high) / 2;
    if (offsets[middle] <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace catalase

extern "C" __global__ void __launch_bounds__(256)
    list_sum_f32(const i64* offsets, const i32* index, i64 mean, const float* x, i64 x_row, const float* z, i64 z_row,
                 const i32* kind, i64 relu, float* out, i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 r = i / columns, c = i % columns, begin = offsets[r], end = offsets[r + 1];
    float total = 0.0f;
    for (i64 e = begin; e < end;) {
      const i64 stop = smaller(e + kListChain, end);
      float part = x[row_of_entry(index, e) * x_row + c];
      const bool first = e == begin;
      for (++e; e < stop; ++e) part = part + x[row_of_entry(index, e) * x_row + c];
      total = first ? part : total + part;
    }
    if (mean != 0 && end > begin) total = total / static_cast<float>(end - begin);
    if (z != nullptr) total = total + z[row_of_entry(kind, r) * z_row + c];
    out[i] = relu != 0 && total < 0.0f ? 0.0f : total;
  }
}

// out may be null, and so may winners: the entry that each element came from (-1: an empty list).
extern "C" __global__ void __launch_bounds__(256)
    list_max_f32(const i64* offsets, const i32* index, const float* x, i64 x_row, float* out, i64* winners, i64 columns,
                 i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 r = i / columns, c = i % columns, begin = offsets[r], end = offsets[r + 1];
    float best = begin < end ? x[row_of_entry(index, begin) * x_row + c] : 0.0f;
    i64 winner = begin < end ? begin : -1;
    for (i64 e = begin + 1; e < end; ++e) {
      const float v = x[row_of_entry(index, e) * x_row + c];
      if (best >= v || best != best) continue;
      best = v, winner = e;
    }
    if (out != nullptr) out[i] = best;
    if (winners != nullptr) winners[i] = winner;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    segment_max_backward_f32(const i64* offsets, i64 segments, const i64* winners, const float* dy, i64 dy_row,
                             float* dx, i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 e = i / columns, c = i % columns, r = segment_of(offsets, segments, e);
    dx[i] = winners[r * columns + c] == e ? dy[r * dy_row + c] : 0.0f;
  }
}

// offsets, index and entries are those of the transposed lists: for each row of dx the lists that name it.
extern "C" __global__ void __launch_bounds__(256)
    gather_max_backward_f32(const i64* offsets, const i32* index, const i32* entries, const i64* winners,
                            const float* dy, i64 dy_row, float* dx, i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 row = i / columns, c = i % columns, begin = offsets[row], end = offsets[row + 1];
    float total = 0.0f;
    for (i64 e = begin; e < end;) {
      const i64 stop = smaller(e + kListChain, end), start = e;
      float part = 0.0f;
      for (; e < stop; ++e) {
        const i64 r = index[e];
        const float v = winners[r * columns + c] == entries[e] ? dy[r * dy_row + c] : 0.0f;
        part = e == start ? v : part + v;
      }
      total = start == begin ? part : total + part;
    }
    dx[i] = total;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    segment_softmax_f32(const i64* offsets, const float* x, i64 x_row, float* y, i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 r = i / columns, c = i % columns, begin = offsets[r], end = offsets[r + 1];
    if (begin == end) continue;
    float most = x[begin * x_row + c];
    for (i64 e = begin + 1; e < end; ++e) {
      const float v = x[e * x_row + c];
      most = most >= v || most != most ? most : v;
    }
    float total = 0.0f;
    for (i64 e = begin; e < end; ++e) {
      const float v = exp_f32(x[e * x_row + c] - most);
      total = total + v;
      y[e * columns + c] = v;
    }
    for (i64 e = begin; e < end; ++e) y[e * columns + c] = y[e * columns + c] / total;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    segment_softmax_backward_f32(const i64* offsets, const float* dy, i64 dy_row, const float* y, i64 y_row, float* dx,
                                 i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 r = i / columns, c = i % columns, begin = offsets[r], end = offsets[r + 1];
    float total = 0.0f;
    for (i64 e = begin; e < end; ++e) total = total + dy[e * dy_row + c] * y[e * y_row + c];
    for (i64 e = begin; e < end; ++e) dx[e * columns + c] = y[e * y_row + c] * (dy[e * dy_row + c] - total);
  }
}

extern "C" __global__ void __launch_bounds__(256)
    segment_spread_f32(const i64* offsets, i64 segments, i64 mean, const float* dy, i64 dy_row, float* dx, i64 columns,
                       i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 e = i / columns, c = i % columns, r = segment_of(offsets, segments, e);
    const float v = dy[r * dy_row + c];
    dx[i] = mean != 0 ? v / static_cast<float>(offsets[r + 1] - offsets[r]) : v;
  }
}
