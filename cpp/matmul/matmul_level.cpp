// C = act(A @ B + bias + add), one thread, one level.
//
// Loops, outermost first (block sizes in blocks.h):
//   parts of K (4,096: the chain is cut here, and the parts are summed)
//     blocks of N                            packed B stays in L2/L3 while the row blocks of A pass over it
//       blocks of K, even                    a block of outputs is continued while it is in cache
//         blocks of M                        a block of A stays in L2
//           panels of N, a few vectors       packed by the first tile that reads it, on the way
//             tiles of M                     the micro-kernel
//
// Copies. B is copied into panels, unless it is small or has too few tiles above it for that to pay; a transposed B is
// packed by transposing squares in registers. A is copied only if its elements are apart both ways, or if many panels
// will read a block whose row distance maps it to few cache sets. Everything else is read in place. Edges: M is split
// evenly, so no tile runs short; a last vector of fewer columns is read and written under a mask. Accumulators have
// type T. Bound: compute (FMA).

#include "common/memory.h"
#include "common/partition.h"
#include "cpu/simd.h"
#include "matmul/activate_row.h"
#include "matmul/blocks.h"
#include "matmul/epilogue.h"
#include "matmul/matmul.h"
#include "matmul/micro_kernels.h"
#include "matmul/pack.h"
#include "matmul/turned.h"

