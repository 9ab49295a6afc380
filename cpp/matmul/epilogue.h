// The epilogue of a tile of sums in registers (Epilogue, matmul.h), one operation at a time over the whole tile: row by
// row took gcc three times as long and gave twice the code (486 KB of the AVX-512 unit, now 247).
#pragma once

#include "cpu/simd.h"
#include "matmul/matmul.h"

namespace catalase {
namespace {

// c = f(c, v) for all vectors of a tile. The rows of v are `stride` apart; with 0 all rows are the same.
template <class T, int R, int NV, class F>
[[gnu::always_inline]] inline void with_each(Vec<T> (&c)[R][NV], const T* from, Index stride, LaneMask<T> last, F&& f) {
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const T* at = from + r * stride + v * kWidth<T>;
      c[r][v] = f(c[r][v], v == NV - 1 ? load_lanes(at, last) : load(at));
    }
  }
}

// act(c + bias + add) where keep is above 0, or the derivative of ReLU, for the tile of outputs at (row, col).
template <class T, int R, int NV>
[[gnu::always_inline]] inline void finish_tile(Vec<T> (&c)[R][NV], const Epilogue<T>& e, Index row, Index col,
                                               LaneMask<T> last) {
  using V = Vec<T>;
  if (e.relu != nullptr) {  // excludes the others
    const T scale = e.scale;
    return with_each<T>(c, e.relu + row * e.relu_row + col, e.relu_row, last,
                        [&](V sum, V mask) { return select<T>(mask <= V{}, V{}, sum * scale); });
  }
  if (e.bias != nullptr) with_each<T>(c, e.bias + col, 0, last, [](V sum, V bias) { return sum + bias; });
  if (e.add_index != nullptr) {
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      const T* from = e.add + e.add_index[row + r] * e.add_row + col;
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) {
        const T* at = from + v * kWidth<T>;
        c[r][v] = c[r][v] + (v == NV - 1 ? load_lanes(at, last) : load(at));
      }
    }
  } else if (e.add != nullptr) {
    with_each<T>(c, e.add + row * e.add_row + col, e.add_row, last, [](V sum, V add) { return sum + add; });
  }
  if (e.activation == Activation::kRelu) {
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) c[r][v] = select<T>(c[r][v] < V{}, V{}, c[r][v]);
    }
  }
  if (e.keep != nullptr) {
    with_each<T>(c, e.keep + row * e.keep_row + col, e.keep_row, last,
                 [](V sum, V keep) { return select<T>(keep > V{}, sum, V{}); });
  }
}

}  // namespace
}  // namespace catalase
