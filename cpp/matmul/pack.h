// Copies of operands into a form that the micro-kernel reads well.
#pragma once

#include "common/partition.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

// A block of A is copied without reordering, to rows an odd number of cache lines apart: no two rows share cache sets.
template <class T>
constexpr Index copied_stride(Index cols) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  const Index lines = ceil_div(cols, line);
  return (lines + 1 - lines % 2) * line;
}
template <class T>
constexpr Index copied_size(Index rows, Index cols) {
  const Index by_row = rows * copied_stride<T>(cols), by_column = cols * copied_stride<T>(rows);
  return by_row > by_column ? by_row : by_column;
}

template <class T>
bool must_copy(const MatrixView<const T>& a) {
  return a.row_stride != 1 && a.col_stride != 1;
}

// Whether the distance of the rows (or of the columns of a transposed A) maps them to few sets of the L2 cache, or is
// too long for the hardware prefetcher. Rows 8 KiB apart are 7% faster copied, rows 2 and 4 KiB apart 1 to 4% slower
// (on AVX-512, and similarly on AVX2).
template <class T>
bool should_copy(const MatrixView<const T>& a) {
  const Index distance = (a.col_stride == 1 ? a.row_stride : a.col_stride) * static_cast<Index>(sizeof(T));
  return a.col_stride != 1 ? distance > 1024 || distance < 0 : distance % 8192 == 0;
}

template <class T>
void copy_rows(MatrixView<const T> a, T* target, Index stride) {
  for (Index i = 0; i < a.rows; ++i, target += stride) {
    const T* row = a.at(i, 0);
    Index j = 0;
    if (a.col_stride == 1) {
      for (; j + kWidth<T> <= a.cols; j += kWidth<T>) store(target + j, load(row + j));
    }
    for (; j < a.cols; ++j) target[j] = row[j * a.col_stride];
  }
}

// Transposes a square of kWidth vectors in registers: step d exchanges blocks of d columns across the diagonal.
template <class T>
inline void transpose_square(Vec<T> (&v)[kWidth<T>]) {
  constexpr int W = kWidth<T>;
#pragma GCC unroll 4
  for (int d = W / 2; d > 0; d /= 2) {
    Mask<T> low = {}, high = {};
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
      low[i] = (i & d) != 0 ? i - d + W : i;
      high[i] = (i & d) != 0 ? i + W : i + d;
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
      if ((i & d) != 0) continue;
      const Vec<T> a = v[i], b = v[i + d];
      v[i] = __builtin_shuffle(a, b, low);
      v[i + d] = __builtin_shuffle(a, b, high);
    }
  }
}

// Packs a block of b (k, cols) whose rows have no unit stride into panel[p * width + j], with zeros in the columns
// beyond. kAhead: columns to prefetch, if no other code does.
template <class T, Index kAhead = 0>
void pack_transposed(MatrixView<const T> b, T* panel, Index width) {
  constexpr Index W = kWidth<T>;
  const Index k = b.rows, cols = b.cols;
  for (Index j = 0; j < width; j += W) {
    Index p = 0;
    if (b.row_stride == 1) {
      for (; p + W <= k; p += W) {
        Vec<T> square[W];
#pragma GCC unroll 16
        for (Index i = 0; i < W; ++i) {
          square[i] = j + i < cols ? load(b.at(p, j + i)) : Vec<T>{};
          if (kAhead > 0) __builtin_prefetch(b.at(p, j + i + kAhead));
        }
        transpose_square<T>(square);
#pragma GCC unroll 16
        for (Index i = 0; i < W; ++i) store(panel + (p + i) * width + j, square[i]);
      }
      if (k > p && (k - p) * 4 >= W && W > 1) {  // a short square under a mask: K may be as small as a layer's outputs
        const LaneMask<T> rest = first_lanes<T>(k - p);
        Vec<T> square[W];
#pragma GCC unroll 16
        for (Index i = 0; i < W; ++i) square[i] = j + i < cols ? load_lanes(b.at(p, j + i), rest) : Vec<T>{};
        transpose_square<T>(square);
#pragma GCC unroll 16
        for (Index i = 0; i < W; ++i) {
          if (p + i < k) store(panel + (p + i) * width + j, square[i]);
        }
        p = k;
      }
    }
    for (; p < k; ++p) {
      for (Index i = 0; i < W; ++i) panel[p * width + j + i] = j + i < cols ? *b.at(p, j + i) : T(0);
    }
  }
}

}  // namespace
}  // namespace catalase
