// Convolution by Winograd's minimal filtering: F(4x4, 3x3) and F(2x2, 5x5), float32, stride 1, two dimensions.
//
//   y tile = A^T [ sum over c of (G w G^T) * (B^T x_tile B) ] A      (* is element by element)
//
// Lavin and Gray, arXiv:1509.09308. A tile of x is 6 x 6; it gives a tile of 4 x 4 outputs for a 3 x 3 kernel, 2 x 2
// for 5 x 5. Both interpolate at 0, 1, -1, 2, -2 and infinity, so they share B. The 36 elements of a tile are planes:
// in each plane the sum over c is a product of matrices, tiles x C by C x O, with 4 times (5 x 5: 2.78 times) fewer
// multiplications than the direct sum.
//
// x (N, H, W, C), w (KH, KW, C, O), y (N, OH, OW, O), contiguous, as in conv/shape.h. `before` may be any number.
//
// Bits: a function of x's and w's values at that output's tile only. So they are equal for any number of threads, for
// an image alone and in any batch, and for AVX2 and AVX-512; they differ from those of the direct sum. Error: the
// rounding error of the direct sum, amplified by the transforms; conv/winograd.md has figures.
#pragma once

#include "conv/shape.h"
#include "cpu/kernels.h"
#include "elementwise/activations.h"

namespace catalase {

// One problem, forward or backward: a convolution of (in_h, in_w, in_channels) to (out_h, out_w, out_channels). For a
// gradient of filters it may be a part: some channels of both sides, of pixels that have in_pixel and out_pixel
// channels.
struct WinogradPlan {
  Index batch, in_h, in_w, in_channels, out_h, out_w, out_channels;
  Index in_pixel, out_pixel;
  Index before_h, before_w;  // zeros ahead of the input; if negative, rows to skip
  Index kernel;              // 3 or 5
  Index step;                // outputs of a tile in a dimension: 7 - kernel
  Index tiles_h, tiles_w;
  Index block;  // tiles of a block

  Index tiles() const { return batch * tiles_h * tiles_w; }
};

// One thread's work, at one level. Sizes are in floats.
struct WinogradKernels {
  // U, the transformed filters in panels, for the input channels [begin, end). `flipped` reads w in the form that the
  // gradient of the input needs: w (KH, KW, out_channels, in_channels), reversed; begin and end are then multiples of
  // `width`.
  Index (*filters_size)(const WinogradPlan&);
  void (*transform_filters)(const WinogradPlan&, const float* w, bool flipped, Index begin, Index end, float* u);
  // The outputs of the tiles [first, first + count), count <= block.
  void (*forward)(const WinogradPlan&, const float* x, const float* u, const float* bias, Activation activation,
                  Index first, Index count, float* y);
  // The gradient of the filters, in three steps. For each block of tiles, both sides of its `count` tiles from `first`
  // on are transformed to v and g; then the product of each plane is added to the sums s, or starts them. At the end
  // the sums are transformed to dw. x, dy and dw begin at the part's first channels.
  Index (*inputs_size)(const WinogradPlan&);
  Index (*gradients_size)(const WinogradPlan&);
  Index (*sums_size)(const WinogradPlan&);
  void (*transform_block)(const WinogradPlan&, const float* x, const float* dy, Index first, Index count, float* v,
                          float* g);
  void (*add_products)(const WinogradPlan&, Index plane, Index count, const float* v, const float* g, bool add,
                       float* s);
  void (*finish_filters)(const WinogradPlan&, const float* s, float* dw);
  Index width;        // lanes of a vector
  Index least_block;  // tiles: fewer would read the filters too often, more would not fit into L2
};
CATALASE_KERNELS(WinogradKernels, winograd)

// Whether the shape can be computed by Winograd's algorithm at all, and whether that is faster than the direct sum.
bool winograd_possible(const ConvShape& shape);
bool winograd_applies(const ConvShape& shape);

// All threads. The shape is the forward one in all three; activation is kIdentity or kRelu; bias may be null.
void winograd_forward(const ConvShape& shape, const float* x, const float* w, const float* bias, Activation activation,
                      float* y);
void winograd_backward_data(const ConvShape& shape, const float* dy, const float* w, float* dx);
void winograd_backward_weights(const ConvShape& shape, const float* x, const float* dy, float* dw);

}  // namespace catalase
