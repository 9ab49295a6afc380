// C = act(A @ B + bias), one thread, one level. Included by matmul_<level>.cpp after simd_<level>.h and a Tiles struct.
//
// Loops, outermost first:
//   parts of K (4,096: the chain is cut here; from the second part on a scratch block is summed into C)
//     blocks of K (<= kBlockK, even)         A block and B panel: a panel of 384 x 16 floats is 24 KiB, in L1
//       blocks of N (<= kBlockN)             packed B stays in L2/L3 while the row blocks of A pass over it
//         blocks of M (<= kBlockM)           packed A: 144 x 384 floats = 216 KiB, in L2
//           panels of N (2 vectors)          packed when the first row block reaches them, while hot
//             tiles of M (<= kTileRows)      the micro-kernel
//
// Edges: M is split evenly into tiles of kTileRows and one less, so no tile runs short. A last panel that is not full
// is padded with zeros and its tile goes through a small buffer. Accumulators are of type T; bound: compute (FMA).
#pragma once

#include "common/memory.h"
#include "matmul/activate_row.h"
#include "matmul/matmul.h"
#include "matmul/micro.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

constexpr Index kBlockK = 384;
constexpr Index kBlockM = 144;
constexpr Index kBlockN = 2048;

constexpr Index round_up(Index a, Index b) {
  return (a + b - 1) / b * b;
}
constexpr Index smaller(Index a, Index b) {
  return a < b ? a : b;
}

template <class T>
using MicroFunction = void (*)(const MicroArgs<T>&);

template <class T>
MicroFunction<T> micro_for(Index rows) {
  static constexpr MicroFunction<T> table[13] = {
      nullptr,
      micro_kernel<T, 1>,
      micro_kernel<T, 2>,
      micro_kernel<T, 3>,
      micro_kernel<T, 4>,
      micro_kernel<T, 5>,
      micro_kernel<T, 6>,
#if CATALASE_VECTOR_BYTES == 64
      micro_kernel<T, 7>,
      micro_kernel<T, 8>,
      micro_kernel<T, 9>,
      micro_kernel<T, 10>,
      micro_kernel<T, 11>,
      micro_kernel<T, 12>,
#endif
  };
  return table[rows];
}

// Rows [start, stop) of tile t when `rows` are split evenly into `tiles`.
inline Index tile_start(Index rows, Index tiles, Index t) {
  return rows / tiles * t + smaller(t, rows % tiles);
}

// One panel of B against all row tiles of packed A.
template <class T>
void panel_times_block(const T* packed_a, Index rows, Index tiles, const T* panel, Index k, MatrixView<T> c,
                       bool from_c, const T* bias, bool relu) {
  constexpr Index width = 2 * kWidth<T>;
  const bool full = c.cols == width;
  T padded_bias[width] = {};
  if (bias != nullptr && !full) {
    for (Index j = 0; j < c.cols; ++j) padded_bias[j] = bias[j];
    bias = padded_bias;
  }
  for (Index t = 0; t < tiles; ++t) {
    const Index i = tile_start(rows, tiles, t), r = tile_start(rows, tiles, t + 1) - i;
    MicroArgs<T> args{packed_a + i * k, panel, k, c.at(i, 0), c.row_stride, from_c, bias, relu};
    if (full) {
      micro_for<T>(r)(args);
      continue;
    }
    T edge[kTileRows * width];
    if (from_c) {
      for (Index q = 0; q < r; ++q) {
        for (Index j = 0; j < width; ++j) edge[q * width + j] = j < c.cols ? *c.at(i + q, j) : T(0);
      }
    }
    args.c = edge;
    args.ldc = width;
    micro_for<T>(r)(args);
    for (Index q = 0; q < r; ++q) {
      for (Index j = 0; j < c.cols; ++j) *c.at(i + q, j) = edge[q * width + j];
    }
  }
}

