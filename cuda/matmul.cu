// C = act(A @ B + bias + add), then zero where keep is not above zero; float32.
//
// A (M, K) and B (K, N) have any strides; rows of C, add and keep have unit stride. Every output is one chain of fused
// multiply-adds in ascending k from zero, cut every 4,096 terms with the parts added in order, bias last: the CPU's
// rule. So the bits depend neither on the tile, the grid or the other rows, nor on whether one thread block computed
// the parts or several.
//
// Threads: a block of 256 computes a tile of C of 128 x 128 or 64 x 64, a thread 8 x 8 or 4 x 4 of it in registers; a
// block of 128 computes 32 x 32, a thread 2 x 4. A thread's outputs form groups of up to four neighbouring rows and
// columns, so that both operands come from shared memory by vector loads without bank conflicts. Loop: K in steps of 8,
// 16 or 64 (long if a block is alone on its multiprocessor and must hide the latency of memory by itself). The next
// step's values are loaded from memory into registers while this step's values are multiplied, and then stored to the
// other of two shared buffers: one barrier a step. Neighbouring threads load along the axis of unit stride, for either
// layout of the operand. Edges: values outside are loaded as zero, and not stored. blockIdx: x is the tile's rows, y
// its columns, z the product of a stack, or the part of K.
//
// Why it should be fast: 128 x 128 x 8 does 64 FMA a thread for 16 shared loads of 4 bytes, four to an instruction, so
// the FMA pipes are the bound if there are enough tiles for all multiprocessors; smaller tiles trade that for more
// blocks. Bound of skinny shapes: reading B once, and the latency of one chain (4 cycles a term). Not taken: splitting
// K below 4,096, which would fill the device on small outputs, at the price of the CPU's bits; 128 x 128 x 16, which
// halves the barriers, but spills 48 to 80 bytes from sm_75 to sm_100.
#include "epilogue.cuh"
#include "product.cuh"

