// exp, log, tanh, sigmoid and softplus of one float: the operations of the CPU's cpp/elementwise/vecmath.h, in the same
// order.
//
// Sums, products, FMA, division and square root are rounded once on both sides, so equal operations give equal bits.
// The hardware's approximations (ex2.approx) would be shorter, but these maps wait for memory, not for arithmetic.
//
// Polynomials: exp and tanh after the Cephes library (S. L. Moshier), log after FDLIBM (Sun Microsystems, 1993).
#pragma once

#include "types.cuh"

namespace catalase {

__device__ __forceinline__ float absolute(float x) {
  return __uint_as_float(__float_as_uint(x) & 0x7fffffffu);
}

// 2^k for -126 <= k <= 127; for the k of a NaN the result does not matter.
__device__ __forceinline__ float power_of_two(i32 k) {
  return __uint_as_float((static_cast<u32>(k) + 127u) << 23);
}

// x = power ln 2 + rest, |rest| <= ln 2 / 2; x is clamped by the caller.
struct ExpParts {
  i32 power;
  float rest;
};
__device__ __forceinline__ ExpParts reduced(float x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
  const float shifted = fmaf(x, 1.44269504088896341f, magic);
  const float n = shifted - magic;
  const float r = fmaf(n, -0.693359375f, x);
  return {static_cast<i32>(__float_as_uint(shifted) - 0x4b400000u), fmaf(n, 2.12194440e-4f, r)};
}

// exp(r) - 1 for |r| <= 0.4.
__device__ __forceinline__ float exp_rest(float r) {
  float p = 1.9875691500e-4f;
  p = fmaf(p, r, 1.3981999507e-3f);
  p = fmaf(p, r, 8.3334519073e-3f);
  p = fmaf(p, r, 4.1665795894e-2f);
  p = fmaf(p, r, 1.6666665459e-1f);
  p = fmaf(p, r, 5.0000001201e-1f);
  return fmaf(p, r * r, r);
}

// exp(x) = 2^power (1 + rest).
__device__ __forceinline__ ExpParts exp_parts(float x) {
  const ExpParts parts = reduced(x);
  return {parts.power, exp_rest(parts.rest)};
}

// a 2^power. The power of two comes in two halves: results close to overflow are right.
__device__ __forceinline__ float scaled(float a, i32 power) {
  const i32 half = power >> 1;
  return a * power_of_two(half) * power_of_two(static_cast<i32>(static_cast<u32>(power) - static_cast<u32>(half)));
}

__device__ __forceinline__ float exp_f32(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const ExpParts parts = exp_parts(x);
  return scaled(parts.rest + 1.0f, parts.power);
}

// log(x) = k ln 2 + log(m), m in [sqrt(1/2), sqrt(2)), with s = f / (2 + f), f = m - 1.
__device__ __forceinline__ float log_f32(float x) {
  const u32 shifted = __float_as_uint(x) + (0x3f800000u - 0x3f3504f3u);
  const i32 k = (static_cast<i32>(shifted) >> 23) - 127;
  const float m = __uint_as_float((shifted & 0x007fffffu) + 0x3f3504f3u);
  const float f = m - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s, w = z * z;
  const float even = w * fmaf(w, 0.24279078841f, 0.40000972152f);
  const float odd = z * fmaf(w, 0.28498786688f, 0.66666662693f);
  const float half_square = 0.5f * f * f;
  const float dk = static_cast<float>(k);
  float y = fmaf(s, half_square + even + odd, dk * 9.0580006145e-06f) - half_square + f;
  y = fmaf(dk, 6.9313812256e-01f, y);
  const float infinity = __uint_as_float(0x7f800000u);
  y = x < 1.17549435e-38f ? -infinity : y;  // zero, and denormals, which count as zero
  y = x < 0.0f ? __uint_as_float(0x7fc00000u) : y;
  y = x == infinity ? infinity : y;
  return x != x ? x : y;
}

// log(1 + u) for u in [0, 1]; the rounding error of 1 + u is added back.
__device__ __forceinline__ float log1p_unit(float u) {
  const float w = 1.0f + u;
  return log_f32(w) + (u - (w - 1.0f)) / w;
}

// An odd polynomial below 0.625, and 1 - 2 / (exp(2 |x|) + 1) above.
__device__ __forceinline__ float tanh_f32(float x) {
  const float a = absolute(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = fmaf(p, z, 2.06390887954e-2f);
  p = fmaf(p, z, -5.37397155531e-2f);
  p = fmaf(p, z, 1.33314422036e-1f);
  p = fmaf(p, z, -3.33332819422e-1f);
  const float small = fmaf(p * z, x, x);
  float large = 1.0f - 2.0f / (exp_f32(a + a) + 1.0f);
  large = __uint_as_float(__float_as_uint(large) | (__float_as_uint(x) & 0x80000000u));
  const float y = a < 0.625f ? small : large;
  return x != x ? x : y;
}

__device__ __forceinline__ float sigmoid_f32(float x) {
  const float e = exp_f32(-absolute(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

__device__ __forceinline__ float softplus_f32(float x) {
  return (x < 0.0f ? 0.0f : x) + log1p_unit(exp_f32(-absolute(x)));
}

// 1 - exp(-y) for y >= 0, without cancellation: a series below 1/2.
__device__ __forceinline__ float one_minus_exp_minus(float y) {
  float s = 1.0f;
#pragma unroll
  for (i32 i = 8; i >= 2; --i) s = fmaf(y * s, -1.0f / static_cast<float>(i), 1.0f);
  return y < 0.5f ? y * s : 1.0f - exp_f32(-y);
}

}  // namespace catalase
