// Pooling in one, two or three dimensions, channels last. A 1-D or 2-D one has leading dimensions of length 1.
//
//   max:  y[n, o..., c] = max  over the window of  x[n, o * stride + t - before, c],  0 <= t < size
//   mean: y[n, o..., c] = sum over the window / number of terms      sum: the same without the division
//
// x (N, D, H, W, C), y (N, OD, OH, OW, C), contiguous. Only elements inside x count: padding is neither a maximum nor a
// term of the mean. The caller ensures that every window holds at least one element. Upsampling by whole factors is the
// gradient of a sum over windows that touch, and its gradient is that sum.
//
// Sums: each row of a window is one chain, and the rows are added in order. Bound: memory bandwidth, except for large
// windows that overlap.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

struct PoolShape {
  static constexpr int kDims = 3;
  Index batch = 0;
  Index channels = 0;
  Index in[kDims] = {1, 1, 1};      // D, H, W
  Index out[kDims] = {1, 1, 1};     // OD, OH, OW
  Index size[kDims] = {1, 1, 1};    // >= 1
  Index stride[kDims] = {1, 1, 1};  // >= 1
  Index before[kDims] = {0, 0, 0};  // < size
};

enum class Pool : int { kMax = 0, kMean = 1, kSum = 2 };

// The part of one thread: channels, and rows. Forward, a row is one (n, od, oh); backward, one n, whose windows may
// overlap.
struct PoolPart {
  Index first, last;
  Index first_channel, last_channel;
};

template <class T>
struct PoolKernels {
  void (*forward)(Pool, const PoolShape&, const T* x, T* y, PoolPart);
  // Writes all of dx. kMax: the first maximum of a window, in the order of memory, gets all of its gradient (NaN is the
  // largest value); only kMax reads x.
  void (*backward)(Pool, const PoolShape&, const T* x, const T* dy, T* dx, PoolPart);
};
CATALASE_TYPED_KERNELS(PoolKernels, pool)

// All threads.
template <class T>
void pool(Pool kind, const PoolShape& shape, const T* x, T* y);
template <class T>
void pool_backward(Pool kind, const PoolShape& shape, const T* x, const T* dy, T* dx);

}  // namespace catalase
