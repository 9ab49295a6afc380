// Matrix multiply with a fused epilogue:  C = act(A @ B + bias).
//
// A (M, K) and B (K, N) have any strides (transposes are views); C (M, N) has rows of unit stride, row_stride >= N, and
// overlaps neither input. bias is (N,) or null. float32 and float64.
//
// Every output is one chain of fused multiply-adds in ascending k from zero, cut every kChainLength terms with the
// parts added in order; bias is added last. Threads share outputs only. So the bits do not depend on the number of
// threads, on the rows that happen to be in the batch, or on the FMA level.
#pragma once

#include "common/views.h"

namespace catalase {

template <class T>
struct MatmulArgs {
  MatrixView<const T> a;
  MatrixView<const T> b;
  MatrixView<T> c;
  const T* bias = nullptr;
  Activation activation = Activation::kIdentity;
};

// One thread's work, at one level. `tile_rows`, `tile_cols`: what a block of outputs should be a multiple of.
struct MatmulKernels {
  void (*matmul_f32)(const MatmulArgs<float>&);
  void (*matmul_f64)(const MatmulArgs<double>&);
  // out[j] = sum over i of x[i, j], in ascending i, cut as products are. x has unit column stride.
  void (*column_sum_f32)(MatrixView<const float> x, float* out);
  void (*column_sum_f64)(MatrixView<const double> x, double* out);
  Index tile_rows;
  Index tile_cols_f32;
  Index tile_cols_f64;
};

extern const MatmulKernels matmul_portable, matmul_avx2, matmul_avx512;

// All threads.
template <class T>
void matmul(const MatmulArgs<T>& args);
template <class T>
void column_sum(MatrixView<const T> x, T* out);

}  // namespace catalase
