// Embedding: rows of a matrix by number, and the gradient of that matrix; float32, ids int64.
//
//   forward   out[n] = w[ids[n]]                                  ids (N,), w (V, D), out (N, D)
//   backward  dw[v] = sum of dy[n] over all n with ids[n] = v     dy (N, D), dw (V, D)
//
// An id without a row gives NaN, and enters no sum: reporting it would make the host wait.
// Forward: one thread an element, neighbours along a row. Bound: memory bandwidth.
// Backward: a row's sum is one chain of additions in the order of the tokens, cut every 4,096 tokens, with the parts
// added in order: the CPU's bits, and those of the product with the one-hot matrix. First a thread block sorts each
// 4,096 tokens by id, ties by position, in shared memory (bitonic: no atomics, one possible result). Then a block takes
// a row of dw and up to 128 columns, finds the row's tokens in each sorted part by bisection, and adds their rows.
// Every row is written, so nothing is cleared before. Bound: reading dy if ids are spread; one chain of additions for
// an id that most tokens have; V bisections a part for a large vocabulary. Not taken: sums of many threads joined by
// atomics, whose bits change from run to run.
#include "sorted_ids.cuh"

using namespace catalase;

extern "C" __global__ void __launch_bounds__(256)
    embedding_f32(const i64* ids, const float* w, i64 w_row, i64 rows, float* out, i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 id = ids[i / columns];
    out[i] = id >= 0 && id < rows ? w[id * w_row + i % columns] : __uint_as_float(0x7fc00000u);
  }
}

// keys (N,): for each part of 4,096 tokens, id * 4096 + position, ascending; tokens without a row, and those of the row
// `padding` (-1: none), come last. One thread block a part. n tokens.
extern "C" __global__ void __launch_bounds__(1024) sort_ids(const i64* ids, i64 rows, i64 padding, u64* keys, i64 n) {
  __shared__ u64 sorted[kStretch];
  const i64 start = static_cast<i64>(blockIdx.x) * kStretch;
  const i32 count = static_cast<i32>(smaller(kStretch, n - start)), threads = static_cast<i32>(blockDim.x);
  const i32 t = static_cast<i32>(threadIdx.x);
  i32 size = 2;
  while (size < count) size *= 2;
  for (i32 i = t; i < size; i += threads) {
    const i64 id = i < count ? ids[start + i] : -1;
    const bool has_row = id >= 0 && id < rows && id != padding;
    sorted[i] = has_row ? static_cast<u64>(id) * kStretch + static_cast<u64>(i) : kNoRow;
  }
  for (i32 run = 2; run <= size; run *= 2) {
    for (i32 apart = run / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (i32 p = t; p < size / 2; p += threads) {
        const i32 i = p / apart * 2 * apart + p % apart, j = i + apart;
        const u64 a = sorted[i], b = sorted[j];
        if ((a > b) == ((i & run) == 0) && a != b) sorted[i] = b, sorted[j] = a;
      }
    }
  }
  __syncthreads();
  for (i32 i = t; i < count; i += threads) keys[start + i] = sorted[i];
}

// blockIdx: x is the row of dw, y the block's columns of it.
extern "C" __global__ void __launch_bounds__(128)
    embedding_gradient_f32(const u64* keys, const float* dy, i64 dy_row, float* dw, i64 dw_row, i64 columns, i64 n) {
  const i64 row = blockIdx.x, column = static_cast<i64>(blockIdx.y) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  const u64 first_key = static_cast<u64>(row) * kStretch;
  float total = 0.0f;
  for (i64 start = 0; start < n; start += kStretch) {
    const i64 end = smaller(start + kStretch, n);
    float sum = 0.0f;
#pragma unroll 4
    for (i64 i = bisect(keys, start, end, first_key); i < end && keys[i] < first_key + kStretch; ++i) {
      sum = sum + dy[(start + static_cast<i64>(keys[i] - first_key)) * dy_row + column];
    }
    total = start == 0 ? sum : total + sum;
  }
  dw[row * dw_row + column] = total;
}
