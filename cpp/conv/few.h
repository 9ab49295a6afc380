// The gradient of an input of up to 4 channels: sums of taps into planes, and planes to pixels (direct_few.cpp).
// Bound: loads and stores in L1 and L2.
#pragma once

#include "conv/conv.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

template <class T>
void add_taps_one_thread(const TapSums<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index whole = args.count / W * W;
  const LaneMask<T> rest = first_lanes<T>(args.count - whole);
  for (Index t = 0; t < args.tap_count; ++t) {
    if (args.places[t] < 0) continue;
    T* target = args.planes + args.places[t];
    const T* row = args.sums + t * args.channels * args.sum_row;
    for (Index c = 0; c < args.channels; ++c, target += args.plane, row += args.sum_row) {
      if (args.step != 1) {
        for (Index i = 0; i < args.count; ++i) target[i * args.step] = target[i * args.step] + row[i];
        continue;
      }
      for (Index i = 0; i < whole; i += W) store(target + i, load(target + i) + load(row + i));
      if (whole < args.count) {
        store_lanes(target + whole, load_lanes(target + whole, rest) + load_lanes(row + whole, rest), rest);
      }
    }
  }
}

// Interleaves kWidth pixels of C planes into C vectors: element e of them is channel e % C of pixel e / C.
template <class T, int C>
inline void interleave_vectors(const Vec<T> (&plane)[C], Vec<T> (&out)[C]) {
  constexpr int W = kWidth<T>;
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j) {
    out[j] = plane[0];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      Mask<T> take = {};
#pragma GCC unroll 16
      for (int l = 0; l < W; ++l) take[l] = (j * W + l) % C == c ? W + (j * W + l) / C : l;
      if (c == 0) {
#pragma GCC unroll 16
        for (int l = 0; l < W; ++l) take[l] = (j * W + l) / C;
      }
      out[j] = __builtin_shuffle(out[j], plane[c], take);
    }
  }
}

template <class T, int C>
void interleave(const PlanesToPixels<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  V more[C];
  for (int c = 0; c < C; ++c) more[c] = args.bias == nullptr ? V{} : broadcast(args.bias[c]);
  for (Index i = 0; i < args.count; i += W) {
    const Index left = args.count - i;
    V plane[C], out[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const T* at = args.planes + c * args.plane + i;
      plane[c] = (left < W ? load_lanes(at, first_lanes<T>(left)) : load(at)) + more[c];
      if (args.relu) plane[c] = relu<T>(plane[c]);
    }
    interleave_vectors<T, C>(plane, out);
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      const Index lanes = left * C - j * W;
      T* at = args.pixels + i * C + j * W;
      if (lanes >= W) {
        store(at, out[j]);
      } else if (lanes > 0) {
        store_lanes(at, out[j], first_lanes<T>(lanes));
      }
    }
  }
}

template <class T>
void interleave_one_thread(const PlanesToPixels<T>& args) {
  switch (args.channels) {
    case 1:
      return interleave<T, 1>(args);
    case 2:
      return interleave<T, 2>(args);
    case 3:
      return interleave<T, 3>(args);
    case 4:
      return interleave<T, 4>(args);
    default:
      return;
  }
}

}  // namespace
}  // namespace catalase
