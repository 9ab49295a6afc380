// The geometry of a convolution in one, two or three dimensions. A 1-D or 2-D convolution has leading dimensions of
// length 1.
//
//   y[n, o..., k] = sum over t..., c of  x[n, o * stride + t * dilation - before, c] * w[t..., c, k]
//
// x (N, D, H, W, C), w (KD, KH, KW, C / groups, O), y (N, OD, OH, OW, O), all contiguous; x is zero outside itself. The
// terms of an output are added in ascending (kd, kh, kw, c), the order of the rows of w: one chain, cut like those of
// products (matmul/matmul.h). Terms outside x count as fma(0, w, sum).
#pragma once

#include "common/views.h"

namespace catalase {

struct ConvShape {
  static constexpr int kDims = 3;
  Index batch = 0;
  Index in_channels = 0, out_channels = 0;  // of all groups
  Index groups = 1;
  Index in[kDims] = {1, 1, 1};        // D, H, W
  Index out[kDims] = {1, 1, 1};       // OD, OH, OW
  Index kernel[kDims] = {1, 1, 1};    // KD, KH, KW
  Index stride[kDims] = {1, 1, 1};    // >= 1
  Index dilation[kDims] = {1, 1, 1};  // >= 1
  Index before[kDims] = {0, 0, 0};    // zeros ahead of x, negative if cropped; `out` implies those behind
};

}  // namespace catalase
