// C computed as C^T = B^T A^T, for few columns of C.
#pragma once

#include "common/memory.h"
#include "common/partition.h"
#include "cpu/simd.h"
#include "matmul/blocks.h"
#include "matmul/epilogue.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

// Whether C^T = B^T A^T fills its vectors better: few columns of C, many rows, and an A whose columns have unit stride,
// as in the gradient of a layer with few outputs.
template <class T>
bool turn_pays(const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index m = args.c.rows, n = args.c.cols;
  if (args.a.row_stride != 1 || args.a.col_stride == 1 || args.b.col_stride != 1) return false;
  return n <= kMostTurned * W && m >= 4 * W && args.a.cols >= kTurnedTerms && round_up(n, W) * 4 >= n * 5;
}

template <class T>
void matmul_one_thread(const MatmulArgs<T>& args);

// Computes C^T for some rows of C at a time: sums into scratch memory, then squares transposed in registers.
template <class T>
void matmul_turned(const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  const Index blocks = ceil_div(m, kTurnedRows), step = round_up(ceil_div(m, blocks), W);
  const Index stride = copied_stride<T>(step);
  Scratch<T> turned(static_cast<std::size_t>(n * stride));
  for (Index i0 = 0; i0 < m; i0 += step) {
    const Index mc = smaller(step, m - i0);
    matmul_one_thread(MatmulArgs<T>{
        args.b.transposed(), args.a.block(i0, 0, mc, k).transposed(), {turned.get(), n, mc, stride, 1}, {}});
    for (Index i = 0; i < mc; i += W) {
      const Index rows = smaller(W, mc - i);
      for (Index j = 0; j < n; j += W) {
        const LaneMask<T> lanes = first_lanes<T>(smaller(W, n - j)), real = first_lanes<T>(rows);
        Vec<T> square[W];
#pragma GCC unroll 16
        for (Index v = 0; v < W; ++v) {
          square[v] = j + v < n ? load_lanes(turned.get() + (j + v) * stride + i, real) : Vec<T>{};
        }
        transpose_square<T>(square);
#pragma GCC unroll 16
        for (Index r = 0; r < W; ++r) {
          if (r >= rows) continue;
          Vec<T> out[1][1] = {{square[r]}};
          if (!args.epilogue.empty()) finish_tile<T>(out, args.epilogue, i0 + i + r, j, lanes);
          store_lanes(args.c.at(i0 + i + r, j), out[0][0], lanes);
        }
      }
    }
  }
}

}  // namespace
}  // namespace catalase
