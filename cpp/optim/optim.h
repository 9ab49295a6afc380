// Optimizer steps over flat parameter buffers, in place: one pass over parameters, gradient and moments.
//
//             g = grad + l2 p;  p = p (1 - lr decay): the penalty in the gradient, then decoupled decay; then the rule
//   SGD       p -= lr g
//   Momentum  v = mu v + g;                                  p -= lr v          (Nesterov: p -= lr (g + mu v))
//   Adam      m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g g;
//             p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//   AdaGrad   s += g g;                                      p -= lr g / (sqrt(s) + eps)
//   RMSProp   s = a s + (1 - a) g g;  v = mu v + g / (sqrt(s) + eps);  p -= lr v
//   AMSGrad   Adam with w = max(w, v) in the place of v under the root
//   Lion      c = b1 m + (1 - b1) g;  m = b2 m + (1 - b2) g;          p -= lr sign(c)
//             p = sign(p) max(|p| - l1 u, 0): the proximal step of l1 |p|, which gives exact zeros
//
// u is the weight's own step size: how far a lasting gradient of 1 moves it in a step. So all rules have the same
// minimum.
//   SGD       lr                                            Momentum  lr / (1 - mu)
//   Adam      lr / (sqrt(v) / sqrt(1 - b2^t) + eps)         AMSGrad   the same with w
//   AdaGrad   lr / (sqrt(s) + eps)                          RMSProp   lr / ((1 - mu) (sqrt(s) + eps))
//   Lion      lr / (|m| + eps)
//
// These are PyTorch's formulas. Square root and division are exact. Zero parameters with zero gradients stay zero,
// which keeps the pad columns of the flat buffer clean.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "matmul/sparse.h"

namespace catalase {

// The rules and their names in `_core`: optim_level.cpp has the formulas, cuda/optim.cu the same for device code.
// clang-format off
#define CATALASE_RULES(X) \
  X(kSgd, "sgd") X(kMomentum, "momentum") X(kAdam, "adam") X(kAdagrad, "adagrad") X(kRmsprop, "rmsprop") \
  X(kAmsgrad, "amsgrad") X(kLion, "lion")
// clang-format on

#define CATALASE_ENUMERATOR(enumerator, name) enumerator,
enum class Rule : int { CATALASE_RULES(CATALASE_ENUMERATOR) kCount };
#undef CATALASE_ENUMERATOR

template <class T>
struct OptimArgs {
  T* param = nullptr;
  const T* grad = nullptr;
  T* first = nullptr;   // velocity, m, or sum of squares; null for SGD
  T* second = nullptr;  // v (Adam), or the velocity of RMSProp; else null
  T* third = nullptr;   // the largest v (AMSGrad); else null
  Index n = 0;
  T lr, l1, l2, keep;  // keep = 1 - lr * decay
  T beta1, beta2, eps;
  T step_size;   // Adam: lr / (1 - beta1^t)
  T root_scale;  // Adam: 1 / sqrt(1 - beta2^t)
  bool nesterov = false;
};

template <class T>
struct OptimKernels {
  void (*step)(Rule, const OptimArgs<T>&);
  // Rows [begin, end) of a weight matrix, `stride` apart; row i of the gradient is row i of x times dz, summed in
  // registers. x has no more than kChainLength columns, dz unit column stride. args.grad and args.n are not read.
  void (*step_gathered)(Rule, const OptimArgs<T>& args, const SparseRows<T>& x, MatrixView<const T> dz, Index begin,
                        Index end, Index stride);
};
CATALASE_TYPED_KERNELS(OptimKernels, optim)

// All threads.
template <class T>
void optim_step(Rule rule, const OptimArgs<T>& args);

// The step of a dense layer's weights (rows, cols), with rows `stride` apart in every array, whose gradient x^T @ dz is
// a deferred product: a strip of its rows is computed into the cache and used at once. x is sparse (already transposed:
// one row an input feature) or dense (N, rows); dz is (N, cols). args.grad and args.n are not read. The bits are those
// of computing the gradient first.
template <class T>
void optim_step_linear(Rule rule, const OptimArgs<T>& args, Index rows, Index cols, Index stride,
                       const SparseRows<T>* sparse_x, const MatrixView<const T>& dense_x,
                       const MatrixView<const T>& dz);

}  // namespace catalase
