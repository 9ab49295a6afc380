// The micro-kernels of a level (micro.h), compiled once and called by all families that build on products.
#pragma once

#include "cpu/kernels.h"
#include "cpu/level.h"
#include "matmul/matmul.h"

namespace catalase {

// The memory to prefetch while a tile computes: rows of `lines` cache lines. The hardware prefetcher does not follow
// rows that are far apart.
template <class T>
struct Ahead {
  const T* data = nullptr;
  Index stride = 0, rows = 0, lines = 0;
};

template <class T>
struct MicroArgs {
  const T* a;  // A[r, p] = a[r * a_row + p * a_col]
  Index a_row, a_col;
  const T* b;  // row p starts at b + p * b_row
  Index b_row;
  T* panel;        // where to store the rows of B as a packed panel, or null
  Ahead<T> ahead;  // this tile's part of the rows of B that the next panel will read
  Index k;
  T* c;  // row stride ldc
  Index ldc;
  Index last;                             // columns in the last vector, 1 to kWidth
  bool from_c;                            // start the accumulators from C (a further K block of the same chain)
  const Epilogue<T>* epilogue = nullptr;  // applied after the last K block; the tile is its block at (row, col)
  Index row = 0, col = 0;
};

template <class T>
using MicroFunction = void (*)(const MicroArgs<T>&);

template <class T>
struct MicroKernels {
  // Returns the kernel for a tile of `rows` rows and `vectors` vectors (at most max_rows and kPanelVectors of
  // blocks.h). by_column: a_row is 1, otherwise a_col is. packed: B is a panel of whole vectors without gaps.
  MicroFunction<T> (*pick)(Index rows, Index vectors, bool by_column, bool packed);
};

extern const BothTypes<MicroKernels> CATALASE_AT_LEVEL(micro);

namespace {

template <class T>
inline MicroFunction<T> pick_micro(Index rows, Index vectors, bool by_column, bool packed) {
  return of_type<T>(CATALASE_AT_LEVEL(micro)).pick(rows, vectors, by_column, packed);
}

}  // namespace
}  // namespace catalase
