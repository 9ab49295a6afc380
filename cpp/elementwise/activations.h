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
// right slope differ, the derivative is the left one; but it is 0 where "hard_sigmoid" and "hard_tanh" reach a bound.
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
    select<T>(y <= Vec<T>{}, dy * broadcast(T(0.01)), dy)) \
  X(kSelu,      "selu",       kOutput, select<T>(x < Vec<T>{}, elu(x) * broadcast(T(kSeluLow)), x * broadcast(T(kSelu))), \
    dy * select<T>(y > Vec<T>{}, broadcast(T(kSelu)), y + broadcast(T(kSeluLow)))) \
  X(kGeluTanh,  "gelu_tanh",  kInput,  gelu_tanh(x), dy * gelu_tanh_slope(x)) \
  X(kMish,      "mish",       kInput,  mish(x),     dy * mish_slope(x)) \
  X(kHardSigmoid, "hard_sigmoid", kOutput, within<T>((x + broadcast(T(3))) / broadcast(T(6)), T(0), T(1)), \
    inside<T>(y, T(0), T(1), dy / broadcast(T(6)))) \
  X(kHardTanh,  "hard_tanh",  kOutput, within<T>(x, T(-1), T(1)), inside<T>(y, T(-1), T(1), dy)) \
  X(kHardSwish, "hard_swish", kInput,  hard_swish<T>(x), dy * hard_swish_slope<T>(x))
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

// The slopes of "selu", which keep a mean of 0 and a variance of 1 (arXiv:1706.02515): lambda, and lambda alpha below 0.
constexpr double kSelu = 1.0507009873554805, kSeluLow = 1.7580993408473766;

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

// "hard_sigmoid" and "hard_tanh": x between two bounds, and a derivative that is 0 at the bounds and beyond.
template <class T>
inline Vec<T> within(Vec<T> x, T low, T high) {
  x = select<T>(x < broadcast(low), broadcast(low), x);
  return select<T>(x > broadcast(high), broadcast(high), x);
}
template <class T>
inline Vec<T> inside(Vec<T> y, T low, T high, Vec<T> dy) {
  return select<T>(y <= broadcast(low), Vec<T>{}, select<T>(y >= broadcast(high), Vec<T>{}, dy));
}

// x (x + 3) / 6 from -3 to 3, 0 below and x above. 1.9 ulp (1.9).
template <class T>
inline Vec<T> hard_swish(Vec<T> x) {
  const Vec<T> three = broadcast(T(3));
  return select<T>(x <= -three, Vec<T>{}, select<T>(x >= three, x, x * (x + three) / broadcast(T(6))));
}
template <class T>
inline Vec<T> hard_swish_slope(Vec<T> x) {
  const Vec<T> three = broadcast(T(3));
  const Vec<T> slope = (x + x + three) / broadcast(T(6));
  return select<T>(x <= -three, Vec<T>{}, select<T>(x > three, broadcast(T(1)), slope));
}

// x / (1 + exp(-v)) with v = 2 sqrt(2 / pi) (x + 0.044715 x^3): the approximation of gelu by tanh, as silu above. exp
// multiplies a rounding error of v, so that the error grows with v: 12.3 ulp (12.3) above -3, and 169 ulp (169) where the
// result is near 1e-36. The derivative is off by 1 epsilon at most.
struct TanhArgument {
  VecF t, v, slope;  // |x|, v, and its derivative, at |x|
};
inline TanhArgument tanh_argument(VecF x) {
  const VecF high = vec(10.6f);
  VecF t = abs(x);
  t = select<float>(t > high, high, t);
  const VecF square = t * t, first = vec(1.5957691216057308f);
  return {t, t * fma(square, vec(0.07135481627260025f), first), fma(square, vec(0.21406444881780076f), first)};
}
inline VecF gelu_tanh(VecF x) {
  const TanhArgument a = tanh_argument(x);
  const VecF one = vec(1.0f);
  const ExpParts exp = exp_parts(-a.v);
  const VecF e = exp.rest + one;
  const VecF above = select<float>(x < VecF{}, scaled(-a.t * e, exp.power), x);
  return above / (one + scaled(e, exp.power));
}
inline VecF gelu_tanh_slope(VecF x) {
  const TanhArgument a = tanh_argument(x);
  const VecF one = vec(1.0f), e = exp(-a.v), part = one / (one + e);
  const VecF slope = e * part * (one - a.t * a.slope * part);
  return select<float>(x < VecF{}, slope, one - slope);
}

