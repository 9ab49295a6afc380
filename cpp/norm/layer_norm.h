// Layer normalization of the rows of a matrix x (M, C), contiguous.
//
//   mean[i] = sum_c x[i, c] / C      var[i] = sum_c (x[i, c] - mean[i])^2 / C      inverse = 1 / sqrt(var + eps)
//   h = (x - mean) * inverse         y[i, c] = h[i, c] * gamma[c] + beta[c]
//
//   g = dy gamma      dx = inverse * (g - sum_c g / C - h sum_c (g h) / C)
//   dgamma[c] = sum_i dy h      dbeta[c] = sum_i dy
//
// A sum over a row is kept in kRowLanes lanes, lane j for the columns j, j + kRowLanes and so on in ascending order;
// the lanes are then joined in halves (j and j + 16, then j and j + 8, and so on). Neither the width of a register nor
// other rows change this order, and no product is fused with a sum, so a row has the same bits at every level, the
// portable one included, with any number of threads, alone and in any batch. The variance is taken about a rough mean
// in a second pass and corrected in double precision, so nothing cancels however far the mean lies from zero. The
// backward pass computes the statistics again, from a row that is in L1 anyway, so nothing is kept between the passes.
//
// Not centered, it is root mean square normalization (Zhang and Sennrich, arXiv:1910.07467): the mean counts as 0, so
// inverse = 1 / sqrt(sum_c x^2 / C + eps), and dx = inverse * (g - h sum_c (g h) / C).
//
// Threads share rows. The sums over rows, dgamma and dbeta, ascend within blocks of kBlockRows rows; the blocks are
// joined in double precision in ascending order. Bound: memory bandwidth; forward reads x once and writes y, backward
// reads x and dy once and writes dx.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kRowLanes = 32;  // a warp on CUDA; enough chains to hide the latency of an addition

template <class T>
struct LayerNormKernels {
  void (*forward)(const T* x, Index rows, Index channels, const T* gamma, const T* beta, double eps, bool centered,
                  T* y);
  // dx may be null. sums (2, C): of dy, and of dy * h, over these rows in ascending order.
  void (*backward)(const T* x, const T* dy, Index rows, Index channels, const T* gamma, double eps, bool centered,
                   T* dx, T* sums);
};
CATALASE_TYPED_KERNELS(LayerNormKernels, layer_norm)

// All threads.
template <class T>
void layer_norm(const T* x, Index rows, Index channels, const T* gamma, const T* beta, double eps, bool centered, T* y);
// dx may be null.
template <class T>
void layer_norm_backward(const T* x, const T* dy, Index rows, Index channels, const T* gamma, double eps, bool centered,
                         T* dx, T* dgamma, T* dbeta);

}  // namespace catalase
