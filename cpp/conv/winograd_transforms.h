// The six one-dimensional transforms, on vectors whose lanes are channels. Points 0, 1, -1, 2, -2, infinity; pairs of
// opposite points share their even and odd parts.
#pragma once

#include "cpu/simd.h"

namespace catalase {
namespace {

using V = Vec<float>;

inline V times(float factor, V v) {
  return broadcast(factor) * v;
}
inline V add_times(V sum, float factor, V v) {
  return fma(broadcast(factor), v, sum);
}

// B^T d: a tile of x, evaluated at the six points.
[[gnu::always_inline]] inline void points_of_input(const V (&d)[6], V (&p)[6]) {
  const V even1 = add_times(d[4], -4, d[2]), odd1 = add_times(d[3], -4, d[1]);
  const V even2 = d[4] - d[2], odd2 = d[3] - d[1];
  p[0] = add_times(add_times(d[4], -5, d[2]), 4, d[0]);
  p[1] = even1 + odd1;
  p[2] = even1 - odd1;
  p[3] = add_times(even2, 2, odd2);
  p[4] = add_times(even2, -2, odd2);
  p[5] = add_times(add_times(d[5], -5, d[3]), 4, d[1]);
}

// A^T m: a tile of outputs from the six points. kStep is 4 or 2.
template <int kStep>
[[gnu::always_inline]] inline void outputs_of_points(const V (&p)[6], V (&y)[kStep]) {
  const V even1 = p[1] + p[2], odd1 = p[1] - p[2], even2 = p[3] + p[4], odd2 = p[3] - p[4];
  y[0] = (p[0] + even1) + even2;
  if constexpr (kStep == 2) {
    y[1] = add_times(odd1 + p[5], 2, odd2);
  } else {
    y[1] = add_times(odd1, 2, odd2);
    y[2] = add_times(even1, 4, even2);
    y[3] = add_times(odd1 + p[5], 8, odd2);
  }
}

// A e: the six points of a tile of output gradients, the transpose of outputs_of_points.
template <int kStep>
[[gnu::always_inline]] inline void points_of_gradient(const V (&e)[kStep], V (&p)[6]) {
  if constexpr (kStep == 2) {
    p[1] = e[0] + e[1];
    p[2] = e[0] - e[1];
    p[3] = add_times(e[0], 2, e[1]);
    p[4] = add_times(e[0], -2, e[1]);
  } else {
    const V even1 = e[0] + e[2], odd1 = e[1] + e[3];
    const V even2 = add_times(e[0], 4, e[2]), odd2 = add_times(e[1], 4, e[3]);
    p[1] = even1 + odd1;
    p[2] = even1 - odd1;
    p[3] = add_times(even2, 2, odd2);
    p[4] = add_times(even2, -2, odd2);
  }
  p[0] = e[0];
  p[5] = e[kStep - 1];
}

// G w: the six points of a filter, with the weights of Lagrange's formula: 1/4, -1/6, -1/6, 1/24, 1/24, 1.
template <int kKernel>
[[gnu::always_inline]] inline void points_of_filter(const V (&w)[kKernel], V (&p)[6]) {
  V even1 = w[0] + w[2], odd1 = w[1], even2 = add_times(w[0], 4, w[2]), odd2 = w[1];
  if constexpr (kKernel == 5) {
    even1 = even1 + w[4];
    odd1 = odd1 + w[3];
    even2 = add_times(even2, 16, w[4]);
    odd2 = add_times(odd2, 4, w[3]);
  }
  p[0] = times(0.25f, w[0]);
  p[1] = times(-1.0f / 6, even1 + odd1);
  p[2] = times(-1.0f / 6, even1 - odd1);
  p[3] = times(1.0f / 24, add_times(even2, 2, odd2));
  p[4] = times(1.0f / 24, add_times(even2, -2, odd2));
  p[5] = w[kKernel - 1];
}

// G^T s: a filter's gradient from the six points, the transpose of points_of_filter.
template <int kKernel>
[[gnu::always_inline]] inline void filter_of_points(const V (&p)[6], V (&w)[kKernel]) {
  const V even1 = times(-1.0f / 6, p[1] + p[2]), odd1 = times(-1.0f / 6, p[1] - p[2]);
  const V even2 = times(1.0f / 24, p[3] + p[4]), odd2 = times(1.0f / 24, p[3] - p[4]);
  w[0] = add_times(even1 + even2, 0.25f, p[0]);
  w[1] = add_times(odd1, 2, odd2);
  w[2] = add_times(even1, 4, even2);
  if constexpr (kKernel == 5) {
    w[3] = add_times(odd1, 8, odd2);
    w[4] = add_times(even1, 16, even2);
  }
  w[kKernel - 1] = w[kKernel - 1] + p[5];
}

}  // namespace
}  // namespace catalase
