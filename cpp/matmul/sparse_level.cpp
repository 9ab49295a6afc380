// Gathering rows of B, one thread, one level.
//
// Loops: columns of B in strips (sparse.cpp), rows of A, blocks of 64 columns, entries of the row. The block's sums
// stay in registers. Each entry adds one broadcast value times a block's vectors of a row of B, or only the vectors if
// all values are 1 (fingerprints; the product with 1 is exact). Bound: the bandwidth from L2 to L1, one vector a
// multiply-add. With blocks of 64 columns more of the rows that many samples have stay in L1 than with 128 (README.md).

#include "common/partition.h"
#include "cpu/simd.h"
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
      count += __builtin_popcountll(nonzero_word(x.at(i, j), smaller(x.cols - j, 64)));
    }
  }
  return count;
}

// Reads a word of bits at a time and then walks over its bits, because a branch for each vector would be mispredicted
// every time.
template <class T>
Index compress_level(MatrixView<const T> x, Index most, std::int32_t* columns, T* values, Index* starts) {
  Index count = 0;
  for (Index i = 0; i < x.rows; ++i) {
    starts[i] = count;
    const T* row = x.at(i, 0);
    for (Index j = 0; j < x.cols; j += 64) {
      std::uint64_t bits = nonzero_word(row + j, smaller(x.cols - j, 64));
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

// sum[v] = value * row[v] + sum[v] over entries [e, stop) of A, in order; NV vectors of B starting at b.
template <class T, int NV, bool kOnes, class Read>
inline void gather_entries(const std::int32_t* columns, const T* values, Index e, Index stop, const T* b, Index stride,
                           const Read& read, Vec<T>* sum) {
  Vec<T> chain[NV];
  for (int v = 0; v < NV; ++v) chain[v] = sum[v];
  for (; e < stop; ++e) {
    const Vec<T> value = kOnes ? Vec<T>{} : broadcast(values[e]);
    const T* row = b + columns[e] * stride;
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) chain[v] = kOnes ? chain[v] + read(row, v) : fma(value, read(row, v), chain[v]);
  }
  for (int v = 0; v < NV; ++v) sum[v] = chain[v];
}

// NV vectors of one row of C, the last of `last` columns.
template <class T, int NV, bool kFull, bool kOnes>
inline void gather_block(const SparseRows<T>& a, Index i, Index j, LaneMask<T> last, const MatmulArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const auto read = [&](const T* p, int v) {
    return kFull || v < NV - 1 ? load(p + v * W) : load_lanes(p + v * W, last);
  };
  const T* b = args.b.at(0, j);
  V total[NV] = {};
  Index e = a.starts[i];
  const Index stop = a.starts[i + 1];
  if (a.cols <= kChainLength) {
    gather_entries<T, NV, kOnes>(a.columns, a.values, e, stop, b, args.b.row_stride, read, total);
  } else {  // the chain is cut, and its parts are added in order
    for (bool first = true; first || e < stop; first = false) {
      const Index cut = e < stop ? (a.columns[e] / kChainLength + 1) * kChainLength : kChainLength;
      Index end = e;
      while (end < stop && a.columns[end] < cut) ++end;
      V part[NV] = {};
      gather_entries<T, NV, kOnes>(a.columns, a.values, e, end, b, args.b.row_stride, read, part);
      for (int v = 0; v < NV; ++v) total[v] = first ? part[v] : total[v] + part[v];
      e = end;
    }
  }
  T* out = args.c.at(i, j);
  const bool clip = args.epilogue.activation == Activation::kRelu;
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    if (args.epilogue.bias != nullptr) total[v] = total[v] + read(args.epilogue.bias + j, v);
    if (clip) total[v] = relu<T>(total[v]);
    if (kFull || v < NV - 1) {
      store(out + v * W, total[v]);
    } else {
      store_lanes(out + v * W, total[v], last);
    }
  }
}

// Fewer than kVectors vectors, the last under a mask.
template <class T, bool kOnes, int NV>
inline void gather_rest(const SparseRows<T>& a, Index i, Index j, Index columns, const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  if constexpr (NV > 1) {
    if (columns <= (NV - 1) * W) return gather_rest<T, kOnes, NV - 1>(a, i, j, columns, args);
  }
  gather_block<T, NV, false, kOnes>(a, i, j, first_lanes<T>(columns - (NV - 1) * W), args);
}

template <class T, bool kOnes>
void gather_rows(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  constexpr int kVectors = W > 8 ? 4 : 8;  // a strip of 64 columns, or less
  for (Index i = begin; i < end; ++i) {
    Index j = left;
    for (; j + kVectors * W <= right; j += kVectors * W)
      gather_block<T, kVectors, true, kOnes>(a, i, j, first_lanes<T>(W), args);
    if (j < right) gather_rest<T, kOnes, kVectors>(a, i, j, right - j, args);
    const Activation activation = args.epilogue.activation;
    if (activation != Activation::kIdentity && activation != Activation::kRelu) {
      activate_row(args.c.at(i, left), right - left, activation);
    }
  }
}

template <class T>
void gather_level(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args) {
  a.ones ? gather_rows<T, true>(a, begin, end, left, right, args)
         : gather_rows<T, false>(a, begin, end, left, right, args);
}

template <class T>
constexpr SparseKernels<T> kKernels = {
    count_level<T>,
    compress_level<T>,
    gather_level<T>,
};

}  // namespace

extern const BothTypes<SparseKernels> CATALASE_AT_LEVEL(sparse) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
