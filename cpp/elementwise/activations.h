// The table of activations, one line each. The enum, the names and numbers that Python reads from `_core`, and the
// kernels of all levels and both types are made from it.
//
//   X(enumerator, name, the derivative is computed from, f(x), dy f'(x))
//
// The last two are expressions in vectors of T, with the functions of vecmath.h and those below; elementwise_level.cpp
// expands them. A derivative is written in dy and in y where the output y = f(x) determines it, so that a fused layer
// needs to keep nothing else, and in dy and x where it does not. cuda/activations.cuh has the same formulas for device
// code. Identity and ReLU come first: kernels that apply an activation in registers look for numbers up to ReLU's.
//
// NaN stays NaN. Where f tends to 0 at minus infinity, it is 0 there, and so is its derivative. Where the left and the
// right slope differ, at 0, the derivative is the left one.
#pragma once

namespace catalase {

// clang-format off
#define CATALASE_ACTIVATIONS(X) \
  X(kIdentity,  "identity",   kOutput, x,           dy) \
  X(kRelu,      "relu",       kOutput, relu<T>(x),  select<T>(y <= Vec<T>{}, Vec<T>{}, dy)) \
  X(kTanh,      "tanh",       kOutput, tanh(x),     dy * (broadcast(T(1)) - y * y)) \
  X(kSigmoid,   "sigmoid",    kOutput, sigmoid(x),  dy * (y * (broadcast(T(1)) - y))) \
  X(kSoftplus,  "softplus",   kOutput, softplus(x), dy * one_minus_exp_minus(y)) \
  X(kElu,       "elu",        kOutput, elu(x),      select<T>(y > Vec<T>{}, dy, dy * (y + broadcast(T(1))))) \
  X(kGelu,      "gelu",       kInput,  gelu(x),     dy * gelu_slope(x)) \
  X(kSilu,      "silu",       kInput,  silu(x),     dy * silu_slope(x)) \
  X(kLeakyRelu, "leaky_relu", kOutput, select<T>(x < Vec<T>{}, x * broadcast(T(0.01)), x), \
    select<T>(y <= Vec<T>{}, dy * broadcast(T(0.01)), dy))
// clang-format on

#define CATALASE_ENUMERATOR(enumerator, ...) enumerator,
enum class Activation : int { CATALASE_ACTIVATIONS(CATALASE_ENUMERATOR) };
// Functions of one value: the activations, with their numbers, and two more.
enum class Map : int { CATALASE_ACTIVATIONS(CATALASE_ENUMERATOR) kExp, kLog };
#undef CATALASE_ENUMERATOR

// The facts of each activation, in the order of the enum.
enum class Derivative { kOutput, kInput };
struct ActivationFacts {
  const char* name;
  Derivative derivative;
};
#define CATALASE_FACTS(enumerator, name, derivative, ...) {name, Derivative::derivative},
constexpr ActivationFacts kActivations[] = {CATALASE_ACTIVATIONS(CATALASE_FACTS)};
#undef CATALASE_FACTS
constexpr Activation kLastActivation = static_cast<Activation>(sizeof(kActivations) / sizeof(ActivationFacts) - 1);

}  // namespace catalase

// Functions of the table that are not in vecmath.h. Every unit may include the table and the enum, but only the units of
// the levels these functions.
#ifdef CATALASE_LEVEL
#include "elementwise/vecmath.h"