namespace catalase {

// The tile of C whose first row and column are given, over [k, k_end): at most one chain.
template <i32 kTile, i32 kDepth, i32 kRows, i32 kColumns>
__device__ __forceinline__ void multiply_tile(const Operand& a, const Operand& b, i64 row, i64 column, i64 k, i64 k_end,
                                              float* c, i64 c_row, const Epilogue& epilogue, float* tile_a,
                                              float* tile_b) {
  using T = Tile<kTile, kDepth, kRows, kColumns>;
  using Rows = typename T::Rows;
  using Columns = typename T::Columns;
  Stage<kTile, kDepth, T::kWorkers> from_a, from_b;
  from_a.start(a, row, k);
  from_b.start(b, column, k);
  float sum[kRows][kColumns];
  T::clear(sum);
  T::multiply(from_a, from_b, static_cast<i32>(k_end - k), tile_a, tile_b, sum);
  const i32 tx = T::tx(), ty = T::ty();
#pragma unroll
  for (i32 i = 0; i < kRows; ++i) {
    const i64 at_row = row + Rows::line(ty, i);
#pragma unroll
    for (i32 j = 0; j < kColumns; ++j) {
      const i64 at_column = column + Columns::line(tx, j);
      if (at_row < a.lines && at_column < b.lines) {
        c[at_row * c_row + at_column] = epilogue.short_of(sum[i][j], at_row, at_column);
      }
    }
  }
  if (epilogue.is_short()) return;
#pragma unroll 1  // 64 copies of tanh would be longer than everything else
  for (i32 e = 0; e < kRows * kColumns; ++e) {
    const i64 at_row = row + Rows::line(ty, e / kColumns), at_column = column + Columns::line(tx, e % kColumns);
    if (at_row >= a.lines || at_column >= b.lines) continue;
    float* at = c + at_row * c_row + at_column;  // this thread wrote it
    *at = epilogue.mask(activate(epilogue.activation, *at), at_row, at_column);
  }
}

// z counts the products of a stack, or, if k_part is below k, the parts of one product, whose C lie c_step apart.
template <i32 kTile, i32 kDepth, i32 kRows, i32 kColumns>
__device__ __forceinline__ void multiply(const float* a, i64 a_row, i64 a_col, i64 a_step, const float* b, i64 b_row,
                                         i64 b_col, i64 b_step, float* c, i64 c_row, i64 c_step, i64 m, i64 n, i64 k,
                                         i64 k_begin, i64 k_part, const Epilogue& epilogue, float* tile_a,
                                         float* tile_b) {
  const i64 z = blockIdx.z;
  const Operand left{a + z * a_step, a_row, a_col, m}, right{b + z * b_step, b_col, b_row, n};
  const i64 first = k_begin + (k_part < k ? z * k_part : 0);
  multiply_tile<kTile, kDepth, kRows, kColumns>(left, right, static_cast<i64>(blockIdx.x) * kTile,
                                                static_cast<i64>(blockIdx.y) * kTile, first, smaller(first + k_part, k),
                                                c + z * c_step, c_row, epilogue, tile_a, tile_b);
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_MATMUL(name, tile, depth, rows, columns, threads)                                             \
  extern "C" __global__ void __launch_bounds__(threads, 512 / threads)                                         \
      name(const float* a, i64 a_row, i64 a_col, i64 a_step, const float* b, i64 b_row, i64 b_col, i64 b_step, \
           float* c, i64 c_row, i64 c_step, i64 m, i64 n, i64 k, i64 k_begin, i64 k_part, const float* bias,   \
           const float* add, i64 add_row, const float* keep, i64 keep_row, i64 activation) {                   \
    static_assert(Tile<tile, depth, rows, columns>::kWorkers == threads);                                      \
    __shared__ __align__(16) float tile_a[2 * depth * (tile + kPad)];                                          \
    __shared__ __align__(16) float tile_b[2 * depth * (tile + kPad)];                                          \
    multiply<tile, depth, rows, columns>(                                                                      \
        a, a_row, a_col, a_step, b, b_row, b_col, b_step, c, c_row, c_step, m, n, k, k_begin, k_part,          \
        Epilogue{bias, add, add_row, keep, keep_row, static_cast<i32>(activation)}, tile_a, tile_b);           \
  }

CATALASE_MATMUL(matmul_f32_128, 128, 8, 8, 8, 256)
CATALASE_MATMUL(matmul_f32_64, 64, 16, 4, 4, 256)
CATALASE_MATMUL(matmul_f32_32, 32, 64, 2, 4, 128)

// C = epilogue(parts[0] + parts[1] + ...), in order; parts (count, M, N) contiguous. C may be parts[0]. One thread an
// output, neighbours along a row. Bound: memory bandwidth.
extern "C" __global__ void __launch_bounds__(256)
    join_parts_f32(const float* parts, i64 count, float* c, i64 c_row, i64 m, i64 n, const float* bias,
                   const float* add, i64 add_row, const float* keep, i64 keep_row, i64 activation) {
  const Epilogue epilogue{bias, add, add_row, keep, keep_row, static_cast<i32>(activation)};
  for (i64 i = global_thread(); i < m * n; i += global_threads()) {
    float total = parts[i];
    for (i64 p = 1; p < count; ++p) total = total + parts[p * m * n + i];
    c[i / n * c_row + i % n] = epilogue.of(total, i / n, i % n);
  }
}

// sums[part, j] = sum over rows i of part `part` (4,096 rows each) of x[i, j], ascending; join_parts_f32 adds them. One
// thread a column, neighbouring columns in a warp; blockIdx.y is the part. Bound: bandwidth if there are enough
// columns; otherwise 4,096 dependent additions.
extern "C" __global__ void __launch_bounds__(128) column_sum_f32(const float* x, i64 x_row, float* sums, i64 m, i64 n) {
  const i64 column = global_thread();
  if (column >= n) return;
  const i64 first = static_cast<i64>(blockIdx.y) * kChain, end = smaller(first + kChain, m);
  float sum = 0.0f;
  for (i64 i = first; i < end; ++i) sum = sum + x[i * x_row + column];
  sums[static_cast<i64>(blockIdx.y) * n + column] = sum;
}
