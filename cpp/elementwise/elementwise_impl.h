// Elementwise maps, one thread, one level. Included by elementwise_<level>.cpp after simd_<level>.h.
//
// One pass, one vector at a time; the last, short vector is loaded and stored lane by lane. Bound: memory bandwidth for
// ReLU, some 20 instructions a vector for the others.
#pragma once

#include "elementwise/elementwise.h"
#include "elementwise/philox.h"
#include "elementwise/vecmath.h"

namespace catalase {
namespace {

template <class T, class F>
inline void map_vectors(const T* x, T* y, Index n, F f) {
  Index i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) store(y + i, f(load(x + i)));
  const LaneMask<T> rest = first_lanes<T>(n - i);
  if (i < n) store_lanes(y + i, f(load_lanes(x + i, rest)), rest);
}

template <class T>
void map_level(Map f, const T* x, T* y, Index n) {
  using V = Vec<T>;
  switch (f) {
    case Map::kIdentity:
      return map_vectors(x, y, n, [](V v) { return v; });
    case Map::kRelu:
      return map_vectors(x, y, n, [](V v) { return select<T>(v < V{}, V{}, v); });
    case Map::kTanh:
      return map_vectors(x, y, n, [](V v) { return tanh(v); });
    case Map::kSigmoid:
      return map_vectors(x, y, n, [](V v) { return sigmoid(v); });
    case Map::kSoftplus:
      return map_vectors(x, y, n, [](V v) { return softplus(v); });
    case Map::kExp:
      return map_vectors(x, y, n, [](V v) { return exp(v); });
    case Map::kLog:
      return map_vectors(x, y, n, [](V v) { return log(v); });
  }
}

template <class T, class F>
inline void map_pairs(const T* a, const T* b, T* y, Index n, F f) {
  Index i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) store(y + i, f(load(a + i), load(b + i)));
  const LaneMask<T> rest = first_lanes<T>(n - i);
  if (i < n) store_lanes(y + i, f(load_lanes(a + i, rest), load_lanes(b + i, rest)), rest);
}

template <class T>
void activation_backward_level(Activation f, const T* dy, const T* y, T* dx, Index n) {
  using V = Vec<T>;
  switch (f) {
    case Activation::kIdentity:
      return map_pairs(dy, y, dx, n, [](V d, V) { return d; });
    case Activation::kRelu:
      return map_pairs(dy, y, dx, n, [](V d, V v) { return select<T>(v <= V{}, V{}, d); });
    case Activation::kTanh:
      return map_pairs(dy, y, dx, n, [](V d, V v) { return d * (broadcast(T(1)) - v * v); });
    case Activation::kSigmoid:
      return map_pairs(dy, y, dx, n, [](V d, V v) { return d * (v * (broadcast(T(1)) - v)); });
    case Activation::kSoftplus:
      return map_pairs(dy, y, dx, n, [](V d, V v) { return d * one_minus_exp_minus(v); });
  }
}

template <class T>
void dropout_level(DropoutKey key, Index first, std::uint32_t threshold, T scale, const T* x, T* y, Index n) {
  for (Index i = 0; i < n; i += 64) {
    std::uint32_t words[64];
    philox_group(key, static_cast<std::uint64_t>(first + i) / 64, words);
    const Index count = n - i < 64 ? n - i : 64;
    for (Index j = 0; j < count; ++j) y[i + j] = words[j] >= threshold ? x[i + j] * scale : T(0);
  }
}

}  // namespace
}  // namespace catalase
