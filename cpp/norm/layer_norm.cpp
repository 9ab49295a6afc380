// Divides rows among the threads, and joins the sums over rows, which one thread does in double precision.
#include "norm/layer_norm.h"

#include "common/memory.h"
#include "common/thread_pool.h"
#include "norm/norm.h"

namespace catalase {
namespace {

constexpr Index kGrain = 16384;  // values a thread at least

}  // namespace

template <class T>
void layer_norm(const T* x, Index rows, Index channels, const T* gamma, const T* beta, double eps, bool centered,
                T* y) {
  if (channels == 0) return;
  parallel_ranges(rows, kGrain / channels + 1, [&](Index begin, Index end) {
    const Index at = begin * channels;
    layer_norm_kernels<T>().forward(x + at, end - begin, channels, gamma, beta, eps, centered, y + at);
  });
}

template <class T>
void layer_norm_backward(const T* x, const T* dy, Index rows, Index channels, const T* gamma, double eps, bool centered,
                         T* dx, T* dgamma, T* dbeta) {
  if (channels == 0) return;
  const Index blocks = ceil_div(rows, kBlockRows);
  Scratch<T> sums(static_cast<std::size_t>(2 * blocks * channels));
  const auto block = [&](Index b) {
    const Index first = b * kBlockRows, at = first * channels, left = rows - first;
    layer_norm_kernels<T>().backward(x + at, dy + at, smaller(left, kBlockRows), channels, gamma, eps, centered,
                                     dx == nullptr ? nullptr : dx + at, sums.get() + 2 * b * channels);
  };
  if (rows * channels < 2 * kGrain) {
    for (Index b = 0; b < blocks; ++b) block(b);
  } else {
    parallel_for(blocks, block);
  }
  for (Index c = 0; c < channels; ++c) {
    double of_dy = 0, of_dyh = 0;
    for (Index b = 0; b < blocks; ++b) {
      of_dy += static_cast<double>(sums.get()[2 * b * channels + c]);
      of_dyh += static_cast<double>(sums.get()[(2 * b + 1) * channels + c]);
    }
    dbeta[c] = static_cast<T>(of_dy);
    dgamma[c] = static_cast<T>(of_dyh);
  }
}

template void layer_norm<float>(const float*, Index, Index, const float*, const float*, double, bool, float*);
template void layer_norm<double>(const double*, Index, Index, const double*, const double*, double, bool, double*);
template void layer_norm_backward<float>(const float*, const float*, Index, Index, const float*, double, bool, float*,
                                         float*, float*);
template void layer_norm_backward<double>(const double*, const double*, Index, Index, const double*, double, bool,
                                          double*, double*, double*);

}  // namespace catalase
