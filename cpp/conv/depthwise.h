// Depthwise convolution: one input and one output channel a group, vectorized over channels.
//
// Forward: a tile of kPixels pixels and one vector of channels in registers over all taps; a vector of w serves them
// all. Weights: a tile of kTaps taps; each pixel's dy serves them all. Bound: loads of x.
#pragma once

#include "conv/conv.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

constexpr Index kPixels = 4, kTaps = 9;

template <class T, int P>
inline void depthwise_tile(const DepthwiseForward<T>& args, Index pixel, Index c, LaneMask<T> lanes) {
  using V = Vec<T>;
  V sum[P];
  const T* x[P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    sum[p] = V{};
    x[p] = args.x.data + args.x.rows[pixel + p] + c;
  }
  const T* w = args.w + c;
  for (Index t = 0; t < args.tap_count; ++t, w += args.w_row) {
    const V weight = load_lanes(w, lanes);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sum[p] = fma(load_lanes(x[p] + args.taps[t], lanes), weight, sum[p]);
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    if (args.bias != nullptr) sum[p] = sum[p] + load_lanes(args.bias + c, lanes);
    if (args.relu) sum[p] = relu<T>(sum[p]);
    store_lanes(args.y.data + args.y.rows[pixel + p] + c, sum[p], lanes);
  }
}

template <class T>
void depthwise_one_thread(const DepthwiseForward<T>& args) {
  for (Index c = 0; c < args.channels; c += kWidth<T>) {
    const Index left = args.channels - c;
    const LaneMask<T> lanes = first_lanes<T>(left < kWidth<T> ? left : kWidth<T>);
    Index pixel = 0;
    for (; pixel + kPixels <= args.pixel_count; pixel += kPixels) depthwise_tile<T, kPixels>(args, pixel, c, lanes);
    for (; pixel < args.pixel_count; ++pixel) depthwise_tile<T, 1>(args, pixel, c, lanes);
  }
}

template <class T, int N>
inline void depthwise_taps(const DepthwiseWeights<T>& args, Index tap, Index c, LaneMask<T> lanes) {
  using V = Vec<T>;
  V sum[N];
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) sum[t] = args.from_dw ? load_lanes(args.dw + (tap + t) * args.channels + c, lanes) : V{};
  const T* dy = args.dy + c;
  for (Index p = 0; p < args.pixel_count; ++p, dy += args.dy_row) {
    const V d = load_lanes(dy, lanes);
    const T* x = args.x.data + args.x.rows[p] + c;
#pragma GCC unroll 16
    for (int t = 0; t < N; ++t) sum[t] = fma(load_lanes(x + args.taps[tap + t], lanes), d, sum[t]);
  }
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) store_lanes(args.dw + (tap + t) * args.channels + c, sum[t], lanes);
}

template <class T>
void depthwise_weights_one_thread(const DepthwiseWeights<T>& args) {
  for (Index c = 0; c < args.channels; c += kWidth<T>) {
    const Index left = args.channels - c;
    const LaneMask<T> lanes = first_lanes<T>(left < kWidth<T> ? left : kWidth<T>);
    Index tap = 0;
    for (; tap + kTaps <= args.tap_count; tap += kTaps) depthwise_taps<T, kTaps>(args, tap, c, lanes);
    for (; tap < args.tap_count; ++tap) depthwise_taps<T, 1>(args, tap, c, lanes);
  }
}

}  // namespace
}  // namespace catalase
