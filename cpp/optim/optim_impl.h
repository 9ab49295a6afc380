// One thread's optimizer step. Included by optim_<level>.cpp after simd_<level>.h.
//
// Each array is read and written once, in order: 28 bytes a parameter for Adam. Bound: cache or memory bandwidth;
// square root and division are exact. The measured figure is in this folder's README.
#pragma once

#include "optim/optim.h"

namespace catalase {
namespace {

// Loads up to one vector from each array, applies f(g, p, s1, s2), stores.
template <class T, class F>
inline void for_each_vector(const OptimArgs<T>& a, F f) {
  using V = Vec<T>;
  const V l1 = broadcast(a.l1), l2 = broadcast(a.l2), keep = broadcast(a.keep);
  const bool penalty = a.l1 != T(0) || a.l2 != T(0);
  const auto body = [&](V p, V g, V& s1, V& s2) {
    if (penalty) {
      const V sign = select<T>(p > V{}, l1, select<T>(p < V{}, -l1, V{}));
      g = g + sign + l2 * p;
    }
    return f(g, p * keep, s1, s2);
  };
  Index i = 0;
  for (; i + kWidth<T> <= a.n; i += kWidth<T>) {
    V s1 = a.first != nullptr ? load(a.first + i) : V{}, s2 = a.second != nullptr ? load(a.second + i) : V{};
    store(a.param + i, body(load(a.param + i), load(a.grad + i), s1, s2));
    if (a.first != nullptr) store(a.first + i, s1);
    if (a.second != nullptr) store(a.second + i, s2);
  }
  if (i < a.n) {
    const LaneMask<T> rest = first_lanes<T>(a.n - i);
    V s1 = a.first != nullptr ? load_lanes(a.first + i, rest) : V{};
    V s2 = a.second != nullptr ? load_lanes(a.second + i, rest) : V{};
    store_lanes(a.param + i, body(load_lanes(a.param + i, rest), load_lanes(a.grad + i, rest), s1, s2), rest);
    if (a.first != nullptr) store_lanes(a.first + i, s1, rest);
    if (a.second != nullptr) store_lanes(a.second + i, s2, rest);
  }
}

template <class T>
void optim_step_level(Rule rule, const OptimArgs<T>& a) {
  using V = Vec<T>;
  const V lr = broadcast(a.lr), b1 = broadcast(a.beta1), b2 = broadcast(a.beta2), eps = broadcast(a.eps);
  const V one = broadcast(T(1)), step_size = broadcast(a.step_size), root_scale = broadcast(a.root_scale);
  const V c1 = one - b1, c2 = one - b2;
  switch (rule) {
    case Rule::kSgd:
      return for_each_vector(a, [&](V g, V p, V&, V&) { return fma(-lr, g, p); });
    case Rule::kMomentum:
      if (a.nesterov) {
        return for_each_vector(a, [&](V g, V p, V& v, V&) {
          v = fma(b1, v, g);
          return fma(-lr, fma(b1, v, g), p);
        });
      }
      return for_each_vector(a, [&](V g, V p, V& v, V&) {
        v = fma(b1, v, g);
        return fma(-lr, v, p);
      });
    case Rule::kAdam:
      return for_each_vector(a, [&](V g, V p, V& m, V& v) {
        m = fma(b1, m, c1 * g);
        v = fma(b2, v, c2 * g * g);
        return p - step_size * (m / fma(sqrt(v), root_scale, eps));
      });
    case Rule::kAdagrad:
      return for_each_vector(a, [&](V g, V p, V& s, V&) {
        s = fma(g, g, s);
        return p - lr * (g / (sqrt(s) + eps));
      });
    case Rule::kRmsprop:
      return for_each_vector(a, [&](V g, V p, V& s, V& v) {
        s = fma(b2, s, c2 * g * g);
        v = fma(b1, v, g / (sqrt(s) + eps));
        return fma(-lr, v, p);
      });
  }
}

}  // namespace
}  // namespace catalase