// One chain: K <= kChainLength. The epilogue runs in the last K block.
template <class T>
void matmul_chain(const MatmulArgs<T>& args) {
  constexpr Index width = 2 * kWidth<T>;
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  const bool relu = args.activation == Activation::kRelu;
  const Index blocks_k = k > 0 ? (k + kBlockK - 1) / kBlockK : 1;
  const Index largest_k = (k + blocks_k - 1) / blocks_k;
  const Index blocks_m = (m + kBlockM - 1) / kBlockM;
  const Index block_m = round_up((m + blocks_m - 1) / blocks_m, kTileRows);
  const Index block_n = smaller(round_up(n, width), kBlockN);
  const bool keep_b = m > block_m;  // with one row block a single panel buffer is enough
  Scratch<T> packed_a(static_cast<std::size_t>(block_m * largest_k));
  Scratch<T> packed_b(static_cast<std::size_t>((keep_b ? block_n : width) * largest_k));

  for (Index kb = 0; kb < blocks_k; ++kb) {
    const Index k0 = tile_start(k, blocks_k, kb), kc = tile_start(k, blocks_k, kb + 1) - k0;
    const bool last = kb + 1 == blocks_k;
    for (Index j0 = 0; j0 < n; j0 += block_n) {
      const Index nc = smaller(block_n, n - j0);
      for (Index i0 = 0; i0 < m; i0 += block_m) {
        const Index mc = smaller(block_m, m - i0);
        const Index tiles = (mc + kTileRows - 1) / kTileRows;
        if (j0 == 0 || keep_b) {
          for (Index t = 0; t < tiles; ++t) {
            const Index i = tile_start(mc, tiles, t), r = tile_start(mc, tiles, t + 1) - i;
            pack_rows<T>(args.a.block(i0 + i, k0, r, kc), packed_a.get() + i * kc);
          }
        }
        for (Index j = 0; j < nc; j += width) {
          T* panel = packed_b.get() + (keep_b ? j * kc : 0);
          const Index cols = smaller(width, nc - j);
          if (i0 == 0) pack_cols<T, width>(args.b.block(k0, j0 + j, kc, cols), panel);
          const T* bias = last && args.bias != nullptr ? args.bias + j0 + j : nullptr;
          panel_times_block<T>(packed_a.get(), mc, tiles, panel, kc, args.c.block(i0, j0 + j, mc, cols), kb > 0, bias,
                               last && relu);
        }
      }
    }
  }
}

// C += part, then the epilogue where this part is the last.
template <class T>
void add_part(const MatmulArgs<T>& args, const T* part, bool last) {
  const bool relu = args.activation == Activation::kRelu;
  for (Index i = 0; i < args.c.rows; ++i) {
    T* row = args.c.at(i, 0);
    const T* source = part + i * args.c.cols;
    for (Index j = 0; j < args.c.cols; ++j) {
      T value = row[j] + source[j];
      if (last && args.bias != nullptr) value = value + args.bias[j];
      if (last && relu && value < T(0)) value = T(0);
      row[j] = value;
    }
  }
}

template <class T>
void matmul_one_thread(const MatmulArgs<T>& args) {
  const Index k = args.a.cols;
  if (k <= kChainLength) {
    matmul_chain(args);
  } else {
    Scratch<T> part(static_cast<std::size_t>(args.c.rows * args.c.cols));
    for (Index k0 = 0; k0 < k; k0 += kChainLength) {
      const Index kc = smaller(kChainLength, k - k0);
      MatmulArgs<T> chain = args;
      chain.a = args.a.block(0, k0, args.a.rows, kc);
      chain.b = args.b.block(k0, 0, kc, args.b.cols);
      chain.bias = nullptr;
      chain.activation = Activation::kIdentity;
      if (k0 > 0) chain.c = {part.get(), args.c.rows, args.c.cols, args.c.cols, 1};
      matmul_chain(chain);
      if (k0 > 0) add_part(args, part.get(), k0 + kc == k);
    }
  }
  if (args.activation == Activation::kIdentity || args.activation == Activation::kRelu) return;
  for (Index i = 0; i < args.c.rows; ++i) activate_row(args.c.at(i, 0), args.c.cols, args.activation);
}

template <class T>
void column_sum_one_thread(MatrixView<const T> x, T* out) {
  constexpr Index block = 256;
  for (Index j0 = 0; j0 < x.cols; j0 += block) {
    const Index n = smaller(block, x.cols - j0);
    T total[block] = {};
    for (Index i0 = 0; i0 < x.rows; i0 += kChainLength) {
      const Index stop = smaller(i0 + kChainLength, x.rows);
      T chain[block] = {};
      for (Index i = i0; i < stop; ++i) {
        const T* row = x.at(i, j0);
        for (Index j = 0; j < n; ++j) chain[j] = chain[j] + row[j];
      }
      for (Index j = 0; j < n; ++j) total[j] = i0 == 0 ? chain[j] : total[j] + chain[j];
    }
    for (Index j = 0; j < n; ++j) out[j0 + j] = total[j];
  }
}

}  // namespace
}  // namespace catalase
