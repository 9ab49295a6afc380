// sigmoid and tanh for gates. Unlike elementwise/vecmath.h, tanh has one formula, and there is no division, which takes
// 16 cycles a vector of 64 bytes, about as long as the rest of a gate. The denominators lie in [1, 2], so a quadratic
// guess and two Newton steps give the quotient, with the same operations at every level.
#pragma once

#include "cpu/simd.h"
#include "elementwise/vecmath.h"

namespace catalase {
namespace {

// 1 / d for d in [1, 2]. The guess is (1 - T3(2 d - 3) / T3(-3)) / d with Chebyshev's T3, whose error is at most 1/99;
// each step squares the error.
inline VecF reciprocal(VecF d) {
  VecF y = fma(fma(vec(32.0f / 99.0f), d, vec(-144.0f / 99.0f)), d, vec(210.0f / 99.0f));
  y = fma(y, fma(-d, y, vec(1.0f)), y);
  return fma(y, fma(-d, y, vec(1.0f)), y);
}

// exp(x) = scale * (1 + rest) for x <= 0, down to the order of the smallest normal number. For small x scale is 1 and
// rest is exp(x) - 1 up to rounding, so tanh needs no second formula near 0.
struct Exp {
  VecF scale, rest;
};
inline Exp exp_negative(VecF x) {
  const VecF low = vec(-87.0f);
  x = select<float>(x < low, low, x);
  const ExpParts parts = exp_parts(x);
  return {power_of_two(parts.power), parts.rest};
}

inline VecF gate_sigmoid(VecF x) {
  const Exp exp = exp_negative(-abs(x));
  const VecF e = fma(exp.scale, exp.rest, exp.scale);
  return select<float>(x < VecF{}, e, vec(1.0f)) * reciprocal(vec(1.0f) + e);
}

// (1 - e) / (1 + e) with e = exp(-2 |x|).
inline VecF gate_tanh(VecF x) {
  const VecF a = abs(x);
  const Exp exp = exp_negative(-(a + a));
  const VecF above = fma(-exp.scale, exp.rest, vec(1.0f) - exp.scale);
  const VecF y = above * reciprocal(vec(1.0f) + fma(exp.scale, exp.rest, exp.scale));
  return bits_to_float(float_to_bits(y) | (float_to_bits(x) & static_cast<std::int32_t>(0x80000000)));
}

inline VecD gate_sigmoid(VecD x) {
  return sigmoid(x);
}
inline VecD gate_tanh(VecD x) {
  return tanh(x);
}

}  // namespace
}  // namespace catalase
