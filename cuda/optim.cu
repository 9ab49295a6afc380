// One optimizer step over a flat buffer, in place; float32.
//
//              g = grad + l1 sign(param) + l2 param;  param *= keep (the decoupled decay);  then the rule:
//   SGD        param -= lr g
//   Momentum   v = beta1 v + g;                                        param -= lr v  (Nesterov: lr (g + beta1 v))
//   Adam       m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
//              param -= step_size m / (sqrt(v) root_scale + eps)
//   AdaGrad    s += g^2;                                               param -= lr g / (sqrt(s) + eps)
//   RMSProp    s = beta2 s + (1 - beta2) g^2;  v = beta1 v + g / (sqrt(s) + eps);  param -= lr v
//
// Threads: a grid walks the buffer, one element at a time; each array is read once and written once, by neighbouring
// lanes. Elements are independent: the CPU's operations in the CPU's order, so its bits. Bound: memory bandwidth, 28
// bytes an element for Adam; L2 bandwidth for nets whose buffers stay in L2.
#include "types.cuh"

namespace catalase {

struct Numbers {
  float lr, l1, l2, keep, beta1, beta2, eps, step_size, root_scale;
};

// A rule takes the gradient, the parameter after the decay, and both states, and returns the new parameter.
struct Sgd {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float&, float&) {
    return fmaf(-a.lr, g, p);
  }
};
struct Momentum {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float& v, float&) {
    v = fmaf(a.beta1, v, g);
    return fmaf(-a.lr, v, p);
  }
};
struct Nesterov {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float& v, float&) {
    v = fmaf(a.beta1, v, g);
    return fmaf(-a.lr, fmaf(a.beta1, v, g), p);
  }
};
struct Adam {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float& m, float& v) {
    m = fmaf(a.beta1, m, (1.0f - a.beta1) * g);
    v = fmaf(a.beta2, v, (1.0f - a.beta2) * g * g);
    return p - a.step_size * (m / fmaf(sqrtf(v), a.root_scale, a.eps));
  }
};
struct Adagrad {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float& s, float&) {
    s = fmaf(g, g, s);
    return p - a.lr * (g / (sqrtf(s) + a.eps));
  }
};
struct Rmsprop {
  static __device__ __forceinline__ float of(const Numbers& a, float g, float p, float& s, float& v) {
    s = fmaf(a.beta2, s, (1.0f - a.beta2) * g * g);
    v = fmaf(a.beta1, v, g / (sqrtf(s) + a.eps));
    return fmaf(-a.lr, v, p);
  }
};

template <class Rule>
__device__ __forceinline__ void step_all(const Numbers& a, float* param, const float* grad, float* first, float* second,
                                         i64 n) {
  const bool penalty = a.l1 != 0.0f || a.l2 != 0.0f;
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const float p = param[i];
    float g = grad[i], s1 = first != nullptr ? first[i] : 0.0f, s2 = second != nullptr ? second[i] : 0.0f;
    if (penalty) {
      const float sign = p > 0.0f ? a.l1 : (p < 0.0f ? -a.l1 : 0.0f);
      g = g + sign + a.l2 * p;
    }
    param[i] = Rule::of(a, g, p * a.keep, s1, s2);
    if (first != nullptr) first[i] = s1;
    if (second != nullptr) second[i] = s2;
  }
}

}  // namespace catalase

using namespace catalase;

// A rule that is not in codes.cuh is Nesterov's momentum. A replayed capture reads the numbers that change from step to
// step from rates (lr, keep, step_size, root_scale; a keep of 1 stays), and does nothing if the loss that guards it is
// not finite.
extern "C" __global__ void __launch_bounds__(256)
    optim_step_f32(i64 rule, float* param, const float* grad, float* first, float* second, const float* rates,
                   const float* guard, float lr, float l1, float l2, float keep, float beta1, float beta2, float eps,
                   float step_size, float root_scale, i64 n) {
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
      return step_all<Sgd>(a, param, grad, first, second, n);
    case kMomentumRule:
      return step_all<Momentum>(a, param, grad, first, second, n);
    case kAdamRule:
      return step_all<Adam>(a, param, grad, first, second, n);
    case kAdagradRule:
      return step_all<Adagrad>(a, param, grad, first, second, n);
    case kRmspropRule:
      return step_all<Rmsprop>(a, param, grad, first, second, n);
    default:
      return step_all<Nesterov>(a, param, grad, first, second, n);
  }
}
