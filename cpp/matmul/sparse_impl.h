// Gathering rows of B, one thread, one level. Included by sparse_<level>.cpp after simd_<level>.h.
//
// Loops: columns of B in strips that stay in L2 (sparse.cpp), rows of A, blocks of 8 vectors of columns, entries of the
// row. The block's sums stay in 8 registers, each
// entry adds one broadcast value times 8 vectors of a row of B. Bound: load bandwidth, one load a multiply-add.
#pragma once

#include "matmul/activate_row.h"
#include "matmul/sparse.h"

namespace catalase {
namespace {

template <class T>
Index compress_level(MatrixView<const T> x, Index most, std::int32_t* columns, T* values, Index* starts) {
  Index count = 0;
  for (Index i = 0; i < x.rows; ++i) {
    starts[i] = count;
    const T* row = x.at(i, 0);
    for (Index j = 0; j < x.cols; j += kWidth<T>) {
      const Index left = x.cols - j;
      const Vec<T> v = left >= kWidth<T> ? load(row + j) : load_lanes(row + j, first_lanes<T>(left));
      for (unsigned bits = nonzero_lanes(v); bits != 0; bits &= bits - 1) {
        const Index k = j + __builtin_ctz(bits);
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

// NV vectors of one row of C; `columns` of them are real where the last is short.
template <class T, int NV>
inline void gather_block(const SparseRows<T>& a, Index i, Index j, Index columns, const MatmulArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const bool full = columns == NV * W;
  const auto read = [&](const T* p, int v) { return full ? load(p + v * W) : load_lanes(p, first_lanes<T>(columns)); };
  V total[NV];
  Index e = a.starts[i];
  const Index stop = a.starts[i + 1];
  for (bool first = true; first || e < stop; first = false) {
    const Index cut = e < stop ? (a.columns[e] / kChainLength + 1) * kChainLength : kChainLength;
    V chain[NV] = {};
    for (; e < stop && a.columns[e] < cut; ++e) {
      const V value = broadcast(a.values[e]);
      const T* row = args.b.at(a.columns[e], j);
      if (NV == 8 && e + kAhead < stop) {
        const T* next = args.b.at(a.columns[e + kAhead], j);
#pragma GCC unroll 8
        for (int v = 0; v < NV; v += 64 / (W * static_cast<int>(sizeof(T)))) __builtin_prefetch(next + v * W);
      }
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) chain[v] = fma(value, read(row, v), chain[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) total[v] = first ? chain[v] : total[v] + chain[v];
  }
  T* out = args.c.at(i, j);
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    if (args.epilogue.bias != nullptr) total[v] = total[v] + read(args.epilogue.bias + j, v);
    if (args.epilogue.activation == Activation::kRelu) total[v] = select<T>(total[v] < V{}, V{}, total[v]);
    if (full) {
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
    for (; j + 8 * W <= right; j += 8 * W) gather_block<T, 8>(a, i, j, 8 * W, args);
    for (; j + 2 * W <= right; j += 2 * W) gather_block<T, 2>(a, i, j, 2 * W, args);
    for (; j + W <= right; j += W) gather_block<T, 1>(a, i, j, W, args);
    if (j < right) gather_block<T, 1>(a, i, j, right - j, args);
    const Activation activation = args.epilogue.activation;
    if (activation != Activation::kIdentity && activation != Activation::kRelu) {
      activate_row(args.c.at(i, left), right - left, activation);
    }
  }
}

}  // namespace
}  // namespace catalase
