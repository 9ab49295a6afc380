// Filters to and from the 36 planes: w -> U, S -> dw.
#pragma once

#include "conv/winograd_layout.h"
#include "conv/winograd_transforms.h"
#include "cpu/simd.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

// Transforms one vector of filters at one input channel; w(t) gives the vector at tap t.
template <int kKernel, class Taps>
[[gnu::always_inline]] inline void transform_filter(const Taps& w, float* u, Index plane) {
  V half[6][kKernel];
#pragma GCC unroll 5
  for (int j = 0; j < kKernel; ++j) {
    V column[kKernel], points[6];
#pragma GCC unroll 5
    for (int i = 0; i < kKernel; ++i) column[i] = w(i * kKernel + j);
    points_of_filter<kKernel>(column, points);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) half[i][j] = points[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    V points[6];
    points_of_filter<kKernel>(half[i], points);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store(u + (i * 6 + j) * plane, points[j]);
  }
}

// Goes panel by panel, so that each of the 36 planes is written from front to back.
template <int kKernel>
void transform_filters_of(const WinogradPlan& p, const float* w, Index begin, Index end, float* u) {
  const Panels panels = filter_panels(p);
  const Index plane = panels.plane(), ins = p.in_channels, outs = p.out_channels;
  for (Index q = 0; q < panels.count(); ++q) {
    const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
    for (Index c = begin; c < end; ++c) {
      for (Index o = 0; o < vectors; ++o) {
        const Index channel = (start + o) * W;
        const float* at = w + c * outs + channel;
        transform_filter<kKernel>([&](Index t) { return load_channels(at + t * ins * outs, outs - channel); },
                                  u + start * W * panels.rows + (c * vectors + o) * W, plane);
      }
    }
  }
}

// The same for the gradient of the input. Rows of w are output channels there: squares of it are transposed, so that
// lanes are output channels again.
template <int kKernel>
void transform_flipped_filters_of(const WinogradPlan& p, const float* w, Index begin, Index end, float* u) {
  constexpr int kTaps = kKernel * kKernel;
  const Panels panels = filter_panels(p);
  const Index plane = panels.plane(), ins = p.in_channels, outs = p.out_channels;
  alignas(64) float taps[kTaps * W * W];
  for (Index q = 0; q < panels.count(); ++q) {
    const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
    for (Index c = begin; c < end; c += W) {
      const Index some = smaller(W, end - c);
      for (Index o = 0; o < vectors; ++o) {
        const Index channel = (start + o) * W;
        for (Index t = 0; t < kTaps; ++t) {
          V square[W];
          const float* at = w + ((kTaps - 1 - t) * outs + channel) * ins + c;
#pragma GCC unroll 16
          for (Index i = 0; i < W; ++i) square[i] = channel + i < outs ? load_channels(at + i * ins, some) : V{};
          transpose_square<float>(square);
#pragma GCC unroll 16
          for (Index i = 0; i < W; ++i) store(taps + (i * kTaps + t) * W, square[i]);
        }
        float* target = u + start * W * panels.rows + (c * vectors + o) * W;
        for (Index i = 0; i < some; ++i) {
          transform_filter<kKernel>([&](Index t) { return load(taps + (i * kTaps + t) * W); }, target + i * vectors * W,
                                    plane);
        }
      }
    }
  }
}

template <int kKernel>
void finish_filters_of(const WinogradPlan& p, const float* s, float* dw) {
  const Index ins = p.in_channels, outs = p.out_channels, s_row = row_stride(outs), plane = plane_stride(ins, s_row);
  for (Index c = 0; c < ins; ++c) {
    for (Index o = 0; o < outs; o += W) {
      V half[kKernel][6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) {
        V points[6], column[kKernel];
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) points[i] = load(s + (i * 6 + j) * plane + c * s_row + o);
        filter_of_points<kKernel>(points, column);
#pragma GCC unroll 5
        for (int i = 0; i < kKernel; ++i) half[i][j] = column[i];
      }
#pragma GCC unroll 5
      for (int i = 0; i < kKernel; ++i) {
        V row[kKernel];
        filter_of_points<kKernel>(half[i], row);
#pragma GCC unroll 5
        for (int j = 0; j < kKernel; ++j) {
          store_channels(dw + ((i * kKernel + j) * p.in_pixel + c) * p.out_pixel + o, row[j], outs - o);
        }
      }
    }
  }
}

}  // namespace
}  // namespace catalase
