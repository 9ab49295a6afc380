// Gathering rows of B, one thread, one level. Included by sparse_<level>.cpp after simd_<level>.h.
//
// Loops: columns of B in strips that stay in L2 (sparse.cpp), rows of A, blocks of 8 vectors of columns, entries of the
// row. The block's sums stay in 8 registers, each entry adds one broadcast value times 8 vectors of a row of B. Bound:
// the bandwidth from L2 to L1, one vector a multiply-add; wider and narrower blocks, prefetching the next strip, and
// walking B in order with the sums in L1 all measured the same or slower (docs/performance.md).
#pragma once

#include "matmul/activate_row.h"
#include "matmul/sparse.h"

namespace catalase {
namespace {

// One bit for each of the `columns` (1 to 64) entries from p that is not zero.
template <class T>
inline std::uint64_t nonzero_word(const T* p, Index columns) {
  constexpr Index W = kWidth<T>;
  std::uint64_t bits = 0;
  for (Index v = 0; v < columns; v += W) {
    const Vec<T> lanes = columns - v >= W ? load(p + v) : load_lanes(p + v, first_lanes<T>(columns - v));
    bits |= static_cast<std::uint64_t>(nonzero_lanes(lanes)) << v;
  }
  return bits;
}

template <class T>
Index count_level(MatrixView<const T> x) {
  Index count = 0;
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; j += 64) {
      count += __builtin_popcountll(nonzero_word(x.at(i, j), x.cols - j < 64 ? x.cols - j : 64));
    }
  }
  return count;
}

// A word of bits at a time, then a walk over its bits: a branch a vector would be mispredicted at every one of them.
template <class T>
Index compress_level(MatrixView<const T> x, Index most, std::int32_t* columns, T* values, Index* starts) {
  Index count = 0;
  for (Index i = 0; i < x.rows; ++i) {
    starts[i] = count;
    const T* row = x.at(i, 0);
    for (Index j = 0; j < x.cols; j += 64) {
      std::uint64_t bits = nonzero_word(row + j, x.cols - j < 64 ? x.cols - j : 64);
      for (; bits != 0; bits &= bits - 1) {
        const Index k = j + __builtin_ctzll(bits);
        columns[count] = static_cast<std::int32_t>(k);
        values[count] = row[k];
        ++count;
      }
      if (count > most) return -1;
    }
  }
  starts[x.rows] = count;
  return count;
}

// Entries from one prefetch to its use. The rows of B that a sample needs lie anywhere; the hardware does not follow.
constexpr Index kAhead = 4;

// sum[v] = value * row[v] + sum[v] over entries [e, stop) of A, in order; NV vectors of B starting at b.
template <class T, int NV, class Read>
inline void gather_entries(const std::int32_t* columns, const T* values, Index e, Index stop, const T* b, Index stride,
                           const Read& read, Vec<T>* sum) {
  Vec<T> chain[NV];
  for (int v = 0; v < NV; ++v) chain[v] = sum[v];
  const auto add = [&](Index at) {
    const Vec<T> value = broadcast(values[at]);
    const T* row = b + columns[at] * stride;
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) chain[v] = fma(value, read(row, v), chain[v]);
  };
  if constexpr (NV == 8) {
    for (; e + kAhead < stop; ++e) {
      const T* next = b + columns[e + kAhead] * stride;
#pragma GCC unroll 8
      for (int v = 0; v < NV; v += 64 / static_cast<int>(sizeof(Vec<T>))) __builtin_prefetch(next + v * kWidth<T>);
      add(e);
    }
  }
  for (; e < stop; ++e) add(e);
  for (int v = 0; v < NV; ++v) sum[v] = chain[v];
}

// NV vectors of one row of C; `columns` of them are real where the last is short.
template <class T, int NV, bool kFull>
inline void gather_block(const SparseRows<T>& a, Index i, Index j, Index columns, const MatmulArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const auto read = [&](const T* p, int v) { return kFull ? load(p + v * W) : load_lanes(p, first_lanes<T>(columns)); };
  const T* b = args.b.at(0, j);
  V total[NV] = {};
  Index e = a.starts[i];
  const Index stop = a.starts[i + 1];
  if (a.cols <= kChainLength) {
    gather_entries<T, NV>(a.columns, a.values, e, stop, b, args.b.row_stride, read, total);
  } else {  // the chain is cut, and its parts are added in order
    for (bool first = true; first || e < stop; first = false) {
      const Index cut = e < stop ? (a.columns[e] / kChainLength + 1) * kChainLength : kChainLength;
      Index end = e;
      while (end < stop && a.columns[end] < cut) ++end;
      V part[NV] = {};
      gather_entries<T, NV>(a.columns, a.values, e, end, b, args.b.row_stride, read, part);
      for (int v = 0; v < NV; ++v) total[v] = first ? part[v] : total[v] + part[v];
      e = end;
    }
  }
  T* out = args.c.at(i, j);
  const bool relu = args.epilogue.activation == Activation::kRelu;
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    if (args.epilogue.bias != nullptr) total[v] = total[v] + read(args.epilogue.bias + j, v);
    if (relu) total[v] = select<T>(total[v] < V{}, V{}, total[v]);
    if constexpr (kFull) {
      store(out + v * W, total[v]);
    } else {
      store_lanes(out, total[v], first_lanes<T>(columns));
    }
  }
}

template <class T>
void gather_level(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  for (Index i = begin; i < end; ++i) {
    Index j = left;
    for (; j + 8 * W <= right; j += 8 * W) gather_block<T, 8, true>(a, i, j, 8 * W, args);
    for (; j + 2 * W <= right; j += 2 * W) gather_block<T, 2, true>(a, i, j, 2 * W, args);
    for (; j + W <= right; j += W) gather_block<T, 1, true>(a, i, j, W, args);
    if (j < right) gather_block<T, 1, false>(a, i, j, right - j, args);
    const Activation activation = args.epilogue.activation;
    if (activation != Activation::kIdentity && activation != Activation::kRelu) {
      activate_row(args.c.at(i, left), right - left, activation);
    }
  }
}

}  // namespace
}  // namespace catalase
