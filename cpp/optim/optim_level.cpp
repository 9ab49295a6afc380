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

// A parameter after its rule, and its own step size (computed only where a penalty asks for it).
template <class T>
struct Moved {
  Vec<T> p, unit;
};

// Loads vectors from each array, applies f(g, p, s1, s2, s3), then the proximal step of the L1 penalty, and stores.
template <bool kProximal, class T, class Gradient, class F>
inline void for_each_vector(const OptimArgs<T>& a, const Gradient& gradient, F f) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  const V l1 = broadcast(a.l1), l2 = broadcast(a.l2), keep = broadcast(a.keep);
  const bool penalty = a.l2 != T(0);
  const auto body = [&](V p, V g, V& s1, V& s2, V& s3) {
    if (penalty) g = g + l2 * p;
    const Moved<T> moved = f(g, p * keep, s1, s2, s3);
    if constexpr (!kProximal) return moved.p;
    const V size = select<T>(moved.p < V{}, -moved.p, moved.p), reach = l1 * moved.unit, left = size - reach;
    return select<T>(size <= reach, V{}, select<T>(moved.p < V{}, -left, left));  // NaN stays NaN
  };
  const auto vectors = [&]<int NV>(Index i) {
    V g[NV];
    gradient.template block<NV>(i, g);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const Index at = i + v * W;
      V s1 = a.first != nullptr ? load(a.first + at) : V{}, s2 = a.second != nullptr ? load(a.second + at) : V{};
      V s3 = a.third != nullptr ? load(a.third + at) : V{};
      store(a.param + at, body(load(a.param + at), g[v], s1, s2, s3));
      if (a.first != nullptr) store(a.first + at, s1);
      if (a.second != nullptr) store(a.second + at, s2);
      if (a.third != nullptr) store(a.third + at, s3);
    }
  };
  Index i = 0;
  for (; i + 4 * W <= a.n; i += 4 * W) vectors.template operator()<4>(i);
  for (; i + W <= a.n; i += W) vectors.template operator()<1>(i);
  if (i < a.n) {
    const LaneMask<T> rest = first_lanes<T>(a.n - i);
    V s1 = a.first != nullptr ? load_lanes(a.first + i, rest) : V{};
    V s2 = a.second != nullptr ? load_lanes(a.second + i, rest) : V{};
    V s3 = a.third != nullptr ? load_lanes(a.third + i, rest) : V{};
    store_lanes(a.param + i, body(load_lanes(a.param + i, rest), gradient.lanes(i, rest), s1, s2, s3), rest);
    if (a.first != nullptr) store_lanes(a.first + i, s1, rest);
    if (a.second != nullptr) store_lanes(a.second + i, s2, rest);
    if (a.third != nullptr) store_lanes(a.third + i, s3, rest);
  }
}

template <bool kProximal, class T, class Gradient>
void step_of(Rule rule, const OptimArgs<T>& a, const Gradient& gradient) {
  using V = Vec<T>;
  const V lr = broadcast(a.lr), b1 = broadcast(a.beta1), b2 = broadcast(a.beta2), eps = broadcast(a.eps);
  const V one = broadcast(T(1)), step_size = broadcast(a.step_size), root_scale = broadcast(a.root_scale);
  const V c1 = one - b1, c2 = one - b2, lasting = lr / c1;
  const auto all = [&](auto f) { for_each_vector<kProximal>(a, gradient, f); };
  switch (rule) {
    case Rule::kSgd:
      return all([&](V g, V p, V&, V&, V&) { return Moved<T>{fma(-lr, g, p), lr}; });
    case Rule::kMomentum:
      if (a.nesterov) {
        return all([&](V g, V p, V& v, V&, V&) {
          v = fma(b1, v, g);
          return Moved<T>{fma(-lr, fma(b1, v, g), p), lasting};
        });
      }
      return all([&](V g, V p, V& v, V&, V&) {
        v = fma(b1, v, g);
        return Moved<T>{fma(-lr, v, p), lasting};
      });
    case Rule::kAdam:
      return all([&](V g, V p, V& m, V& v, V&) {
        m = fma(b1, m, c1 * g);
        v = fma(b2, v, c2 * g * g);
        const V root = fma(sqrt(v), root_scale, eps);
        return Moved<T>{p - step_size * (m / root), lr / root};
      });
    case Rule::kAdagrad:
      return all([&](V g, V p, V& s, V&, V&) {
        s = fma(g, g, s);
        const V root = sqrt(s) + eps;
        return Moved<T>{p - lr * (g / root), lr / root};
      });
    case Rule::kRmsprop:
      return all([&](V g, V p, V& s, V& v, V&) {
        s = fma(b2, s, c2 * g * g);
        const V root = sqrt(s) + eps;
        v = fma(b1, v, g / root);
        return Moved<T>{fma(-lr, v, p), lasting / root};
      });
    case Rule::kAmsgrad:
      return all([&](V g, V p, V& m, V& v, V& w) {
        m = fma(b1, m, c1 * g);
        v = fma(b2, v, c2 * g * g);
        w = select<T>(v <= w, w, v);  // NaN comes through
        const V root = fma(sqrt(w), root_scale, eps);
        return Moved<T>{p - step_size * (m / root), lr / root};
      });
    case Rule::kLion:
      return all([&](V g, V p, V& m, V&, V&) {
        const V c = fma(b1, m, c1 * g);
        m = fma(b2, m, c2 * g);
        const V size = select<T>(m < V{}, -m, m);
        const V sign = select<T>(c > V{}, lr, select<T>(c < V{}, -lr, c));  // NaN comes through
        return Moved<T>{p - sign, lr / (size + eps)};
      });
    case Rule::kCount:
      break;
  }
}

template <class T, class Gradient>
void step_with(Rule rule, const OptimArgs<T>& a, const Gradient& gradient) {
  a.l1 != T(0) ? step_of<true>(rule, a, gradient) : step_of<false>(rule, a, gradient);
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
    if (a.third != nullptr) row.third = a.third + i * stride;
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
