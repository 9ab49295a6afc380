// All time steps of some sequences, one thread, one level.
//
// Forward, loops outermost first:      steps; groups of units; tiles of rows: the tile's sums by matmul's micro-kernel
//                                      into L1, then its gates.
// Back:                                steps; rows: gates; then panels of units, blocks of K, tiles of rows:
//                                      dh = dz @ w_h^T.
// A panel of a group holds all gates of its units (AVX-512: one vector a gate, RNN: up to four; other levels: a panel
// of two vectors for each gate). One or two rows would leave most of a tile's accumulators idle, so they process
// several panels at once, as fast as L2 delivers the weights.

#include "common/memory.h"
#include "common/partition.h"
#include "cpu/simd.h"
#include "elementwise/vecmath.h"
#include "matmul/blocks.h"
#include "matmul/matmul.h"
#include "matmul/micro_kernels.h"
#include "matmul/pack.h"
#include "rnn/few_rows.h"
#include "rnn/gru.h"
#include "rnn/lstm.h"
#include "rnn/rnn.h"
#include "rnn/simple.h"

namespace catalase {
namespace {

template <class T>
constexpr Index kPanelMost = kPanelVectors<T> > 2 ? 4 : 2;  // the most that the micro-kernel has
constexpr Index kBackBlock = 256;                           // of K in the backward pass: 64 KiB of a panel

// The vectors of each of the even panels that `vectors` vectors are cut into.
template <class T>
constexpr Index even_panel(Index vectors) {
  return vectors == 0 ? 1 : ceil_div(vectors, ceil_div(vectors, kPanelMost<T>));
}

struct Groups {
  Index per_gate;  // vectors of a gate in a group
  Index vectors;   // of a panel
  Index count;

