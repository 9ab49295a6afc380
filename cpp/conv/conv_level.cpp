// The products of convolution, one thread, one level.
//
// Loops, outermost first:  panels of columns (1 to kPanelVectors vectors; a block of kBlockTerms terms of a panel stays
// in L1), then tiles of rows (the micro-kernel). Rows and columns are split evenly, so no tile runs short. The caller
// cuts chains into blocks of terms, and images into blocks of rows that stay in L2. Bound: compute (FMA).

#include "common/partition.h"
#include "conv/conv.h"
#include "conv/depthwise.h"
#include "conv/few.h"
#include "conv/micro.h"
#include "conv/windows.h"
#include "cpu/simd.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

template <class T>
void product_one_thread(const SegmentProduct<T>& p) {
  constexpr Index W = kWidth<T>;
  const Index vectors = ceil_div(p.cols, W), panels = ceil_div(vectors, kPanelVectors);
  for (Index q = p.panel_begin; q < p.panel_end; ++q) {
    const Index v = even_start(vectors, panels, q), nv = even_start(vectors, panels, q + 1) - v;
    const Index col = v * W, stop = smaller(col + nv * W, p.cols);
    const Index tiles = (p.row_count + kMaxRows[nv] - 1) / kMaxRows[nv];
    TileArgs<T> args{&p, 0, col, stop - col - (nv - 1) * W, p.b + p.panel_terms * col + p.term * nv * W};
    for (Index t = 0; t < tiles; ++t) {
      args.row = even_start(p.row_count, tiles, t);
      const Index rows = even_start(p.row_count, tiles, t + 1) - args.row;
      pick_tile<T>(p.single ? Terms::kSingle : p.step == 1 ? Terms::kUnit : Terms::kStep, rows, nv)(args);
    }
  }
}

template <class T>
void pack_columns(MatrixView<const T> source, Index panel_terms, Index term, T* packed) {
  constexpr Index W = kWidth<T>;
  const Index vectors = ceil_div(source.cols, W), panels = ceil_div(vectors, kPanelVectors);
  for (Index q = 0; q < panels; ++q) {
    const Index v = even_start(vectors, panels, q), nv = even_start(vectors, panels, q + 1) - v;
    T* target = packed + panel_terms * v * W + term * nv * W;
    if (source.col_stride != 1) {
      const Index left = source.cols - v * W, cols = smaller(left, nv * W);
      pack_transposed<T, 3 * W>(source.block(0, v * W, source.rows, cols), target, nv * W);
      continue;
    }
    for (Index i = 0; i < source.rows; ++i) {
      for (Index u = v; u < v + nv; ++u, target += W) {
        const T* at = source.at(i, u * W);
        const Index left = smaller(source.cols - u * W, W);
        store(target, left == W ? load(at) : load_lanes(at, first_lanes<T>(left)));
      }
    }
  }
}

template <class T>
constexpr ConvKernels<T> kKernels = {
    product_one_thread<T>,
    pack_columns<T>,
    depthwise_one_thread<T>,
    depthwise_weights_one_thread<T>,
    windows_one_thread<T>,
    add_taps_one_thread<T>,
    interleave_one_thread<T>,
    kWidth<T>,
    kPanelVectors,
    kBlockTerms,
};

}  // namespace

extern const BothTypes<ConvKernels> CATALASE_AT_LEVEL(conv) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