// x tanh(log(1 + exp(x))) = x n / d, with e = exp(-|x|): n = 1 + 2 e, d = n + 2 e^2 if x >= 0, and n = e (2 + e), d = n + 2
// otherwise. 3.6 ulp (3.6). The derivative is off by 1.7 epsilons at most.
inline VecF mish(VecF x) {
  const VecF high = vec(104.0f), one = vec(1.0f), two = vec(2.0f);
  VecF t = abs(x);
  t = select<float>(t > high, high, t);
  const ExpParts exp = exp_parts(-t);
  const VecF rest = exp.rest + one, e = scaled(rest, exp.power);
  const MaskF negative = x < VecF{};
  const VecF n = select<float>(negative, two + e, fma(two, e, one));
  const VecF d = select<float>(negative, fma(e, two + e, two), fma(two * e, e, n));
  return select<float>(negative, scaled(-t * rest, exp.power), x) * (n / d);
}
// n / d + x 4 e (1 + e) / d^2, with e^2 in the place of e in the product if x >= 0.
inline VecF mish_slope(VecF x) {
  const VecF high = vec(104.0f), one = vec(1.0f), two = vec(2.0f);
  VecF t = abs(x);
  t = select<float>(t > high, high, t);
  const VecF e = exp(-t);
  const MaskF negative = x < VecF{};
  const VecF n = select<float>(negative, e * (two + e), fma(two, e, one));
  const VecF d = select<float>(negative, fma(e, two + e, two), fma(two * e, e, n));
  const VecF factor = select<float>(negative, -e, e * e);
  return (n + vec(4.0f) * t * factor * (one + e) / d) / d;
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
inline VecD gelu_tanh(VecD x) {
  return each_lane(x, [](double v) {
    return v < -40 ? -0.0 : v / (1 + __builtin_exp(-v * (1.5957691216057308 + 0.07135481627260025 * v * v)));
  });
}
inline VecD gelu_tanh_slope(VecD x) {
  return each_lane(x, [](double v) {
    const double t = v < -40 || v > 40 ? 40 : __builtin_fabs(v), square = t * t;
    const double e = __builtin_exp(-t * (1.5957691216057308 + 0.07135481627260025 * square)), part = 1 / (1 + e);
    const double slope = e * part * (1 - t * part * (1.5957691216057308 + 0.21406444881780076 * square));
    return v < 0 ? slope : 1 - slope;
  });
}
inline VecD mish(VecD x) {
  return each_lane(x, [](double v) {
    const double e = __builtin_exp(-__builtin_fabs(v));
    if (v < 0) return v < -800 ? -0.0 : v * (e * (2 + e) / (2 + e * (2 + e)));
    return v * ((1 + 2 * e) / (1 + 2 * e + 2 * e * e));
  });
}
inline VecD mish_slope(VecD x) {
  return each_lane(x, [](double v) {
    const double t = v < -800 || v > 800 ? 800 : __builtin_fabs(v), e = __builtin_exp(-t);
    const double n = v < 0 ? e * (2 + e) : 1 + 2 * e, d = n + (v < 0 ? 2 : 2 * e * e);
    return (n + 4 * t * (v < 0 ? -e : e * e) * (1 + e) / d) / d;
  });
}

}  // namespace
}  // namespace catalase
#endif