  Index group_vectors(Index gates) const { return gates * per_gate; }
};

template <class T>
Groups groups_of(Index gates, Index hidden) {
  const Index vectors = ceil_div(hidden, kWidth<T>);
  const bool all_gates = kPanelMost<T> == 4 && gates > 1;
  const Index per_gate = all_gates ? 1 : even_panel<T>(vectors);
  return {per_gate, all_gates ? gates : per_gate, ceil_div(vectors, per_gate)};
}

template <class T>
Index forward_size_level(Cell cell, Index hidden) {
  const Groups groups = groups_of<T>(gates_of(cell), hidden);
  return groups.count * groups.group_vectors(gates_of(cell)) * kWidth<T> * hidden;
}

// Packs one panel after the other; missing columns are zero.
template <class T>
void pack_forward_level(Cell cell, MatrixView<const T> w, T* panels) {
  constexpr Index W = kWidth<T>;
  const Index gates = gates_of(cell), hidden = w.rows;
  const Groups groups = groups_of<T>(gates, hidden);
  for (Index group = 0; group < groups.count; ++group) {
    for (Index first = 0; first < groups.group_vectors(gates); first += groups.vectors) {
      for (Index v = 0; v < groups.vectors; ++v) {
        const Index gate = (first + v) / groups.per_gate,
                    unit = (group * groups.per_gate + (first + v) % groups.per_gate) * W;
        const Index lanes = hidden - unit < 0 ? 0 : smaller(W, hidden - unit);
        const LaneMask<T> mask = first_lanes<T>(lanes);
        const T* from = w.data + (lanes > 0 ? gate * hidden + unit : 0);
        for (Index k = 0; k < hidden; ++k) {
          store(panels + (k * groups.vectors + v) * W, load_lanes(from + k * w.row_stride, mask));
        }
      }
      panels += hidden * groups.vectors * W;
    }
  }
}

template <class T>
Index backward_width_level(Index hidden) {
  const Index vectors = ceil_div(hidden, kWidth<T>), panel = even_panel<T>(vectors);
  return round_up(vectors, panel) * kWidth<T>;
}

// Packs panels of w_h^T, with rows in the order of the columns of dz that belong to the state.
template <class T>
void pack_backward_level(Cell cell, MatrixView<const T> w, T* panels) {
  const Index hidden = w.rows, width = even_panel<T>(ceil_div(hidden, kWidth<T>)) * kWidth<T>;
  const MatrixView<const T> wt = w.transposed();
  const Index first = cell == Cell::kGru ? 2 * hidden : 0;  // [n r z]
  for (Index unit = 0; unit < hidden; unit += width) {
    const Index columns = smaller(width, hidden - unit);
    pack_transposed<T>(wt.block(first, unit, w.cols - first, columns), panels, width);
    if (first > 0) pack_transposed<T>(wt.block(0, unit, first, columns), panels + (w.cols - first) * width, width);
    panels += w.cols * width;
  }
}

// A tile of rows times one panel, by matmul's micro-kernel.
template <class T>
inline void tile_product(Index rows, Index vectors, const T* a, Index a_row, Index k, const T* panel, T* c, Index ldc,
                         bool from_c) {
  MicroArgs<T> args;
  args.a = a, args.a_row = a_row, args.a_col = 1, args.b = panel, args.b_row = vectors * kWidth<T>;
  args.panel = nullptr, args.k = k, args.c = c, args.ldc = ldc, args.last = kWidth<T>, args.from_c = from_c;
  pick_micro<T>(rows, vectors, false, true)(args);
}

// Calls f(at) for the vectors of units [unit, stop) of row r at time step t; unit is a multiple of kWidth.
template <class T, class F>
inline void each_vector(const RnnSteps<T>& s, Index t, Index r, Index unit, Index stop, F&& f) {
  constexpr Index W = kWidth<T>;
  const Index row = s.offset[t] + r, after = s.offset[t + 1] + r, out = s.output_row(r, t);
  for (; unit + W <= stop; unit += W) f(Units<T, true>{row, after, out, unit, {}});
  if (unit < stop) f(Units<T, false>{row, after, out, unit, first_lanes<T>(stop - unit)});
}

// Prefetches the memory that the gates of a tile will read and write, while its sums are computed: these lines are far
// apart, so the hardware prefetcher does not find them.
template <class T>
inline void prefetch_tile(const RnnSteps<T>& s, Index t, Index first, Index last, Index gates, Index unit, Index stop) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  const Index H = s.hidden;
  for (Index r = first; r < last; ++r) {
    const Index row = s.offset[t] + r - s.gates_start, after = (s.offset[t + 1] + r) * H, out = s.output_row(r, t) * H;
    for (Index u = unit; u < stop; u += line) {
      for (Index gate = 0; gate < gates; ++gate) __builtin_prefetch(s.gates + (row * gates + gate) * H + u, 1);
      __builtin_prefetch(s.states + after + u, 1);
      if (s.cells != nullptr) __builtin_prefetch(s.cells + after + u, 1);
      __builtin_prefetch(s.y + out + u, 1);
    }
  }
}

template <class T, class C>
void forward_cell(const RnnSteps<T>& s, Index begin, Index end) {
  constexpr Index W = kWidth<T>;
  const Groups groups = groups_of<T>(C::kGates, s.hidden);
  const Index vectors = groups.group_vectors(C::kGates), panels = vectors / groups.vectors;
  const Index most = max_rows<T>(groups.vectors), panel_size = s.hidden * groups.vectors * W;
  Scratch<T> buffer(static_cast<std::size_t>((groups.count * kFewRows + most) * vectors * W));
  T* sums = buffer.get();
  for (Index t = s.first; t < s.stop && s.active[t] > begin; ++t) {
    const Index rows = smaller(end, s.active[t]) - begin;
    const T* before = s.states + (s.offset[t] + begin) * s.hidden;
    const bool few = rows <= kFewRows;
    const Index ldc = few ? groups.count * vectors * W : vectors * W;
    if (few) {
      few_rows_product<T>(rows, groups.vectors, before, s.hidden, s.hidden, s.panels, groups.count * panels, sums, ldc,
                          false);
    }
    const Index tiles = few ? 1 : ceil_div(rows, most);
    for (Index group = 0; group < groups.count; ++group) {
      const Index unit = group * groups.per_gate * W, stop = smaller(unit + groups.per_gate * W, s.hidden);
      for (Index tile = 0; tile < tiles; ++tile) {
        const Index first = rows * tile / tiles, last = rows * (tile + 1) / tiles;
        if (!few) {
          prefetch_tile(s, t, begin + first, begin + last, C::kGates, unit, stop);
          for (Index q = 0; q < panels; ++q) {
            tile_product<T>(last - first, groups.vectors, before + first * s.hidden, s.hidden, s.hidden,
                            s.panels + (group * panels + q) * panel_size, sums + q * groups.vectors * W, ldc, false);
          }
        }
        for (Index r = first; r < last; ++r) {
          const T* of_row = sums + (few ? r * ldc + group * vectors * W : (r - first) * ldc);
          each_vector(s, t, begin + r, unit, stop,
                      [&](const auto& at) { C::forward(s, at, of_row + (at.unit - unit), groups.per_gate * W); });
        }
      }
    }
  }
}

template <class T, class C>
void backward_cell(const RnnSteps<T>& s, Index begin, Index end) {
  constexpr Index W = kWidth<T>;
  const Index H = s.hidden, k = C::kGates * H, dz_row = gradients_of(s.cell) * H;
  const Index vectors = even_panel<T>(ceil_div(H, W)), panels = s.dh_stride / (vectors * W),
              most = max_rows<T>(vectors);
  for (Index t = s.stop - 1; t >= s.first; --t) {
    const Index rows = smaller(end, s.active[t]) - begin;
    if (rows <= 0) continue;
    T* dh = s.dh + begin * s.dh_stride;
    for (Index r = 0; r < rows; ++r) {
      each_vector(s, t, begin + r, 0, H, [&](const auto& at) {
        T* carried = dh + r * s.dh_stride + at.unit;
        Vec<T> d = load(carried);
        if (s.dy != nullptr) d = d + at.read(s.dy + at.out * H + at.unit);
        d = C::backward(s, at, begin + r, d);
        if (C::kCarries) store(carried, d);
      });
    }
    const T* dz = s.dz + (s.offset[t] + begin - s.dz_start) * dz_row;
    if (rows <= kFewRows) {
      few_rows_product<T>(rows, vectors, dz, dz_row, k, s.panels, panels, dh, s.dh_stride, C::kCarries);
      continue;
    }
    const Index tiles = ceil_div(rows, most), blocks = ceil_div(k, kBackBlock);
    for (Index q = 0; q < panels; ++q) {
      for (Index block = 0; block < blocks; ++block) {
        const Index k0 = k * block / blocks, kc = k * (block + 1) / blocks - k0;
        for (Index tile = 0; tile < tiles; ++tile) {
          const Index first = rows * tile / tiles, last = rows * (tile + 1) / tiles;
          tile_product<T>(last - first, vectors, dz + first * dz_row + k0, dz_row, kc,
                          s.panels + (q * k + k0) * vectors * W, dh + first * s.dh_stride + q * vectors * W,
                          s.dh_stride, C::kCarries || block > 0);
        }
      }
    }
  }
}

template <class T>
void forward_level(const RnnSteps<T>& s, Index begin, Index end) {
  switch (s.cell) {
    case Cell::kLstm:
      return forward_cell<T, Lstm>(s, begin, end);
    case Cell::kGru:
      return forward_cell<T, Gru>(s, begin, end);
    case Cell::kRelu:
      return forward_cell<T, Simple<true>>(s, begin, end);
    default:
      return forward_cell<T, Simple<false>>(s, begin, end);
  }
}

template <class T>
void backward_level(const RnnSteps<T>& s, Index begin, Index end) {
  switch (s.cell) {
    case Cell::kLstm:
      return backward_cell<T, Lstm>(s, begin, end);
    case Cell::kGru:
      return backward_cell<T, Gru>(s, begin, end);
    case Cell::kRelu:
      return backward_cell<T, Simple<true>>(s, begin, end);
    default:
      return backward_cell<T, Simple<false>>(s, begin, end);
  }
}

template <class T>
constexpr RnnKernels<T> kKernels = {
    forward_size_level<T>,  pack_forward_level<T>, backward_width_level<T>,
    pack_backward_level<T>, forward_level<T>,      backward_level<T>,
};

}  // namespace

extern const BothTypes<RnnKernels> CATALASE_AT_LEVEL(rnn) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
