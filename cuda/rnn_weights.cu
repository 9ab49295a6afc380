// The parts of a recurrent cell that all time steps share: rows of x gathered in the order of time, rows of dx put
// back, and the gradients of the weights and the bias; float32. rnn_forward.cu and rnn_backward.cu have the time steps.
//
//   dw = sum over chunks, latest first, of A[chunk]^T @ dz[chunk]     A (rows, L): x or the states; dz (rows, C)
//
// The CPU sums the gradients chunk by chunk (cpp/rnn/rnn.cpp), where a chunk has as many time steps as fill 1 MiB of
// dz; the same sums are computed here, so the bits are the CPU's: within a chunk one chain in ascending rows, cut every
// 4,096. Threads: the tile of product.cuh, 64 x 64 outputs a block of 256. If the tiles alone fill the device, a block
// walks all chunks and adds them up in registers; otherwise each blockIdx.z takes a chunk, and join_chunks adds them.
// Bound: as in matmul.cu; the chunks are short, so writing and reading their sums costs if there are many.
// Rows in the order of time: one thread an element, neighbours along a row. Bound: memory bandwidth.
#include "product.cuh"
#include "rnn.cuh"

namespace catalase {

// The first row of each chunk: from a table, or evenly spaced.
struct Chunks {
  const i64* bounds;
  i64 even, rows;

  __device__ __forceinline__ i64 start(i64 chunk) const {
    return bounds != nullptr ? bounds[chunk] : smaller(chunk * even, rows);
  }
};

using WeightTile = Tile<64, 16, 4>;

// total = the sum of one chunk + total, or without total.
__device__ __forceinline__ void add_chunk(const Operand& a, const Operand& dz, i64 line, i64 column, i64 first,
                                          i64 stop, bool alone, float* tile_a, float* tile_b, float (&total)[4][4]) {
  float chunk[4][4], chain[4][4];
  WeightTile::clear(chunk);
  for (i64 k = first; k < stop; k += kChain) {
    Stage<64, 16> from_a, from_b;
    from_a.start(a, line, k);
    from_b.start(dz, column, k);
    WeightTile::clear(chain);
    __syncthreads();  // no thread reads the tiles of the product before
    WeightTile::multiply(from_a, from_b, smaller(stop - k, kChain), tile_a, tile_b, chain);
#pragma unroll
    for (i32 e = 0; e < 16; ++e) {
      float* sum = &chunk[e / 4][e % 4];
      *sum = k == first ? chain[e / 4][e % 4] : *sum + chain[e / 4][e % 4];
    }
  }
#pragma unroll
  for (i32 e = 0; e < 16; ++e) {
    float* sum = &total[e / 4][e % 4];
    *sum = alone ? chunk[e / 4][e % 4] : chunk[e / 4][e % 4] + *sum;
  }
}

}  // namespace catalase

using namespace catalase;

// out (rows of one walk from start(first) on, I): rows of x in the order of time, zeros where a sequence has just
// ended. n = (stop - first) * batch * inputs threads have work.
extern "C" __global__ void __launch_bounds__(256)
    gather_steps(const float* x, float* out, const i64* offset, const i64* sequence, const i64* length, i64 batch,
                 i64 axis, i64 reverse, i64 first, i64 inputs, i64 n) {
  const Order order{offset, sequence, length, batch, axis, reverse};
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 i = e % inputs, r = e / inputs % batch, t = first + e / inputs / batch, own = order.length_of(r);
    if (t > own) continue;
    const i64 row = order.start(t) - order.start(first) + r;
    out[row * inputs + i] = t < own ? x[order.outside(r, t) * inputs + i] : 0.0f;
  }
}

// dx (N, T, I) from rows in the order of time, zeros beyond each sequence's end. n = batch * axis * inputs.
extern "C" __global__ void __launch_bounds__(256)
    scatter_steps(const float* rows, float* dx, const i64* offset, const i64* sequence, const i64* length, i64 batch,
                  i64 axis, i64 reverse, i64 inputs, i64 n) {
  const Order order{offset, sequence, length, batch, axis, reverse};
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 i = e % inputs, t = e / inputs % axis, r = e / inputs / axis;
    if (t < order.length_of(r)) {
      dx[order.outside(r, t) * inputs + i] = rows[(order.start(t) + r) * inputs + i];
    } else {
      dx[(order.sequence_of(r) * axis + t) * inputs + i] = 0.0f;
    }
  }
}

// sums[z] (lines, columns) = the chunks [first + z * each, that + each), below stop, added up latest first. Column j is
// written at (j + turn) % columns.
extern "C" __global__ void __launch_bounds__(256, 2)
    weight_chunks(const float* a, i64 lines, const float* dz, i64 dz_row, i64 columns, const i64* bounds, i64 even,
                  i64 rows, i64 first, i64 each, i64 stop, float* sums, i64 turn) {
  __shared__ __align__(16) float tile_a[WeightTile::kFloats];
  __shared__ __align__(16) float tile_b[WeightTile::kFloats];
  const Chunks chunks{bounds, even, rows};
  const Operand left{a, 1, lines, lines}, right{dz, 1, dz_row, columns};
  const i64 line = static_cast<i64>(blockIdx.x) * 64, column = static_cast<i64>(blockIdx.y) * 64;
  const i64 begin = first + blockIdx.z * each, end = smaller(begin + each, stop);
  float total[4][4];
  WeightTile::clear(total);
  for (i64 c = end - 1; c >= begin; --c) {
    add_chunk(left, right, line, column, chunks.start(c), chunks.start(c + 1), c == end - 1, tile_a, tile_b, total);
  }
  sums += blockIdx.z * lines * columns;
#pragma unroll
  for (i32 e = 0; e < 16; ++e) {
    const i64 i = line + WeightTile::Lines::line(WeightTile::ty(), e / 4);
    const i64 j = column + WeightTile::Lines::line(WeightTile::tx(), e % 4);
    if (i < lines && j < columns) sums[i * columns + (j + turn) % columns] = total[e / 4][e % 4];
  }
}

// sums[y, j] = the sum of column j over chunk first + y, ascending, cut every 4,096 rows. One thread a column.
extern "C" __global__ void __launch_bounds__(128)
    bias_chunks(const float* dz, i64 columns, const i64* bounds, i64 even, i64 rows, i64 first, float* sums) {
  const Chunks chunks{bounds, even, rows};
  const i64 j = global_thread(), chunk = first + blockIdx.y, start = chunks.start(chunk),
            stop = chunks.start(chunk + 1);
  if (j >= columns) return;
  float total = 0.0f;
  for (i64 k = start; k < stop; k += kChain) {
    float chain = 0.0f;
    const i64 end = smaller(k + kChain, stop);
    for (i64 i = k; i < end; ++i) chain = chain + dz[i * columns + j];
    total = k == start ? chain : total + chain;
  }
  sums[blockIdx.y * columns + j] = total;
}

// out[i, (j + turn) % columns] = parts[0] + (parts[1] + ... (parts[count - 1] + out's old value, if `add`)): latest
// first. Parts lie `apart` floats apart.
extern "C" __global__ void __launch_bounds__(256)
    join_chunks(const float* parts, i64 apart, i64 count, i64 add, float* out, i64 columns, i64 turn, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 at = e / columns * columns + (e % columns + turn) % columns;
    float total = add != 0 ? out[at] : 0.0f;
    for (i64 p = count - 1; p >= 0; --p) {
      total = add == 0 && p == count - 1 ? parts[p * apart + e] : parts[p * apart + e] + total;
    }
    out[at] = total;
  }
}
