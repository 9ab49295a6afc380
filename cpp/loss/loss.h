// Softmax and the losses, with weights.
//
// Rows of `classes` logits, contiguous. Either labels (int64, one a row) or probabilities (rows, classes) is null.
// weights has one value a row (elementwise losses: one an element), or is null for ones. Weight 0 gives loss 0 and
// gradient 0 for any label: a missing label never counts.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

template <class T>
struct LossArgs {
  const T* logits = nullptr;  // predictions, for squared error
  const std::int64_t* labels = nullptr;
  const T* targets = nullptr;  // probabilities, or target values
  const T* weights = nullptr;
  const T* dloss = nullptr;  // backward only
  T* out = nullptr;          // loss, or the gradient with respect to logits
  Index rows = 0;            // elements, for the elementwise losses
  Index classes = 1;
};

// The table of elementwise losses. The enum, the names and numbers that Python reads from `_core`, and the kernels of
// all levels and both types are made from it.
//
//   X(enumerator, name, loss of x and the target z, its derivative in x)
//
// The expressions are in vectors of T, with the functions of vecmath.h; they are expanded in loss_level.cpp alone.
// cuda/loss.cu has the same formulas for device code.
// clang-format off
#define CATALASE_ELEMENTWISE_LOSSES(X) \
  X(kSigmoid, "sigmoid", softplus(x) - x * z, sigmoid(x) - z) \
  X(kSquared, "squared", (x - z) * (x - z),   (x - z) + (x - z))
// clang-format on

#define CATALASE_ENUMERATOR(enumerator, ...) enumerator,
enum class Loss : int { kSoftmax, CATALASE_ELEMENTWISE_LOSSES(CATALASE_ENUMERATOR) kCount };
#undef CATALASE_ENUMERATOR

template <class T>
struct LossKernels {
  // y = softmax(x) or log softmax(x), row by row; y may be x.
  void (*softmax)(bool log, const T* x, T* y, Index rows, Index classes);
  void (*softmax_backward)(bool log, const T* dy, const T* y, T* dx, Index rows, Index classes);
  void (*loss)(Loss, bool backward, const LossArgs<T>&);
};
CATALASE_TYPED_KERNELS(LossKernels, loss)

// All threads.
template <class T>
void softmax(bool log, const T* x, T* y, Index rows, Index classes);
template <class T>
void softmax_backward(bool log, const T* dy, const T* y, T* dx, Index rows, Index classes);
template <class T>
void loss(Loss kind, bool backward, const LossArgs<T>& args);

}  // namespace catalase
