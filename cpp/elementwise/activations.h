// The table of activations: everything that the CPU knows about one of them stands in its line. The enum, the names and
// numbers that Python reads from `_core`, the kernels of all levels and both types are made from it.
//
//   X(enumerator, name, the derivative is written from, f(x), dy f'(x))
//
// The last two are expressions in vectors of T, with the functions of vecmath.h; they are expanded in elementwise_impl.h
// alone. A derivative is written in dy and in y where the output y = f(x) determines it, so that a fused layer needs to
// keep nothing else, and in dy and x where it does not. cuda/activations.cuh has the same formulas for device code.
// Identity and ReLU come first: kernels that apply an activation in registers look for numbers up to ReLU's.
//
// NaN stays NaN. The derivative of ReLU at 0 is 0.
#pragma once

namespace catalase {

// clang-format off
#define CATALASE_ACTIVATIONS(X) \
  X(kIdentity,  "identity",   kOutput, x,           dy) \
  X(kRelu,      "relu",       kOutput, relu<T>(x),  select<T>(y <= Vec<T>{}, Vec<T>{}, dy)) \
  X(kTanh,      "tanh",       kOutput, tanh(x),     dy * (broadcast(T(1)) - y * y)) \
  X(kSigmoid,   "sigmoid",    kOutput, sigmoid(x),  dy * (y * (broadcast(T(1)) - y))) \
  X(kSoftplus,  "softplus",   kOutput, softplus(x), dy * one_minus_exp_minus(y))
// clang-format on

#define CATALASE_ENUMERATOR(enumerator, ...) enumerator,
enum class Activation : int { CATALASE_ACTIVATIONS(CATALASE_ENUMERATOR) };
// Functions of one value: the activations, with their numbers, and two more.
enum class Map : int { CATALASE_ACTIVATIONS(CATALASE_ENUMERATOR) kExp, kLog };
#undef CATALASE_ENUMERATOR

// By number: the name, and what the derivative is written from.
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
