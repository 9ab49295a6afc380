// One thread's optimizer step.
//
// Each array is read and written once, in order: 28 bytes a parameter for Adam, 24 if the gradient is gathered in
// registers. Bound: memory bandwidth. Square root and division are exact and hidden behind it: correctly rounded
// multiply-add sequences in their place measured the same (docs/measurements/dense.md).

#include "cpu/simd.h"
#include "optim/optim.h"

namespace catalase {
namespace {

// The source of a gradient: an array,
template <class T>
struct StoredGradient {
  const T* grad;

  template <int NV>
  void block(Index i, Vec<T>* out) const {
    for (int v = 0; v < NV; ++v) out[v] = load(grad + i + v * kWidth<T>);
  }
  Vec<T> lanes(Index i, LaneMask<T> lanes) const { return load_lanes(grad + i, lanes); }
};

// or a few rows of dz that are summed in registers: one row of x^T @ dz, with that product's chain.
template <class T>
struct GatheredGradient {
  const std::int32_t* columns;
  const T* values;
  Index entries;
  const T* dz;
  Index stride;

  template <int NV>
  void block(Index i, Vec<T>* out) const {
    Vec<T> sum[NV] = {};
    for (Index e = 0; e < entries; ++e) {
      const Vec<T> value = broadcast(values[e]);
      const T* row = dz + columns[e] * stride + i;
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sum[v] = fma(value, load(row + v * kWidth<T>), sum[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) out[v] = sum[v];
  }
  Vec<T> lanes(Index i, LaneMask<T> lanes) const {
    Vec<T> sum = {};
    for (Index e = 0; e < entries; ++e) {
      sum = fma(broadcast(values[e]), load_lanes(dz + columns[e] * stride + i, lanes), sum);
    }
    return sum;
  }
};

// Loads vectors from each array, applies f(g, p, s1, s2), stores.
template <class T, class Gradient, class F>
inline void for_each_vector(const OptimArgs<T>& a, const Gradient& gradient, F f) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const V l1 = broadcast(a.l1), l2 = broadcast(a.l2), keep = broadcast(a.keep);
  const bool penalty = a.l1 != T(0) || a.l2 != T(0);
  const auto body = [&](V p, V g, V& s1, V& s2) {
    if (penalty) {
      const V sign = select<T>(p > V{}, l1, select<T>(p < V{}, -l1, V{}));
      g = g + sign + l2 * p;
    }
    return f(g, p * keep, s1, s2);
  };
  const auto vectors = [&]<int NV>(Index i) {
    V g[NV];
    gradient.template block<NV>(i, g);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const Index at = i + v * W;
      V s1 = a.first != nullptr ? load(a.first + at) : V{}, s2 = a.second != nullptr ? load(a.second + at) : V{};
      store(a.param + at, body(load(a.param + at), g[v], s1, s2));
      if (a.first != nullptr) store(a.first + at, s1);
      if (a.second != nullptr) store(a.second + at, s2);
    }
  };
  Index i = 0;
  for (; i + 4 * W <= a.n; i += 4 * W) vectors.template operator()<4>(i);
  for (; i + W <= a.n; i += W) vectors.template operator()<1>(i);
  if (i < a.n) {
    const LaneMask<T> rest = first_lanes<T>(a.n - i);
    V s1 = a.first != nullptr ? load_lanes(a.first + i, rest) : V{};
    V s2 = a.second != nullptr ? load_lanes(a.second + i, rest) : V{};
    store_lanes(a.param + i, body(load_lanes(a.param + i, rest), gradient.lanes(i, rest), s1, s2), rest);
    if (a.first != nullptr) store_lanes(a.first + i, s1, rest);
    if (a.second != nullptr) store_lanes(a.second + i, s2, rest);
  }
}

template <class T, class Gradient>
void step_with(Rule rule, const OptimArgs<T>& a, const Gradient& gradient) {
  using V = Vec<T>;
  const V lr = broadcast(a.lr), b1 = broadcast(a.beta1), b2 = broadcast(a.beta2), eps = broadcast(a.eps);
  const V one = broadcast(T(1)), step_size = broadcast(a.step_size), root_scale = broadcast(a.root_scale);
  const V c1 = one - b1, c2 = one - b2;
  switch (rule) {
    case Rule::kSgd:
      return for_each_vector(a, gradient, [&](V g, V p, V&, V&) { return fma(-lr, g, p); });
    case Rule::kMomentum:
      if (a.nesterov) {
        return for_each_vector(a, gradient, [&](V g, V p, V& v, V&) {
          v = fma(b1, v, g);
          return fma(-lr, fma(b1, v, g), p);
        });
      }
      return for_each_vector(a, gradient, [&](V g, V p, V& v, V&) {
        v = fma(b1, v, g);
        return fma(-lr, v, p);
      });
    case Rule::kAdam:
      return for_each_vector(a, gradient, [&](V g, V p, V& m, V& v) {
        m = fma(b1, m, c1 * g);
        v = fma(b2, v, c2 * g * g);
        return p - step_size * (m / fma(sqrt(v), root_scale, eps));
      });
    case Rule::kAdagrad:
      return for_each_vector(a, gradient, [&](V g, V p, V& s, V&) {
        s = fma(g, g, s);
        return p - lr * (g / (sqrt(s) + eps));
      });
    case Rule::kRmsprop:
      return for_each_vector(a, gradient, [&](V g, V p, V& s, V& v) {
        s = fma(b2, s, c2 * g * g);
        v = fma(b1, v, g / (sqrt(s) + eps));
        return fma(-lr, v, p);
      });
    case Rule::kCount:
      break;
  }
}

template <class T>
void optim_step_level(Rule rule, const OptimArgs<T>& a) {
  step_with(rule, a, StoredGradient<T>{a.grad});
}

template <class T>
void optim_step_gathered_level(Rule rule, const OptimArgs<T>& a, const SparseRows<T>& x, MatrixView<const T> dz,
                               Index begin, Index end, Index stride) {
  OptimArgs<T> row = a;
  row.n = dz.cols;
  for (Index i = begin; i < end; ++i) {
    row.param = a.param + i * stride;
    if (a.first != nullptr) row.first = a.first + i * stride;
    if (a.second != nullptr) row.second = a.second + i * stride;
    const Index first = x.starts[i], entries = x.starts[i + 1] - first;
    step_with(rule, row, GatheredGradient<T>{x.columns + first, x.values + first, entries, dz.data, dz.row_stride});
  }
}

template <class T>
constexpr OptimKernels<T> kKernels = {
    optim_step_level<T>,
    optim_step_gathered_level<T>,
};

}  // namespace

extern const BothTypes<OptimKernels> CATALASE_AT_LEVEL(optim) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
