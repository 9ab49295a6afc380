// The micro-kernel: C[R, NV vectors] (+)= A[R, k] @ B[k, NV vectors], all of C in registers.
//
//   for p in 0..k:  b[0..NV) = B[p];  for r in 0..R:  c[r][:] = fma(A[r, p], b[:], c[r][:])
//
// A is read in place, by broadcasts: rows of unit stride (kByColumn false) or columns of unit stride (true, a
// transposed A). B is read in place too, or from a packed panel; the first tile that reads a panel's columns from the
// caller's matrix stores them to the panel on the way. Packing separately was measured: faster alone, slower in the
// whole product, because the tile hides the latency of B.
//
// Registers: AVX-512 has 32. Tiles of 6 x 4, 8 x 3, 12 x 2 and up to 18 x 1 keep 18 to 24 accumulators; FMA has a
// latency of 4 cycles on 2 ports, so at least 8 are needed. A tile needs R broadcasts and NV loads for R * NV FMAs; 8 x
// 3 and 6 x 4 need the fewest. With operands in L1 this kernel runs at 195 GFLOP/s. Written by hand in assembly it runs
// at 200 in any of these shapes, packed or not, with 2 to 8 terms a turn; FMAs without loads run at 205. With
// broadcasts folded into the FMAs (7 x 4, 9 x 3) it runs at 180 to 190, bound by the load ports. AVX2 has 16 registers:
// 6 x 2 is 12 accumulators, 2 vectors of B and a broadcast.
#pragma once

#include <utility>

#include "cpu/simd.h"
#include "matmul/blocks.h"
#include "matmul/epilogue.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {

constexpr Index kChunk = 16;  // terms between prefetches

// One term of every chain of the tile.
template <class T, int R, int NV, bool kByColumn, bool kPacked, int kGroups>
[[gnu::always_inline]] inline void add_term(Vec<T> (&c)[R][NV], const T* const (&a)[kGroups], Index a_row, Index offset,
                                            const T* b, T* panel, LaneMask<T> last) {
  constexpr Index W = kWidth<T>;
  Vec<T> row[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    row[v] = !kPacked && v == NV - 1 ? load_lanes(b + v * W, last) : load(b + v * W);
    hold(row[v]);  // gcc would fold these loads into every FMA and become load-bound
  }
  if (!kPacked && panel != nullptr) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) store(panel + v * W, row[v]);
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    Vec<T> value = broadcast(kByColumn ? a[0][r + offset] : a[r / 3][(r % 3) * a_row + offset]);
    if (NV > 1) hold(value);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) c[r][v] = fma(value, row[v], c[r][v]);
    if (NV > 1) keep_alive(value);  // else gcc overwrites it with the last sum, which costs copies and spills
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) keep_alive(row[v]);
}

template <class T, int kGroups>
[[gnu::always_inline]] inline void advance(const T* (&a)[kGroups], Index step) {
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; ++g) {
    a[g] += step;
    hold_pointer(a[g]);  // else gcc keeps one pointer a row, and spills them
  }
}

