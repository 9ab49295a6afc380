// Batch normalization of the columns (channels) of a matrix x (M, C), contiguous.
//
//   mean[c] = sum_i x[i, c] / M      var[c] = sum_i (x[i, c] - mean[c])^2 / M
//   y[i, c] = act((x[i, c] - mean[c]) * scale[c] + beta[c])      scale = gamma / sqrt(var + eps)
//
//   g = dy where act passed it on, h = (x - mean) / sqrt(var + eps)
//   dbeta = sum_i g      dgamma = sum_i g h      dx = scale * (g - dbeta / M - h dgamma / M)
//
// Statistics are computed in blocks of kBlockRows rows, each relative to its own rough mean, so nothing cancels however
// far the mean lies from zero; the blocks' sums are joined in double precision in ascending order. One pass over
// memory. The bits depend on M, but not on the number of threads. Bound: memory bandwidth; forward reads x twice and
// writes y, backward reads x and dy twice and writes dx.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kBlockRows = 64;  // with 4 vectors, so that a block stays in L1 between its two reads

// A part of the rows of x, and of dx, dy and y; arrays of length C are whole.
template <class T>
struct NormArgs {
  Index rows = 0, channels = 0;
  const T* x = nullptr;
  const T* dy = nullptr;
  T* out = nullptr;  // y or dx
  const T* mean = nullptr;
  const T* scale = nullptr;  // gamma / sqrt(var + eps)
  const T* beta = nullptr;
  const T* dy_mean = nullptr;  // dbeta / M, or zeros
  const T* slope = nullptr;    // dgamma / M / sqrt(var + eps), or zeros
  bool relu = false;
};

template <class T>
struct NormKernels {
  // sums (3, C) of one block: a rough mean r, then the sums of x - r and of its square.
  void (*moments)(const T* x, Index rows, Index channels, T* sums);
  // y = act((x - mean) * scale + beta)
  void (*normalize)(const NormArgs<T>&);
  // sums (2, C) of one block: of g, and of g * (x - mean).
  void (*gradient_sums)(const NormArgs<T>&, T* sums);
  // dx = scale * (g - dy_mean - (x - mean) * slope)
  void (*input_gradient)(const NormArgs<T>&);
};
CATALASE_TYPED_KERNELS(NormKernels, norm)

// All threads.
// Mean and variance (divided by M) of each column; M >= 1.
template <class T>
void moments(const T* x, Index rows, Index channels, T* mean, T* var);
template <class T>
void batch_norm(const T* x, Index rows, Index channels, const T* gamma, const T* beta, const T* mean, const T* var,
                double eps, bool relu, T* y);
// batch_statistics: whether mean and var came from x itself, so that dx goes through them too.
template <class T>
void batch_norm_backward(const T* x, const T* dy, Index rows, Index channels, const T* gamma, const T* beta,
                         const T* mean, const T* var, double eps, bool relu, bool batch_statistics, T* dx, T* dgamma,
                         T* dbeta);

}  // namespace catalase
