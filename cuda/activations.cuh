// The table of activations for device code: the formulas of the CPU's cpp/elementwise/activations.h, in its order of
// operations, on one float.
//
//   X(name, f(x), dy f'(x))
//
// The first is the ending of its number in codes.cuh. A derivative is written in dy and in y, the output, or in x where the
// table of the CPU says that it is written from the input.
#pragma once

#include "vecmath.cuh"

// clang-format off
#define CATALASE_ACTIVATIONS(X) \
  X(Identity,  x,                       dy) \
  X(Relu,      x < 0.0f ? 0.0f : x,     y <= 0.0f ? 0.0f : dy) \
  X(Tanh,      tanh_f32(x),             dy * (1.0f - y * y)) \
  X(Sigmoid,   sigmoid_f32(x),          dy * (y * (1.0f - y))) \
  X(Softplus,  softplus_f32(x),         dy * one_minus_exp_minus(y))
// clang-format on

namespace catalase {

// Structs, by which kernels choose a function outside their loops.
#define CATALASE_STRUCT(name, value, derivative)                                             \
  struct name {                                                                              \
    static __device__ __forceinline__ float of(float x) { return value; }                    \
    static __device__ __forceinline__ float slope(float dy, [[maybe_unused]] float y) {      \
      [[maybe_unused]] const float x = y; /* one of the two, as the table of the CPU says */ \
      return derivative;                                                                     \
    }                                                                                        \
  };
CATALASE_ACTIVATIONS(CATALASE_STRUCT)
#undef CATALASE_STRUCT

__device__ __forceinline__ float activate(i64 activation, float x) {
  switch (activation) {
#define CATALASE_CASE(name, ...) \
  case k##name:                  \
    return name::of(x);
    CATALASE_ACTIVATIONS(CATALASE_CASE)
#undef CATALASE_CASE
    default:
      return x;
  }
}

}  // namespace catalase
