// One optimizer step over a flat buffer, in place; float32.
//
//              g = grad + l2 param;  param *= keep (the decoupled decay);  then the rule:
//   SGD        param -= lr g
//   Momentum   v = beta1 v + g;                                        param -= lr v  (Nesterov: lr (g + beta1 v))
//   Adam       m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
//              param -= step_size m / (sqrt(v) root_scale + eps)
//   AdaGrad    s += g^2;                                               param -= lr g / (sqrt(s) + eps)
//   RMSProp    s = beta2 s + (1 - beta2) g^2;  v = beta1 v + g / (sqrt(s) + eps);  param -= lr v
//   AMSGrad    Adam with w = max(w, v) in the place of v under the root
//   Lion       c = beta1 m + (1 - beta1) g;  m = beta2 m + (1 - beta2) g;  param -= lr sign(c)
//              param = sign(param) max(|param| - l1 u, 0), with the weight's own step size u (cpp/optim/optim.h)
//
// Threads: a grid walks the buffer, one element at a time; each array is read once and written once, by neighbouring
// lanes. Elements are independent: the CPU's operations in the CPU's order, so its bits. Bound: memory bandwidth, 28
// bytes an element for Adam; L2 bandwidth for nets whose buffers stay in L2.
#include "types.cuh"

namespace catalase {

struct Numbers {
  float lr, l1, l2, keep, beta1, beta2, eps, step_size, root_scale;
};

// A parameter after its rule, and its own step size (read only where there is a penalty).
struct Moved {
  float p, unit;
};

// A rule takes the gradient, the parameter after the decay, and the states.
struct Sgd {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float&, float&, float&) {
    return {fmaf(-a.lr, g, p), a.lr};
  }
};
struct Momentum {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& v, float&, float&) {
    v = fmaf(a.beta1, v, g);
    return {fmaf(-a.lr, v, p), a.lr / (1.0f - a.beta1)};
  }
};
struct Nesterov {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& v, float&, float&) {
    v = fmaf(a.beta1, v, g);
    return {fmaf(-a.lr, fmaf(a.beta1, v, g), p), a.lr / (1.0f - a.beta1)};
  }
};
struct Adam {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& m, float& v, float&) {
    m = fmaf(a.beta1, m, (1.0f - a.beta1) * g);
    v = fmaf(a.beta2, v, (1.0f - a.beta2) * g * g);
    const float root = fmaf(sqrtf(v), a.root_scale, a.eps);
    return {p - a.step_size * (m / root), a.lr / root};
  }
};
struct Adagrad {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& s, float&, float&) {
    s = fmaf(g, g, s);
    const float root = sqrtf(s) + a.eps;
    return {p - a.lr * (g / root), a.lr / root};
  }
};
struct Rmsprop {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& s, float& v, float&) {
    s = fmaf(a.beta2, s, (1.0f - a.beta2) * g * g);
    const float root = sqrtf(s) + a.eps;
    v = fmaf(a.beta1, v, g / root);
    return {fmaf(-a.lr, v, p), a.lr / (1.0f - a.beta1) / root};
  }
};
struct Amsgrad {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& m, float& v, float& w) {
    m = fmaf(a.beta1, m, (1.0f - a.beta1) * g);
    v = fmaf(a.beta2, v, (1.0f - a.beta2) * g * g);
    w = v <= w ? w : v;  // NaN comes through
    const float root = fmaf(sqrtf(w), a.root_scale, a.eps);
    return {p - a.step_size * (m / root), a.lr / root};
  }
};
struct Lion {
  static __device__ __forceinline__ Moved of(const Numbers& a, float g, float p, float& m, float&, float&) {
    const float c = fmaf(a.beta1, m, (1.0f - a.beta1) * g);
    m = fmaf(a.beta2, m, (1.0f - a.beta2) * g);
    const float sign = c > 0.0f ? a.lr : (c < 0.0f ? -a.lr : c);  // NaN comes through
    return {p - sign, a.lr / (fabsf(m) + a.eps)};
  }
};

template <class Rule>
__device__ __forceinline__ void step_all(const Numbers& a, float* param, const float* grad, float* first, float* second,
                                         float* third, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    float p = param[i], g = grad[i];
    float s1 = first != nullptr ? first[i] : 0.0f, s2 = second != nullptr ? second[i] : 0.0f;
    float s3 = third != nullptr ? third[i] : 0.0f;
    if (a.l2 != 0.0f) g = g + a.l2 * p;
    const Moved moved = Rule::of(a, g, p * a.keep, s1, s2, s3);
    p = moved.p;
    if (a.l1 != 0.0f) {
      const float size = fabsf(p), reach = a.l1 * moved.unit;
      p = size <= reach ? 0.0f : copysignf(size - reach, p);  // NaN stays NaN
    }
    param[i] = p;
    if (first != nullptr) first[i] = s1;
    if (second != nullptr) second[i] = s2;
    if (third != nullptr) third[i] = s3;
  }
}

}  // namespace catalase

using namespace catalase;

// A rule that is not in codes.cuh is Nesterov's momentum. A replayed capture reads the numbers that change from step to
// step from rates (lr, keep, step_size, root_scale; a keep of 1 stays), and does nothing if the loss that guards it is
// not finite.
extern "C" __global__ void __launch_bounds__(256)
    optim_step_f32(i64 rule, float* param, const float* grad, float* first, float* second, float* third,
                   const float* rates, const float* guard, float lr, float l1, float l2, float keep, float beta1,
                   float beta2, float eps, float step_size, float root_scale, i64 n) {
  Numbers a{lr, l1, l2, keep, beta1, beta2, eps, step_size, root_scale};
  if (guard != nullptr && !(*guard - *guard == 0.0f)) return;
  if (rates != nullptr) {
    a.lr = rates[0];
    a.keep = keep == 1.0f ? 1.0f : rates[1];
    a.step_size = rates[2];
    a.root_scale = rates[3];
  }
  switch (rule) {
    case kSgdRule:
      return step_all<Sgd>(a, param, grad, first, second, third, n);
    case kMomentumRule:
      return step_all<Momentum>(a, param, grad, first, second, third, n);
    case kAdamRule:
      return step_all<Adam>(a, param, grad, first, second, third, n);
    case kAdagradRule:
      return step_all<Adagrad>(a, param, grad, first, second, third, n);
    case kRmspropRule:
      return step_all<Rmsprop>(a, param, grad, first, second, third, n);
    case kAmsgradRule:
      return step_all<Amsgrad>(a, param, grad, first, second, third, n);
    case kLionRule:
      return step_all<Lion>(a, param, grad, first, second, third, n);
    default:
      return step_all<Nesterov>(a, param, grad, first, second, third, n);
  }
}
