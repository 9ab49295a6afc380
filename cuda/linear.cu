// A dense layer whose input is mostly zeros: y = act(x @ w + b) by adding up the rows of w that x selects; and the
// gradient of w. float32. x is float (rows of unit stride, any row stride), or packed bits: bit i of byte j is feature
// 8 j + i.
//
// linear: a block of 128 threads computes one row of x and 128 columns of w. It walks the features in chunks of 1,024:
// each warp finds by a ballot which of its lanes' features are not zero, and their numbers enter a list in shared
// memory in ascending order (the warps' counts are added up first, so the list does not depend on timing, without
// atomics). Then every thread walks the list for its own column: a broadcast from shared memory, and one line of w for
// a warp.
// weight gradient: a block takes one feature and 128 columns of dz; the list then holds the rows of the batch that have
// the feature, 1,024 rows at a time.
// Each sum is one chain over the values that are not zero, in ascending order, cut every 4,096 as in matmul.cu: the
// dense product's bits if w is finite, except for the sign of zero. Any batch gives the same bits.
// Bound: reading rows of w from L2, one for each value that is not zero; for a single row, the latency of that walk.
#include "activations.cuh"

namespace catalase {

constexpr i32 kThreads = 128;
constexpr i32 kChunk = 1024;  // divides kChain, so no list spans a cut
constexpr i32 kWarps = kThreads / 32;

// The values along one axis of x: a row's features, or a feature's rows.
struct Floats {
  const float* data;
  i64 stride;
  __device__ __forceinline__ float at(i64 i) const { return data[i * stride]; }
};
struct RowBits {  // the bits of one row
  const u8* data;
  __device__ __forceinline__ float at(i64 i) const { return (data[i >> 3] >> (i & 7) & 1u) != 0u ? 1.0f : 0.0f; }
};
struct ColumnBits {  // one bit of bytes that lie `stride` apart
  const u8* data;
  i64 stride;
  i32 bit;
  __device__ __forceinline__ float at(i64 i) const { return (data[i * stride] >> bit & 1u) != 0u ? 1.0f : 0.0f; }
};

struct List {
  i32* index;    // [kChunk], within the chunk
  float* value;  // [kChunk]
  i32* counts;   // [kWarps * kChunk / kThreads]
};

// Lists the values that are not zero among [first, end), at most kChunk; returns their number. All threads of the
// block.
template <class Values>
__device__ __forceinline__ i32 collect(const Values& x, i64 first, i64 end, const List& list) {
  const i32 t = static_cast<i32>(threadIdx.x), warp = t / 32, lane = t % 32;
  float mine[kChunk / kThreads];
  u32 votes[kChunk / kThreads];
#pragma unroll
  for (i32 e = 0; e < kChunk / kThreads; ++e) {
    const i64 i = first + e * kThreads + t;
    mine[e] = i < end ? x.at(i) : 0.0f;
    votes[e] = __ballot_sync(0xffffffffu, mine[e] != 0.0f);
    if (lane == 0) list.counts[e * kWarps + warp] = __popc(votes[e]);
  }
  __syncthreads();
  i32 before = 0, passed = 0;
#pragma unroll
  for (i32 e = 0; e < kChunk / kThreads; ++e) {
    for (; passed < e * kWarps + warp; ++passed) before += list.counts[passed];
    const i32 place = before + __popc(votes[e] & ((1u << lane) - 1u));
    if (mine[e] != 0.0f) {
      list.index[place] = e * kThreads + t;
      list.value[place] = mine[e];
    }
  }
  for (; passed < kWarps * kChunk / kThreads; ++passed) before += list.counts[passed];
  __syncthreads();
  return before;
}

// The sum over i in [0, n) of x[i] * rows[i * row_stride + column].
template <class Values>
__device__ __forceinline__ float gather(const Values& x, i64 n, const float* rows, i64 row_stride, i64 column,
                                        bool real, const List& list) {
  float total = 0.0f, part = 0.0f;
  for (i64 first = 0; first < n; first += kChunk) {
    if (first != 0 && first % kChain == 0) {  // the chain is cut
      total = first == kChain ? part : total + part;
      part = 0.0f;
    }
    // The list is read to its end before the next one is written: collect's first barrier is between them.
    const i32 count = collect(x, first, smaller(first + kChunk, n), list);
    if (real) {
      const float* from = rows + first * row_stride + column;
      for (i32 e = 0; e < count; ++e) part = fmaf(list.value[e], from[list.index[e] * row_stride], part);
    }
  }
  return n > kChain ? total + part : part;
}

template <class Values>
__device__ __forceinline__ void linear_row(const Values& x, i64 row, i64 features, const float* w, i64 w_row,
                                           const float* bias, i64 activation, float* y, i64 n, const List& list) {
  const i64 column = static_cast<i64>(blockIdx.y) * kThreads + threadIdx.x;
  const bool real = column < n;
  float sum = gather(x, features, w, w_row, column, real, list);
  if (!real) return;
  if (bias != nullptr) sum = sum + bias[column];
  y[row * n + column] = activate(static_cast<i32>(activation), sum);
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_LIST                                       \
  __shared__ i32 list_index[kChunk];                        \
  __shared__ float list_value[kChunk];                      \
  __shared__ i32 list_counts[kWarps * (kChunk / kThreads)]; \
  const List list {                                         \
    list_index, list_value, list_counts                     \
  }

// y (M, N) contiguous; blockIdx.x is the row, blockIdx.y the strip of columns. w has rows of unit stride.
extern "C" __global__ void __launch_bounds__(128)
    linear_rows_f32(const float* x, i64 x_row, i64 features, const float* w, i64 w_row, const float* bias,
                    i64 activation, float* y, i64 n) {
  CATALASE_LIST;
  const i64 row = blockIdx.x;
  linear_row(Floats{x + row * x_row, 1}, row, features, w, w_row, bias, activation, y, n, list);
}

extern "C" __global__ void __launch_bounds__(128)
    linear_bits_f32(const u8* x, i64 x_row, i64 features, const float* w, i64 w_row, const float* bias, i64 activation,
                    float* y, i64 n) {
  CATALASE_LIST;
  const i64 row = blockIdx.x;
  linear_row(RowBits{x + row * x_row}, row, features, w, w_row, bias, activation, y, n, list);
}

// dw (features, N) contiguous = x^T @ dz; blockIdx.x is the feature. dz has rows of unit stride.
extern "C" __global__ void __launch_bounds__(128)
    weight_gradient_rows_f32(const float* x, i64 x_row, i64 m, const float* dz, i64 dz_row, float* dw, i64 n) {
  CATALASE_LIST;
  const i64 feature = blockIdx.x;
  linear_row(Floats{x + feature, x_row}, feature, m, dz, dz_row, nullptr, kIdentity, dw, n, list);
}

extern "C" __global__ void __launch_bounds__(128)
    weight_gradient_bits_f32(const u8* x, i64 x_row, i64 m, const float* dz, i64 dz_row, float* dw, i64 n) {
  CATALASE_LIST;
  const i64 feature = blockIdx.x;
  linear_row(ColumnBits{x + feature / 8, x_row, static_cast<i32>(feature % 8)}, feature, m, dz, dz_row, nullptr,
             kIdentity, dw, n, list);
}

// counts[r] = the number of values of row r that are not zero. One thread block a row.
extern "C" __global__ void __launch_bounds__(128) count_rows_f32(const float* x, i64 x_row, i64 features, i64* counts) {
  __shared__ i32 of_warp[kWarps];
  const float* row = x + static_cast<i64>(blockIdx.x) * x_row;
  i32 count = 0;
  for (i64 i = threadIdx.x; i < features; i += kThreads) count += row[i] != 0.0f ? 1 : 0;
#pragma unroll
  for (i32 by = 16; by > 0; by >>= 1) count += __shfl_down_sync(0xffffffffu, count, by);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = count;
  __syncthreads();
  if (threadIdx.x == 0) {
    i64 all = 0;
    for (i32 w = 0; w < kWarps; ++w) all += of_warp[w];
    counts[blockIdx.x] = all;
  }
}
