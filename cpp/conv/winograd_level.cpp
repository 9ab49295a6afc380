// Winograd convolution, one thread, one level.
//
// Forward, outermost first (divided by winograd.cpp):
//   blocks of tiles              V and M of a block, 36 x tiles x channels each, stay in L2
//     runs of tiles, channels    x -> V[plane][tile][c]: columns of x are transformed once for all tiles that see them
//     planes                     M[plane] = V[plane] @ U[plane] by the micro-kernel of matmul, A in place
//     tiles, channels            M -> y, with bias and ReLU
// U[plane][panel][c][o] is made once a call. The gradient of the input is the same with other filters.
//
// Gradient of the filters:
//   blocks of tiles
//     tiles                      x -> V[plane][tile][c], dy -> G[plane][panel][tile][o]
//     planes                     S[plane] += V[plane]^T @ G[plane]
//   S[plane][c][o] -> dw
//
// Lanes are channels everywhere; the last vector of a row of x, y or w is read and written under a mask, and rows of V,
// M and S are padded to whole vectors. Pixels outside x are read from one row of zeros. Planes lie an odd number of
// cache lines apart, and so do the rows of V if its channels would share a few cache sets. Accumulators are float.
// Bound: compute in the products, L2 and memory bandwidth in the transforms.

#include "common/memory.h"
#include "common/partition.h"
#include "conv/winograd.h"
#include "conv/winograd_filters.h"
#include "conv/winograd_layout.h"
#include "conv/winograd_tiles.h"
#include "conv/winograd_transforms.h"
#include "cpu/simd.h"
#include "matmul/blocks.h"
#include "matmul/matmul.h"
#include "matmul/micro_kernels.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

// C (+)= A @ B for one plane. A (rows, k) is read in place, by rows or (kByColumn) by columns a_stride apart. B is in
// panels of `panels.rows` rows each, the first k of them filled. `add` needs a single block of k (winograd.cpp keeps
// blocks of tiles that short).
template <bool kByColumn>
void multiply_plane(const float* a, Index a_stride, Index rows, Index k, const float* b, const Panels& panels, bool add,
                    float* c, Index ldc) {
  MicroArgs<float> args = {};
  Epilogue<float> old;
  old.add = c, old.add_row = ldc;
  if (add) args.epilogue = &old;
  args.a_row = kByColumn ? 1 : a_stride;
  args.a_col = kByColumn ? a_stride : 1;
  args.ldc = ldc;
  args.last = W;
  for (Index k0 = 0; k0 < k; k0 += kBlockK) {
    args.k = smaller(kBlockK, k - k0);
    args.from_c = k0 > 0;
    for (Index q = 0; q < panels.count(); ++q) {
      const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
      const Index tiles = (rows + max_rows<float>(vectors) - 1) / max_rows<float>(vectors);
      args.b = b + start * W * panels.rows + k0 * vectors * W;
      args.b_row = vectors * W;
      for (Index t = 0; t < tiles; ++t) {
        const Index i = even_start(rows, tiles, t), stop = even_start(rows, tiles, t + 1);
        args.a = a + i * args.a_row + k0 * args.a_col;
        args.c = c + i * ldc + start * W;
        if (!kByColumn) {  // prefetches a part of the next panel of B, or of the next plane's first
          const Index share = even_start(args.k, tiles, t);
          args.ahead = {args.b + (args.k + share) * args.b_row, args.b_row, even_start(args.k, tiles, t + 1) - share,
                        vectors * W / 16};
        }
        args.row = i, args.col = start * W;
        pick_micro<float>(stop - i, vectors, kByColumn, true)(args);
      }
    }
  }
}

Index winograd_filters_size(const WinogradPlan& p) {
  return kPlanes * filter_panels(p).plane();
}
Index winograd_inputs_size(const WinogradPlan& p) {
  return kPlanes * plane_stride(p.block, row_stride(p.in_channels));
}
Index winograd_gradients_size(const WinogradPlan& p) {
  return kPlanes * gradient_panels(p).plane();
}
Index winograd_sums_size(const WinogradPlan& p) {
  return kPlanes * plane_stride(p.in_channels, row_stride(p.out_channels));
}

void winograd_transform_filters(const WinogradPlan& p, const float* w, bool flipped, Index begin, Index end, float* u) {
  const bool three = p.kernel == 3;
  if (flipped) {
    (three ? transform_flipped_filters_of<3> : transform_flipped_filters_of<5>)(p, w, begin, end, u);
  } else {
    (three ? transform_filters_of<3> : transform_filters_of<5>)(p, w, begin, end, u);
  }
}

void winograd_forward_block(const WinogradPlan& p, const float* x, const float* u, const float* bias,
                            Activation activation, Index first, Index count, float* y) {
  const Index v_row = row_stride(p.in_channels), v_plane = plane_stride(p.block, v_row);
  const Index m_row = row_stride(p.out_channels), m_plane = plane_stride(p.block, m_row);
  const Panels panels = filter_panels(p);
  const Scratch<float> scratch(static_cast<std::size_t>(kPlanes * (v_plane + m_plane)));
  float *v = scratch.get(), *m = v + kPlanes * v_plane;
  (p.step == 4 ? transform_input<4> : transform_input<2>)(p, x, first, count, v, v_row, v_plane);
  for (int i = 0; i < kPlanes; ++i) {
    multiply_plane<false>(v + i * v_plane, v_row, count, p.in_channels, u + i * panels.plane(), panels, false,
                          m + i * m_plane, m_row);
  }
  const auto output = p.step == 4 ? transform_output<4> : transform_output<2>;
  for (Index t = 0; t < count; ++t) {
    output(p, m + t * m_row, m_plane, bias, activation, place_of(p, first + t), y);
  }
}

void winograd_transform_block(const WinogradPlan& p, const float* x, const float* dy, Index first, Index count,
                              float* v, float* g) {
  const Index v_row = row_stride(p.in_channels), v_plane = plane_stride(p.block, v_row);
  (p.step == 4 ? transform_input<4> : transform_input<2>)(p, x, first, count, v, v_row, v_plane);
  const auto gradient = p.step == 4 ? transform_gradient<4> : transform_gradient<2>;
  for (Index t = 0; t < count; ++t) gradient(p, dy, place_of(p, first + t), t, g);
}

void winograd_add_products(const WinogradPlan& p, Index plane, Index count, const float* v, const float* g, bool add,
                           float* s) {
  const Index v_row = row_stride(p.in_channels), s_row = row_stride(p.out_channels);
  const Panels panels = gradient_panels(p);
  multiply_plane<true>(v + plane * plane_stride(p.block, v_row), v_row, p.in_channels, count,
                       g + plane * panels.plane(), panels, add, s + plane * plane_stride(p.in_channels, s_row), s_row);
}

void winograd_finish_filters(const WinogradPlan& p, const float* s, float* dw) {
  (p.kernel == 3 ? finish_filters_of<3> : finish_filters_of<5>)(p, s, dw);
}

}  // namespace

extern const WinogradKernels CATALASE_AT_LEVEL(winograd) = {
    winograd_filters_size,
    winograd_transform_filters,
    winograd_forward_block,
    winograd_inputs_size,
    winograd_gradients_size,
    winograd_sums_size,
    winograd_transform_block,
    winograd_add_products,
    winograd_finish_filters,
    kWidth<float>,
    kLeastBlock,
};

}  // namespace catalase