namespace catalase {
namespace {

// Each comment states the largest error in float32, in units in the last place (ulp), over every 977th bit pattern: for
// AVX2 and AVX-512, whose bits are equal, and in brackets for the portable level.

// x if x >= 0, exp(x) - 1 otherwise, which is computed as 2^k rest + (2^k - 1), so that nothing cancels. 0.9 ulp (0.9).
inline VecF elu(VecF x) {
  const VecF low = vec(-87.0f);
  const ExpParts exp = exp_parts(select<float>(x < low, low, x));
  const VecF two = power_of_two(exp.power);
  return select<float>(x < VecF{}, fma(exp.rest, two, two - vec(1.0f)), x);
}

// The upper tail Q(t) of the normal distribution as exp(-t^2 / 2) R(t), for 0 <= t <= 13.5, beyond which t Q(t) is below
// the smallest normal float. R(t) = exp(t^2 / 2) erfc(t / sqrt 2) / 2 is a polynomial in (t - 3) / (t + 3), of relative error
// 7e-9 (least squares, reweighted until the errors were level). t is split into a head of 12 bits, whose square is exact,
// and a rest, because exp would multiply a rounding error of t^2.
struct NormalTail {
  VecF ratio;    // R(t)
  ExpParts exp;  // of -t^2 / 2
};
inline NormalTail normal_tail(VecF t) {
  const VecF head = bits_to_float((MaskF)(((VecU)t + 0x800u) & 0xfffff000u));
  const ExpParts square = reduced(vec(-0.5f) * head * head);
  const VecF rest = vec(-0.5f) * (t - head) * (t + head);
  const VecF q = (t - vec(3.0f)) / (t + vec(3.0f));
  VecF p = vec(5.416041673286798e-05f);
  p = fma(p, q, vec(1.1605369672994074e-04f));
  p = fma(p, q, vec(-3.399124145252435e-04f));
  p = fma(p, q, vec(-9.841950034246531e-04f));
  p = fma(p, q, vec(2.904700453176828e-03f));
  p = fma(p, q, vec(6.1321860312340964e-03f));
  p = fma(p, q, vec(-4.621331327473103e-02f));
  p = fma(p, q, vec(1.2322502145346517e-01f));
  p = fma(p, q, vec(-2.0640261795206932e-01f));
  p = fma(p, q, vec(1.2151394772704563e-01f));
  return {p, {square.power, exp_rest(square.rest + rest)}};
}
inline VecF tail_argument(VecF x) {
  const VecF t = abs(x), high = vec(13.5f);
  return select<float>(t > high, high, t);
}

// x times the probability that a standard normal variable is below x: x (1 - Q(x)) if x >= 0, -|x| Q(|x|) otherwise, so
// that the negative tail keeps its digits. 5.0 ulp (6.3). The derivative is off by 1.4 epsilons at most.
inline VecF gelu(VecF x) {
  const VecF t = tail_argument(x), one = vec(1.0f);
  const NormalTail tail = normal_tail(t);
  const MaskF negative = x < VecF{};
  const VecF factor = select<float>(negative, -t * tail.ratio, tail.ratio);
  const VecF q = scaled(factor * (tail.exp.rest + one), tail.exp.power);
  return select<float>(negative, q, x * (one - q));
}
// That probability, plus x times the density: Q(t) - t exp(-t^2 / 2) / sqrt(2 pi) at -t, and 1 minus that at t.
inline VecF gelu_slope(VecF x) {
  const VecF t = tail_argument(x), one = vec(1.0f);
  const NormalTail tail = normal_tail(t);
  const VecF factor = fma(-t, vec(0.3989422804014327f), tail.ratio);
  const VecF slope = scaled(factor * (tail.exp.rest + one), tail.exp.power);
  return select<float>(x < VecF{}, slope, one - slope);
}

// x / (1 + exp(-x)), as x exp(-|x|) / (1 + exp(-|x|)) if x < 0. x is multiplied in before the power of two, because
// exp(-|x|) underflows before the product does. 3.0 ulp (3.0). The derivative is off by 1 epsilon at most.
inline VecF silu(VecF x) {
  const VecF high = vec(104.0f), one = vec(1.0f);
  VecF t = abs(x);
  t = select<float>(t > high, high, t);
  const ExpParts exp = exp_parts(-t);
  const VecF e = exp.rest + one;
  const VecF above = select<float>(x < VecF{}, scaled(-t * e, exp.power), x);
  return above / (one + scaled(e, exp.power));
}
// s (1 - t (1 - s)) at -t, with s = exp(-t) / (1 + exp(-t)), and 1 minus that at t.
inline VecF silu_slope(VecF x) {
  const VecF high = vec(104.0f), one = vec(1.0f);
  VecF t = abs(x);
  t = select<float>(t > high, high, t);
  const VecF e = exp(-t), part = one / (one + e);
  const VecF slope = e * part * (one - t * part);
  return select<float>(x < VecF{}, slope, one - slope);
}

inline VecD elu(VecD x) {
  return each_lane(x, [](double v) { return v < 0 ? __builtin_expm1(v) : v; });
}
inline VecD gelu(VecD x) {
  return each_lane(x, [](double v) { return v < -40 ? -0.0 : 0.5 * v * __builtin_erfc(-0.7071067811865476 * v); });
}
inline VecD gelu_slope(VecD x) {
  return each_lane(x, [](double v) {
    v = v < -40 ? -40 : v > 40 ? 40 : v;
    return 0.5 * __builtin_erfc(-0.7071067811865476 * v) + 0.3989422804014327 * v * __builtin_exp(-0.5 * v * v);
  });
}
inline VecD silu(VecD x) {
  return each_lane(x, [](double v) { return v < -800 ? -0.0 : v / (1 + __builtin_exp(-v)); });
}
inline VecD silu_slope(VecD x) {
  return each_lane(x, [](double v) {
    v = v < -800 ? -800 : v > 800 ? 800 : v;
    const double e = __builtin_exp(-__builtin_fabs(v)), s = (v < 0 ? e : 1) / (1 + e);
    return s * (1 + v * (v < 0 ? 1 : e) / (1 + e));
  });
}

}  // namespace
}  // namespace catalase
#endif
