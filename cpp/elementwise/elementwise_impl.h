#pragma once
#include "elementwise/elementwise.h"
namespace catalase {
namespace {
template <class T>
void activation(Activation f, const T* x, T* y, Index n) {
  for (Index i = 0; i < n; ++i) {
    const double v = x[i];
    switch (f) {
      case Activation::kIdentity: y[i] = x[i]; break;
      case Activation::kRelu: y[i] = x[i] < T(0) ? T(0) : x[i]; break;
      case Activation::kTanh: y[i] = static_cast<T>(__builtin_tanh(v)); break;
      case Activation::kSigmoid: y[i] = static_cast<T>(1 / (1 + __builtin_exp(-v))); break;
      case Activation::kSoftplus: y[i] = static_cast<T>((v > 0 ? v : 0) + __builtin_log1p(__builtin_exp(v > 0 ? -v : v))); break;
    }
  }
}
}  // namespace
}  // namespace catalase