namespace catalase {
namespace {

// A block of A in the form that the micro-kernel reads: unit stride in one direction.
template <class T>
MatrixView<const T> readable_block(MatrixView<const T> a, bool copy, T* buffer) {
  if (!copy) return a;
  const bool by_column = a.row_stride == 1 && a.col_stride != 1;
  const MatrixView<const T> source = by_column ? a.transposed() : a;
  const Index stride = copied_stride<T>(source.cols);
  copy_rows<T>(source, buffer, stride);
  const MatrixView<const T> rows{buffer, source.rows, source.cols, stride, 1};
  return by_column ? rows.transposed() : rows;
}

// Multiplies one panel of B with all row tiles of a block of A.
template <class T>
void panel_times_block(MatrixView<const T> a, MatrixView<const T> b, bool packed, T* panel, const Ahead<T>& ahead,
                       bool from_c, const MatrixView<T>& c, const Epilogue<T>* epilogue, Index row, Index col) {
  constexpr Index W = kWidth<T>;
  const Index vectors = ceil_div(c.cols, W);
  const Index most = max_rows<T>(vectors);
  const Index tiles = ceil_div(a.rows, most);
  const bool by_column = a.col_stride != 1 && a.row_stride == 1;
  MicroArgs<T> args;
  args.a_row = a.row_stride;
  args.a_col = a.col_stride;
  args.k = a.cols;
  args.ldc = c.row_stride;
  args.last = c.cols - (vectors - 1) * W;
  args.from_c = from_c;
  args.epilogue = epilogue;
  args.col = col;
  for (Index t = 0; t < tiles; ++t) {
    const Index i = even_start(a.rows, tiles, t), rows = even_start(a.rows, tiles, t + 1) - i;
    const bool in_place = !packed;
    args.a = a.at(i, 0);
    args.b = in_place ? b.data : panel;
    args.b_row = in_place ? b.row_stride : vectors * W;
    args.panel = in_place ? panel : nullptr;
    const Index ahead_row = even_start(ahead.rows, tiles, t);
    args.ahead = {ahead.data + ahead_row * ahead.stride, ahead.stride, even_start(ahead.rows, tiles, t + 1) - ahead_row,
                  ahead.lines};
    args.c = c.at(i, 0);
    args.row = row + i;
    pick_micro<T>(rows, vectors, by_column, !in_place)(args);
    if (panel != nullptr) packed = true;
  }
}

// The first panel of b, which holds the columns of the next panel, for prefetching. A B of unit row stride is
// transposed while it is packed.
template <class T>
Ahead<T> next_panel(const MatrixView<const T>& b) {
  constexpr Index W = kWidth<T>, kLine = 64 / static_cast<Index>(sizeof(T));
  const Index cols = smaller(b.cols, kPanelVectors<T> * W);
  if (b.col_stride == 1) return {b.data, b.row_stride, cols > 0 ? b.rows : 0, ceil_div(cols, kLine)};
  if (b.row_stride == 1) return {b.data, b.col_stride, cols, ceil_div(b.rows, kLine)};
  return {};
}

// One chain: K <= kChainLength. The epilogue runs in the last K block.
template <class T>
void matmul_chain(const MatmulArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  const Index blocks_k = k > 0 ? ceil_div(k, kBlockK) : 1, largest_k = ceil_div(k, blocks_k);
  const Index blocks_m = ceil_div(m, kBlockM), block_m = ceil_div(m, blocks_m);
  const Index block_n = smaller(round_up(n, W), kBlockN);
  const Index vectors = ceil_div(smaller(n, block_n), W);
  const Index panel_vectors = vectors == kSinglePanel<T> ? kSinglePanel<T> : kPanelVectors<T>;
  const Index panels = ceil_div(vectors, panel_vectors);
  const Index tile_rows = max_rows<T>(smaller(vectors, panel_vectors)), tiles = ceil_div(m, tile_rows);
  const bool b_rows = args.b.col_stride == 1;
  const bool pack_b = !b_rows || (tiles > 2 && k * n * static_cast<Index>(sizeof(T)) > kSmallBytes);
  const bool keep_b = pack_b && blocks_m > 1;  // with one row block a single panel buffer is enough
  const bool copy_a = must_copy(args.a) || (panels >= 4 && should_copy(args.a));
  Scratch<T> a_buffer(copy_a ? static_cast<std::size_t>(copied_size<T>(block_m, largest_k)) : 0);
  const Index panel_size = (keep_b ? block_n : panel_vectors * W) * largest_k;
  Scratch<T> b_buffer(pack_b ? static_cast<std::size_t>(panel_size) : 0);

  const Epilogue<T>* epilogue = args.epilogue.empty() ? nullptr : &args.epilogue;
  for (Index j0 = 0; j0 < n; j0 += block_n) {
    const Index nc = smaller(block_n, n - j0), nc_vectors = ceil_div(nc, W);
    const Index nc_panels = ceil_div(nc_vectors, panel_vectors);
    for (Index kb = 0; kb < blocks_k; ++kb) {
      const Index k0 = even_start(k, blocks_k, kb), kc = even_start(k, blocks_k, kb + 1) - k0;
      for (Index ib = 0; ib < blocks_m; ++ib) {
        const Index i0 = even_start(m, blocks_m, ib), mc = even_start(m, blocks_m, ib + 1) - i0;
        const auto a = readable_block<T>(args.a.block(i0, k0, mc, kc), copy_a, a_buffer.get());
        for (Index q = 0; q < nc_panels; ++q) {
          const Index j = even_start(nc_vectors, nc_panels, q) * W;
          const Index stop = smaller(even_start(nc_vectors, nc_panels, q + 1) * W, nc);
          T* panel = pack_b ? b_buffer.get() + (keep_b ? j * kc : 0) : nullptr;
          const auto b = args.b.block(k0, j0 + j, kc, stop - j);
          bool packed = pack_b && ib > 0;
          if (pack_b && !b_rows && ib == 0) {
            pack_transposed<T>(b, panel, round_up(stop - j, W));
            packed = true;
          }
          const Ahead<T> ahead =
              pack_b && ib == 0 ? next_panel<T>(args.b.block(k0, j0 + stop, kc, nc - stop)) : Ahead<T>();
          panel_times_block<T>(a, b, packed, panel, ahead, kb > 0, args.c.block(i0, j0 + j, mc, stop - j),
                               kb + 1 == blocks_k ? epilogue : nullptr, i0, j0 + j);
        }
      }
    }
  }
}

// One row times a B whose rows have unit stride: whole rows of B, eight at a time, into sums that stay in L1. B is read
// once and in order, at the speed of memory; tiles of columns would jump from page to page.
template <class T>
void matmul_row(const MatmulArgs<T>& args, Index i) {
  constexpr Index W = kWidth<T>, kColumns = 1024, kRows = 8;
  const Index n = args.c.cols, k = args.a.cols;
  for (Index j0 = 0; j0 < n; j0 += kColumns) {
    const Index columns = smaller(kColumns, n - j0), whole = columns / W * W;
    const LaneMask<T> last = first_lanes<T>(columns - whole);
    alignas(64) T sums[kColumns] = {};
    const auto add_rows = [&]<int R>(Index p) {
      Vec<T> x[R];
      const T* rows[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        x[r] = broadcast(*args.a.at(i, p + r));
        rows[r] = args.b.at(p + r, j0);
      }
      for (Index j = 0; j < whole; j += W) {
        Vec<T> sum = load(sums + j);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum = fma(x[r], load(rows[r] + j), sum);
        store(sums + j, sum);
      }
      if (whole < columns) {
        Vec<T> sum = load(sums + whole);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum = fma(x[r], load_lanes(rows[r] + whole, last), sum);
        store(sums + whole, sum);
      }
    };
    Index p = 0;
    for (; p + kRows <= k; p += kRows) add_rows.template operator()<kRows>(p);
    for (; p < k; ++p) add_rows.template operator()<1>(p);
    for (Index j = 0; j < columns; j += W) {
      const LaneMask<T> lanes = first_lanes<T>(smaller(W, columns - j));
      Vec<T> out[1][1] = {{load(sums + j)}};
      if (!args.epilogue.empty()) finish_tile<T>(out, args.epilogue, i, j0 + j, lanes);
      store_lanes(args.c.at(i, j0 + j), out[0][0], lanes);
    }
  }
}

template <class T>
void finish(const MatmulArgs<T>& args, const T* total) {
  const Epilogue<T>& e = args.epilogue;
  for (Index i = 0; i < args.c.rows; ++i) {
    T* row = args.c.at(i, 0);
    for (Index j = 0; j < args.c.cols; ++j) {
      T value = total[i * args.c.cols + j];
      if (e.bias != nullptr) value = value + e.bias[j];
      if (e.add != nullptr) value = value + e.add[(e.add_index == nullptr ? i : e.add_index[i]) * e.add_row + j];
      if (e.activation == Activation::kRelu && value < T(0)) value = T(0);
      if (e.keep != nullptr && !(e.keep[i * e.keep_row + j] > T(0))) value = T(0);
      if (e.relu != nullptr) value = e.relu[i * e.relu_row + j] <= T(0) ? T(0) : value * e.scale;
      row[j] = value;
    }
  }
}

// The general path: every chain goes into scratch memory, the parts are added in order, and the epilogue follows.
template <class T>
void matmul_in_parts(const MatmulArgs<T>& args) {
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  Scratch<T> total(static_cast<std::size_t>(m * n)), part(static_cast<std::size_t>(k > kChainLength ? m * n : 0));
  for (Index k0 = 0; k0 < k; k0 += kChainLength) {
    const Index kc = smaller(kChainLength, k - k0);
    T* target = k0 == 0 ? total.get() : part.get();
    matmul_chain(MatmulArgs<T>{args.a.block(0, k0, m, kc), args.b.block(k0, 0, kc, n), {target, m, n, n, 1}, {}});
    if (k0 == 0) continue;
    for (Index i = 0; i < m * n; ++i) total.get()[i] = total.get()[i] + part.get()[i];
  }
  finish(args, total.get());
}

template <class T>
bool add_overlaps_c(const MatmulArgs<T>& args) {
  const Epilogue<T>& e = args.epilogue;
  const Index m = args.c.rows, n = args.c.cols;
  if (e.add == nullptr || e.add_index != nullptr || m == 0 || n == 0) return false;
  return e.add < args.c.at(m - 1, n) && args.c.data < e.add + (m - 1) * e.add_row + n;
}

template <class T>
void matmul_one_thread(const MatmulArgs<T>& args) {
  const Index k = args.a.cols;
  const bool rewrites_add = k > kBlockK && add_overlaps_c(args);  // later blocks of K would read sums in place of `add`
  if (k > kChainLength || rewrites_add) {
    matmul_in_parts(args);
  } else if (turn_pays(args)) {
    matmul_turned(args);
  } else if (args.c.rows <= 2 && args.b.col_stride == 1) {
    for (Index i = 0; i < args.c.rows; ++i) matmul_row(args, i);
  } else {
    matmul_chain(args);
  }
  const Activation activation = args.epilogue.activation;
  if (activation == Activation::kIdentity || activation == Activation::kRelu) return;
  for (Index i = 0; i < args.c.rows; ++i) activate_row(args.c.at(i, 0), args.c.cols, activation);
}

// The sums of NV vectors of columns from j on, in registers: a chain is as slow as an addition, so more chains are
// better.
template <class T, int NV>
void column_sums(const MatrixView<const T>& x, Index j, LaneMask<T> last, T* out) {
  constexpr Index W = kWidth<T>;
  Vec<T> total[NV];
  Index i = 0;
  do {
    const Index stop = smaller(i + kChainLength, x.rows);
    const bool first = i == 0;
    Vec<T> chain[NV] = {};
    for (const T* row = x.at(i, j); i < stop; ++i, row += x.row_stride) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v)
        chain[v] = chain[v] + (v == NV - 1 ? load_lanes(row + v * W, last) : load(row + v * W));
    }
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) total[v] = first ? chain[v] : total[v] + chain[v];
  } while (i < x.rows);
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) store_lanes(out + j + v * W, total[v], v == NV - 1 ? last : first_lanes<T>(W));
}

template <class T>
void column_sum_one_thread(MatrixView<const T> x, T* out) {
  constexpr Index W = kWidth<T>;
  for (Index j = 0; j < x.cols;) {
    const Index left = x.cols - j, vectors = ceil_div(left, W);
    const auto sums = [&]<int NV>() {
      column_sums<T, NV>(x, j, first_lanes<T>(smaller(left - (NV - 1) * W, W)), out);
      j += NV * W;
    };
    if (vectors >= 8) {
      sums.template operator()<8>();
    } else if (vectors >= 4) {
      sums.template operator()<4>();
    } else if (vectors >= 2) {
      sums.template operator()<2>();
    } else {
      sums.template operator()<1>();
    }
  }
}

template <class T>
constexpr MatmulKernels<T> kKernels = {
    matmul_one_thread<T>,
    column_sum_one_thread<T>,
    kWidth<T>,
    max_rows<float>(kPanelVectors<float>),
};

}  // namespace

extern const BothTypes<MatmulKernels> CATALASE_AT_LEVEL(matmul) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