// kPacked: B is a panel, padded. Otherwise its last vector is read under a mask.
template <class T, int R, int NV, bool kByColumn, bool kPacked>
void micro_kernel(const MicroArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  constexpr int kGroups = kByColumn ? 1 : (R + 2) / 3;  // rows are addressed as base, base + stride, base + 2 * stride
  const LaneMask<T> last = first_lanes<T>(args.last);
  V c[R][NV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const T* at = args.c + r * args.ldc + v * W;
      c[r][v] = !args.from_c ? V{} : v == NV - 1 ? load_lanes(at, last) : load(at);
    }
  }
  const Index a_row = args.a_row, a_col = args.a_col, b_row = kPacked ? NV * W : args.b_row;
  const T* a[kGroups];
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; ++g) a[g] = args.a + 3 * g * a_row;
  const T* b = args.b;
  T* panel = args.panel;
  constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));
  const T* ahead = args.ahead.data;
  if (args.epilogue != nullptr && args.epilogue->relu != nullptr) {  // read at the end, from rows that are far apart
    const T* mask = args.epilogue->relu + args.row * args.epilogue->relu_row + args.col;
    for (int r = 0; r < R; ++r, mask += args.epilogue->relu_row) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) __builtin_prefetch(mask + v * W);
    }
  }
  const T* next_c = args.c + R * args.ldc;  // the tile below: read or written next
  const Index chunks = (args.k + kChunk - 1) / kChunk;
  Index ahead_left = args.ahead.rows * args.ahead.lines, line = 0;
  const Index rows_ahead = chunks >= R ? 1 : 2 * chunks >= R ? 2 : 4 * chunks >= R ? 4 : R;
  Index next_left = R;
  const Index ahead_lines = (ahead_left + chunks - 1) / (chunks > 0 ? chunks : 1);
  for (Index left = args.k; left > 0; left -= kChunk) {
    for (Index i = ahead_lines < ahead_left ? ahead_lines : ahead_left; i > 0; --i, --ahead_left) {
      __builtin_prefetch(ahead + line * kLine, 0, 2);
      if (++line == args.ahead.lines) line = 0, ahead += args.ahead.stride;
    }
    for (Index r = rows_ahead; r > 0 && next_left > 0; --r, --next_left) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) __builtin_prefetch(next_c + v * W, 1);
      next_c += args.ldc;
    }
    Index p = left < kChunk ? left : kChunk;
#pragma GCC unroll 1
    for (; p >= kUnroll; p -= kUnroll) {
#pragma GCC unroll 8
      for (int u = 0; u < kUnroll; ++u) {
        add_term<T, R, NV, kByColumn, kPacked>(c, a, a_row, kByColumn ? u * a_col : u, b + u * b_row,
                                               panel != nullptr ? panel + u * NV * W : nullptr, last);
      }
      if (!kPacked && panel != nullptr) panel += kUnroll * NV * W;
      b += kUnroll * b_row;
      advance(a, kByColumn ? kUnroll * a_col : kUnroll);
    }
#pragma GCC unroll 1
    for (; p > 0; --p) {
      add_term<T, R, NV, kByColumn, kPacked>(c, a, a_row, 0, b, panel, last);
      if (!kPacked && panel != nullptr) panel += NV * W;
      b += b_row;
      advance(a, kByColumn ? a_col : 1);
    }
  }
  if (args.epilogue != nullptr) finish_tile<T>(c, *args.epilogue, args.row, args.col, last);
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV - 1; ++v) store(args.c + r * args.ldc + v * W, c[r][v]);
    store_lanes(args.c + r * args.ldc + (NV - 1) * W, c[r][NV - 1], last);
  }
}

template <class T, int NV, bool kByColumn, bool kPacked, int... R>
MicroFunction<T> pick_rows(Index rows, std::integer_sequence<int, R...>) {
  static constexpr MicroFunction<T> table[] = {micro_kernel<T, R + 1, NV, kByColumn, kPacked>...};
  return table[rows - 1];
}

template <class T, bool kByColumn, bool kPacked>
MicroFunction<T> pick_shape(Index rows, Index vectors) {
  const auto of = [&]<int NV>() {
    return pick_rows<T, NV, kByColumn, kPacked>(rows, std::make_integer_sequence<int, max_rows<T>(NV)>());
  };
  if constexpr (kPanelVectors<T> > 2) {
    if (vectors == 3) return of.template operator()<3>();
    if (vectors == 4) return of.template operator()<4>();
  }
  return vectors == 1 ? of.template operator()<1>() : of.template operator()<2>();
}

// A padded panel can be read like a B in place, 2% slower; doubles, in which no net is trained, use only that path.
template <class T>
MicroFunction<T> pick_micro_kernel(Index rows, Index vectors, bool by_column, bool packed) {
  if constexpr (sizeof(T) == 4) {
    if (packed) return by_column ? pick_shape<T, true, true>(rows, vectors) : pick_shape<T, false, true>(rows, vectors);
  }
  return by_column ? pick_shape<T, true, false>(rows, vectors) : pick_shape<T, false, false>(rows, vectors);
}

}  // namespace
}  // namespace catalase
