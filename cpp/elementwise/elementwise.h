// Maps over arrays, one value at a time: activations and their derivatives.
#pragma once

#include "common/views.h"

namespace catalase {

struct ElementwiseKernels {
  // y[i] = activation(x[i]); x and y may be the same array.
  void (*activation_f32)(Activation, const float* x, float* y, Index n);
  void (*activation_f64)(Activation, const double* x, double* y, Index n);
};

extern const ElementwiseKernels elementwise_portable, elementwise_avx2, elementwise_avx512;

}  // namespace catalase
