// out[i, j] = |a_i & b_j| / |a_i | b_j|, 0 if both are empty: all pairs of packed fingerprints; float32.
//
// Counts are whole numbers, exact in any order, and the quotient of two of them is rounded once: the CPU's bits.
// Threads: a block of 256 computes 64 x 64 pairs, a thread 4 x 4 of them, 16 apart in each direction. 16 words of each
// row at a time go through shared memory, [word][row], so that a warp reads neighbours or broadcasts; each word serves
// four pairs. Rows need be neither whole words nor aligned: words are assembled from bytes, and bytes past a row's end
// count as zero. The bits of each single row are counted in the same loop. Edges: rows past the end are zero and not
// stored. Bound: the population counts, 16 a clock and multiprocessor; writing 4 bytes a pair for short fingerprints.
// Not taken yet: the binary tensor cores (mma.sync b1 AND) of sm_80 to sm_90.
#include "types.cuh"

namespace catalase {

constexpr i32 kRows = 64, kWords = 16, kEach = 4;

__device__ __forceinline__ u32 word_at(const u8* row, i64 word, i64 bytes) {
  u32 bits = 0;
#pragma unroll
  for (i32 b = 0; b < 4; ++b) {
    if (4 * word + b < bytes) bits |= static_cast<u32>(row[4 * word + b]) << (8 * b);
  }
  return bits;
}

// Loads words [first, first + kWords) of 64 rows into a tile.
__device__ __forceinline__ void stage(const u8* x, i64 rows, i64 bytes, i64 row, i64 first, u32* tile) {
  for (i32 i = static_cast<i32>(threadIdx.x); i < kRows * kWords; i += 256) {
    const i32 r = i / kWords, w = i % kWords;  // neighbours read along a row
    tile[w * (kRows + 1) + r] = row + r < rows ? word_at(x + (row + r) * bytes, first + w, bytes) : 0u;
  }
}

}  // namespace catalase

using namespace catalase;

extern "C" __global__ void __launch_bounds__(256)
    tanimoto_f32(const u8* a, i64 n, const u8* b, i64 m, i64 bytes, float* out) {
  __shared__ u32 tile_a[kWords * (kRows + 1)];
  __shared__ u32 tile_b[kWords * (kRows + 1)];
  const i32 tx = static_cast<i32>(threadIdx.x) % 16, ty = static_cast<i32>(threadIdx.x) / 16;
  const i64 row = static_cast<i64>(blockIdx.x) * kRows, column = static_cast<i64>(blockIdx.y) * kRows;
  i32 both[kEach][kEach] = {}, alone_a[kEach] = {}, alone_b[kEach] = {};
  for (i64 word = 0; 4 * word < bytes; word += kWords) {
    stage(a, n, bytes, row, word, tile_a);
    stage(b, m, bytes, column, word, tile_b);
    __syncthreads();
#pragma unroll 4
    for (i32 w = 0; w < kWords; ++w) {
      u32 left[kEach], right[kEach];
#pragma unroll
      for (i32 i = 0; i < kEach; ++i) {
        left[i] = tile_a[w * (kRows + 1) + ty + 16 * i];
        right[i] = tile_b[w * (kRows + 1) + tx + 16 * i];
        alone_a[i] += __popc(left[i]);
        alone_b[i] += __popc(right[i]);
      }
#pragma unroll
      for (i32 i = 0; i < kEach; ++i) {
#pragma unroll
        for (i32 j = 0; j < kEach; ++j) both[i][j] += __popc(left[i] & right[j]);
      }
    }
    __syncthreads();  // the tiles are read before the next words come
  }
#pragma unroll
  for (i32 i = 0; i < kEach; ++i) {
#pragma unroll
    for (i32 j = 0; j < kEach; ++j) {
      const i64 at_row = row + ty + 16 * i, at_column = column + tx + 16 * j;
      if (at_row >= n || at_column >= m) continue;
      const i32 either = alone_a[i] + alone_b[j] - both[i][j];
      out[at_row * m + at_column] = either == 0 ? 0.0f : static_cast<float>(both[i][j]) / static_cast<float>(either);
    }
  }
}
