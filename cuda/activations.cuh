// The table of activations for device code: the formulas of the CPU's cpp/elementwise/activations.h, in its order of
// operations, on one float.
//
//   X(name, f(x), dy f'(x))
//
// The first is the ending of its number in codes.cuh. A derivative is written in dy and in y, the output, or in x where the
// table of the CPU says that it is computed from the input.
#pragma once

#include "vecmath.cuh"

// clang-format off
#define CATALASE_ACTIVATIONS(X) \
  X(Identity,  x,                       dy) \
  X(Relu,      x < 0.0f ? 0.0f : x,     y <= 0.0f ? 0.0f : dy) \
  X(Tanh,      tanh_f32(x),             dy * (1.0f - y * y)) \
  X(Sigmoid,   sigmoid_f32(x),          dy * (y * (1.0f - y))) \
  X(Softplus,  softplus_f32(x),         dy * one_minus_exp_minus(y)) \
  X(Elu,       elu_f32(x),              y > 0.0f ? dy : dy * (y + 1.0f)) \
  X(Gelu,      gelu_f32(x),             dy * gelu_slope(x)) \
  X(Silu,      silu_f32(x),             dy * silu_slope(x)) \
  X(LeakyRelu, x < 0.0f ? x * 0.01f : x, y <= 0.0f ? dy * 0.01f : dy) \
  X(Selu,      x < 0.0f ? elu_f32(x) * kSeluLow : x * kSeluHigh, dy * (y > 0.0f ? kSeluHigh : y + kSeluLow)) \
  X(GeluTanh,  gelu_tanh_f32(x),        dy * gelu_tanh_slope(x)) \
  X(Mish,      mish_f32(x),             dy * mish_slope(x)) \
  X(HardSigmoid, within((x + 3.0f) / 6.0f, 0.0f, 1.0f), inside(y, 0.0f, 1.0f, dy / 6.0f)) \
  X(HardTanh,  within(x, -1.0f, 1.0f),  inside(y, -1.0f, 1.0f, dy)) \
  X(HardSwish, hard_swish_f32(x),       dy * hard_swish_slope(x))
// clang-format on

