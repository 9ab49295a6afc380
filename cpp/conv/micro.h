// The micro-kernel of convolution: C[R rows, NV vectors] (+)= A @ B, all of C in registers over all segments.
//
//   for s: for t:  b[0..NV) = B[s, t];  for r in 0..R:  c[r][:] = fma(a[r][segment(s) + t * step], b[:], c[r][:])
//
// It differs from matmul/micro.h in A: each row has a separate pointer, because a tile may cover several rows of an
// image, and all rows add one offset, so a term is R broadcasts from [pointer + offset] and one addition. Segments may
// be as short as one term (C = 1, 3, 4 with few taps); the accumulators stay in registers over all of them.
//
// Registers: AVX-512 8 x 3, 10 x 2 and 10 x 1 vectors (14 general registers hold at most 10 row pointers together with
// offset, B and the counter); AVX2 6 x 2 and 9 x 1.
#pragma once

#include <utility>

#include "conv/conv.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

#if CATALASE_VECTOR_BYTES == 64
constexpr int kMaxRows[] = {0, 10, 10, 8};
constexpr Index kPanelVectors = 3;
constexpr Index kBlockTerms = 256;
#else
constexpr int kMaxRows[] = {0, 9, 6};
constexpr Index kPanelVectors = 2;
constexpr Index kBlockTerms = 384;
#endif

template <class T>
struct TileArgs {
  const SegmentProduct<T>* product;
  Index row;   // first row of the tile
  Index col;   // first column
  Index last;  // columns in the last vector, 1 to kWidth
  const T* b;  // the panel, at the block's first term
};

template <class T, int R, int NV>
[[gnu::always_inline]] inline void add_term(Vec<T> (&c)[R][NV], const T* const (&a)[R], Index offset, const T* b) {
  Vec<T> row[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    row[v] = load(b + v * kWidth<T>);
    hold(row[v]);  // gcc would fold these loads into every FMA and become load-bound
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    Vec<T> value = broadcast(a[r][offset]);
    if (NV > 1) hold(value);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) c[r][v] = fma(value, row[v], c[r][v]);
    if (NV > 1) keep_alive(value);  // else gcc overwrites it with the last sum, which costs copies and spills
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) keep_alive(row[v]);
}

template <class T, int R, int NV, class F>
[[gnu::always_inline]] inline void each_vector(Vec<T> (&c)[R][NV], const RowTable<const T>& table, Index row, Index col,
                                               LaneMask<T> last, F&& f) {
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    const T* at = table.data + table.rows[row + r] + col;
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const Vec<T> value = v == NV - 1 ? load_lanes(at + v * kWidth<T>, last) : load(at + v * kWidth<T>);
      c[r][v] = f(c[r][v], value);
    }
  }
}

template <class T, int R, int NV>
inline void finish_tile(Vec<T> (&c)[R][NV], const TileArgs<T>& args, LaneMask<T> last) {
  using V = Vec<T>;
  const SegmentProduct<T>& p = *args.product;
  if (p.total.data != nullptr) each_vector<T>(c, p.total, args.row, args.col, last, [](V a, V b) { return b + a; });
  if (p.bias != nullptr) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const T* at = p.bias + args.col + v * kWidth<T>;
      const V bias = v == NV - 1 ? load_lanes(at, last) : load(at);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) c[r][v] = c[r][v] + bias;
    }
  }
  if (p.relu) {
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) c[r][v] = relu<T>(c[r][v]);
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    T* at = p.c.data + p.c.rows[args.row + r] + args.col;
#pragma GCC unroll 8
    for (int v = 0; v < NV - 1; ++v) store(at + v * kWidth<T>, c[r][v]);
    store_lanes(at + (NV - 1) * kWidth<T>, c[r][NV - 1], last);
  }
}

// How the terms of A lie: a step apart; contiguous, so that two can share one offset; or one term in every segment, the
// form of short segments: one loop over 27 terms instead of 3 loops over 9 (3 to 8% faster).
enum class Terms { kStep, kUnit, kSingle };

template <class T, int R, int NV, Terms kTerms>
void tile_kernel(const TileArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const SegmentProduct<T>& p = *args.product;
  const LaneMask<T> last = first_lanes<T>(args.last);
  V c[R][NV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) c[r][v] = V{};
  }
  if (p.start.data != nullptr) each_vector<T>(c, p.start, args.row, args.col, last, [](V, V b) { return b; });
  const T* a[R];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    a[r] = p.a.data + p.a.rows[args.row + r];
    hold_pointer(a[r]);
  }
  const T* b = args.b;
  if (kTerms == Terms::kSingle) {
#pragma GCC unroll 1
    for (const Segment *s = p.segments, *stop = s + p.segment_count; s < stop; ++s, b += NV * W) {
      add_term<T, R, NV>(c, a, s->offset, b);
    }
    return finish_tile<T, R, NV>(c, args, last);
  }
  const Index step = kTerms == Terms::kUnit ? 1 : p.step;
  for (const Segment *s = p.segments, *stop = s + p.segment_count; s < stop; ++s) {
    Index offset = s->offset, left = s->length;
    if (kTerms == Terms::kUnit) {
#pragma GCC unroll 1
      for (; left >= 2; left -= 2) {
        add_term<T, R, NV>(c, a, offset, b);
        add_term<T, R, NV>(c, a, offset + 1, b + NV * W);
        offset += 2;
        b += 2 * NV * W;
      }
    }
#pragma GCC unroll 1
    for (; left > 0; --left) {
      add_term<T, R, NV>(c, a, offset, b);
      offset += step;
      b += NV * W;
    }
  }
  finish_tile<T, R, NV>(c, args, last);
}

template <class T>
using TileFunction = void (*)(const TileArgs<T>&);

template <class T, int NV, Terms kTerms, int... R>
TileFunction<T> pick_rows(Index rows, std::integer_sequence<int, R...>) {
  static constexpr TileFunction<T> table[] = {tile_kernel<T, R + 1, NV, kTerms>...};
  return table[rows - 1];
}

template <class T, Terms kTerms>
TileFunction<T> pick_shape(Index rows, Index vectors) {
  switch (vectors) {
    case 1:
      return pick_rows<T, 1, kTerms>(rows, std::make_integer_sequence<int, kMaxRows[1]>());
#if CATALASE_VECTOR_BYTES == 64
    case 3:
      return pick_rows<T, 3, kTerms>(rows, std::make_integer_sequence<int, kMaxRows[3]>());
#endif
    default:
      return pick_rows<T, 2, kTerms>(rows, std::make_integer_sequence<int, kMaxRows[2]>());
  }
}

// Doubles, in which no net is trained, use only the kernels for terms that lie in any way.
template <class T>
TileFunction<T> pick_tile(Terms terms, Index rows, Index vectors) {
  if constexpr (sizeof(T) == 4) {
    if (terms == Terms::kSingle) return pick_shape<T, Terms::kSingle>(rows, vectors);
    if (terms == Terms::kUnit) return pick_shape<T, Terms::kUnit>(rows, vectors);
  }
  return pick_shape<T, Terms::kStep>(rows, vectors);
}

}  // namespace
}  // namespace catalase
