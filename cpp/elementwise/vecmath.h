// exp, log, log1p, tanh, sigmoid and softplus of a vector.
//
// float32: range reduction and a polynomial, with the same operations at every level, so an element's bits depend
// neither on its position nor on AVX2 or AVX-512. This folder's README has the largest errors over a dense sweep of all
// float32 values. Denormal inputs and results count as zero (kernels run with flush-to-zero). NaN propagates.
// float64: the C library, lane by lane; it serves gradient checks and may be slow.
//
// Polynomials: exp and tanh after the Cephes library (S. L. Moshier), log after FDLIBM (Sun Microsystems, 1993).
#pragma once

#include "cpu/simd.h"

namespace catalase {
namespace {

using VecF = Vec<float>;
using MaskF = Mask<float>;

inline VecF bits_to_float(MaskF bits) {
  return (VecF)bits;
}
inline MaskF float_to_bits(VecF v) {
  return (MaskF)v;
}
inline VecF vec(float x) {
  return broadcast<float>(x);
}

// 2^k for -126 <= k <= 127; for the k of a NaN the result does not matter.
inline VecF power_of_two(MaskF k) {
  return (VecF)(((VecU)k + 127u) << 23);
}

inline VecF abs(VecF v) {
  return bits_to_float(float_to_bits(v) & 0x7fffffff);
}

// x = power ln 2 + rest, |rest| <= ln 2 / 2; x is clamped by the caller.
struct ExpParts {
  MaskF power;
  VecF rest;
};
inline ExpParts reduced(VecF x) {
  const VecF magic = vec(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
  const VecF shifted = fma(x, vec(1.44269504088896341f), magic);
  const VecF n = shifted - magic;
  const MaskF k = (MaskF)((VecU)shifted - 0x4b400000u);  // unsigned: the bits of NaN may wrap
  const VecF r = fma(n, vec(-0.693359375f), x);
  return {k, fma(n, vec(2.12194440e-4f), r)};
}

// exp(r) - 1 for |r| <= 0.4.
inline VecF exp_rest(VecF r) {
  VecF p = vec(1.9875691500e-4f);
  p = fma(p, r, vec(1.3981999507e-3f));
  p = fma(p, r, vec(8.3334519073e-3f));
  p = fma(p, r, vec(4.1665795894e-2f));
  p = fma(p, r, vec(1.6666665459e-1f));
  p = fma(p, r, vec(5.0000001201e-1f));
  return fma(p, r * r, r);
}

// exp(x) = 2^power (1 + rest).
inline ExpParts exp_parts(VecF x) {
  const ExpParts parts = reduced(x);
  return {parts.power, exp_rest(parts.rest)};
}

// a 2^power. The power of two is applied in two halves, so that results close to overflow are right, and larger or
// smaller ones become infinity or zero.
inline VecF scaled(VecF a, MaskF power) {
  const MaskF half = power >> 1;
  return a * power_of_two(half) * power_of_two(power - half);
}

inline VecF exp(VecF x) {
  const VecF high = vec(89.0f), low = vec(-104.0f);
  x = select<float>(x > high, high, x);
  x = select<float>(x < low, low, x);
  const ExpParts parts = exp_parts(x);
  return scaled(parts.rest + vec(1.0f), parts.power);
}

// log(x) = k ln 2 + log(m), m in [sqrt(1/2), sqrt(2)), with s = f / (2 + f), f = m - 1.
inline VecF log(VecF x) {
  const MaskF shifted = (MaskF)((VecU)x + (0x3f800000u - 0x3f3504f3u));  // unsigned: the bits of NaN may wrap
  const MaskF k = (shifted >> 23) - 127;
  const VecF m = bits_to_float((shifted & 0x007fffff) + 0x3f3504f3);
  const VecF f = m - vec(1.0f);
  const VecF s = f / (vec(2.0f) + f);
  const VecF z = s * s, w = z * z;
  const VecF even = w * fma(w, vec(0.24279078841f), vec(0.40000972152f));
  const VecF odd = z * fma(w, vec(0.28498786688f), vec(0.66666662693f));
  const VecF half_square = vec(0.5f) * f * f;
  VecF dk;
  for (int i = 0; i < kWidth<float>; ++i) dk[i] = static_cast<float>(k[i]);
  VecF y = fma(s, half_square + even + odd, dk * vec(9.0580006145e-06f)) - half_square + f;
  y = fma(dk, vec(6.9313812256e-01f), y);
  const VecF infinity = vec(__builtin_inff());
  y = select<float>(x < vec(1.17549435e-38f), -infinity, y);  // zero, and denormals, which count as zero
  y = select<float>(x < VecF{}, vec(__builtin_nanf("")), y);
  y = select<float>(x == infinity, infinity, y);
  return select<float>(x != x, x, y);
}

// log(1 + u) for u in [0, 1]; the rounding error of 1 + u is added back.
inline VecF log1p_unit(VecF u) {
  const VecF w = vec(1.0f) + u;
  return log(w) + (u - (w - vec(1.0f))) / w;
}

// An odd polynomial below 0.625, and 1 - 2 / (exp(2 |x|) + 1) above.
inline VecF tanh(VecF x) {
  const VecF a = abs(x), z = x * x;
  VecF p = vec(-5.70498872745e-3f);
  p = fma(p, z, vec(2.06390887954e-2f));
  p = fma(p, z, vec(-5.37397155531e-2f));
  p = fma(p, z, vec(1.33314422036e-1f));
  p = fma(p, z, vec(-3.33332819422e-1f));
  const VecF small = fma(p * z, x, x);
  VecF large = vec(1.0f) - vec(2.0f) / (exp(a + a) + vec(1.0f));
  large = bits_to_float(float_to_bits(large) | (float_to_bits(x) & static_cast<std::int32_t>(0x80000000)));
  return select<float>(x != x, x, select<float>(a < vec(0.625f), small, large));
}

inline VecF sigmoid(VecF x) {
  const VecF e = exp(-abs(x));
  return select<float>(x < VecF{}, e, vec(1.0f)) / (vec(1.0f) + e);
}

inline VecF softplus(VecF x) {
  return relu<float>(x) + log1p_unit(exp(-abs(x)));
}

// 1 - exp(-y) for y >= 0, without cancellation: a series below 1/2.
inline VecF one_minus_exp_minus(VecF y) {
  VecF s = vec(1.0f);
  for (int i = 8; i >= 2; --i) s = fma(y * s, vec(-1.0f / static_cast<float>(i)), vec(1.0f));
  return select<float>(y < vec(0.5f), y * s, vec(1.0f) - exp(-y));
}

using VecD = Vec<double>;
template <class F>
inline VecD each_lane(VecD x, F f) {
  for (int i = 0; i < kWidth<double>; ++i) x[i] = f(x[i]);
  return x;
}
inline VecD exp(VecD x) {
  return each_lane(x, [](double v) { return __builtin_exp(v); });
}
inline VecD log(VecD x) {
  return each_lane(x, [](double v) { return __builtin_log(v); });
}
inline VecD log1p_unit(VecD x) {
  return each_lane(x, [](double v) { return __builtin_log1p(v); });
}
inline VecD tanh(VecD x) {
  return each_lane(x, [](double v) { return __builtin_tanh(v); });
}
inline VecD abs(VecD x) {
  return each_lane(x, [](double v) { return __builtin_fabs(v); });
}
inline VecD sigmoid(VecD x) {
  const VecD e = exp(-abs(x)), one = broadcast(1.0);
  return select<double>(x < VecD{}, e, one) / (one + e);
}
inline VecD softplus(VecD x) {
  return relu<double>(x) + log1p_unit(exp(-abs(x)));
}
inline VecD one_minus_exp_minus(VecD y) {
  return each_lane(y, [](double v) { return -__builtin_expm1(-v); });
}

}  // namespace
}  // namespace catalase