namespace catalase {

__device__ __forceinline__ float elu_f32(float x) {
  const ExpParts exp = exp_parts(x < -87.0f ? -87.0f : x);
  const float two = power_of_two(exp.power);
  return x < 0.0f ? fmaf(exp.rest, two, two - 1.0f) : x;
}

// The upper tail of the normal distribution is exp(-t^2 / 2) times the ratio, for 0 <= t <= 13.5.
struct NormalTail {
  float ratio;
  ExpParts exp;  // of -t^2 / 2
};
__device__ __forceinline__ NormalTail normal_tail(float t) {
  const float head = __uint_as_float((__float_as_uint(t) + 0x800u) & 0xfffff000u);  // its square is exact
  const ExpParts square = reduced(-0.5f * head * head);
  const float rest = -0.5f * (t - head) * (t + head);
  const float q = (t - 3.0f) / (t + 3.0f);
  float p = 5.416041673286798e-05f;
  p = fmaf(p, q, 1.1605369672994074e-04f);
  p = fmaf(p, q, -3.399124145252435e-04f);
  p = fmaf(p, q, -9.841950034246531e-04f);
  p = fmaf(p, q, 2.904700453176828e-03f);
  p = fmaf(p, q, 6.1321860312340964e-03f);
  p = fmaf(p, q, -4.621331327473103e-02f);
  p = fmaf(p, q, 1.2322502145346517e-01f);
  p = fmaf(p, q, -2.0640261795206932e-01f);
  p = fmaf(p, q, 1.2151394772704563e-01f);
  return {p, {square.power, exp_rest(square.rest + rest)}};
}
__device__ __forceinline__ float up_to(float x, float high) {
  const float t = absolute(x);
  return t > high ? high : t;
}

__device__ __forceinline__ float gelu_f32(float x) {
  const float t = up_to(x, 13.5f);
  const NormalTail tail = normal_tail(t);
  const float factor = x < 0.0f ? -t * tail.ratio : tail.ratio;
  const float q = scaled(factor * (tail.exp.rest + 1.0f), tail.exp.power);
  return x < 0.0f ? q : x * (1.0f - q);
}
__device__ __forceinline__ float gelu_slope(float x) {
  const float t = up_to(x, 13.5f);
  const NormalTail tail = normal_tail(t);
  const float factor = fmaf(-t, 0.3989422804014327f, tail.ratio);
  const float slope = scaled(factor * (tail.exp.rest + 1.0f), tail.exp.power);
  return x < 0.0f ? slope : 1.0f - slope;
}

__device__ __forceinline__ float silu_f32(float x) {
  const float t = up_to(x, 104.0f);
  const ExpParts exp = exp_parts(-t);
  const float e = exp.rest + 1.0f;
  return (x < 0.0f ? scaled(-t * e, exp.power) : x) / (1.0f + scaled(e, exp.power));
}
__device__ __forceinline__ float silu_slope(float x) {
  const float t = up_to(x, 104.0f);
  const float e = exp_f32(-t), part = 1.0f / (1.0f + e);
  const float slope = e * part * (1.0f - t * part);
  return x < 0.0f ? slope : 1.0f - slope;
}

constexpr float kSeluHigh = 1.0507009873554805f, kSeluLow = 1.7580993408473766f;

__device__ __forceinline__ float within(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}
__device__ __forceinline__ float inside(float y, float low, float high, float dy) {
  return y <= low ? 0.0f : (y >= high ? 0.0f : dy);
}

__device__ __forceinline__ float hard_swish_f32(float x) {
  return x <= -3.0f ? 0.0f : (x >= 3.0f ? x : x * (x + 3.0f) / 6.0f);
}
__device__ __forceinline__ float hard_swish_slope(float x) {
  return x <= -3.0f ? 0.0f : (x > 3.0f ? 1.0f : (x + x + 3.0f) / 6.0f);
}

struct TanhArgument {
  float t, v, slope;  // |x|, v, and its derivative, at |x|
};
__device__ __forceinline__ TanhArgument tanh_argument(float x) {
  const float t = up_to(x, 10.6f), square = t * t, first = 1.5957691216057308f;
  return {t, t * fmaf(square, 0.07135481627260025f, first), fmaf(square, 0.21406444881780076f, first)};
}
__device__ __forceinline__ float gelu_tanh_f32(float x) {
  const TanhArgument a = tanh_argument(x);
  const ExpParts exp = exp_parts(-a.v);
  const float e = exp.rest + 1.0f;
  return (x < 0.0f ? scaled(-a.t * e, exp.power) : x) / (1.0f + scaled(e, exp.power));
}
__device__ __forceinline__ float gelu_tanh_slope(float x) {
  const TanhArgument a = tanh_argument(x);
  const float e = exp_f32(-a.v), part = 1.0f / (1.0f + e);
  const float slope = e * part * (1.0f - a.t * a.slope * part);
  return x < 0.0f ? slope : 1.0f - slope;
}

__device__ __forceinline__ float mish_f32(float x) {
  const float t = up_to(x, 104.0f);
  const ExpParts exp = exp_parts(-t);
  const float rest = exp.rest + 1.0f, e = scaled(rest, exp.power);
  const float n = x < 0.0f ? 2.0f + e : fmaf(2.0f, e, 1.0f);
  const float d = x < 0.0f ? fmaf(e, 2.0f + e, 2.0f) : fmaf(2.0f * e, e, n);
  return (x < 0.0f ? scaled(-t * rest, exp.power) : x) * (n / d);
}
__device__ __forceinline__ float mish_slope(float x) {
  const float t = up_to(x, 104.0f), e = exp_f32(-t);
  const float n = x < 0.0f ? e * (2.0f + e) : fmaf(2.0f, e, 1.0f);
  const float d = x < 0.0f ? fmaf(e, 2.0f + e, 2.0f) : fmaf(2.0f * e, e, n);
  const float factor = x < 0.0f ? -e : e * e;
  return (n + 4.0f * t * factor * (1.0f + e) / d) / d;
}

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

__device__ __forceinline__ float activate(i32 activation, float x) {
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
