// Divides rows among the threads. The sums of blocks are kept separately and joined in double precision by one thread,
// in ascending order of the blocks, so that the number of threads changes no bit.
#include "norm/norm.h"

#include <cmath>

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kGrain = 16384;  // values a thread at least

// f(first block, last block) over blocks of kBlockRows rows.
template <class F>
void share_blocks(Index rows, Index channels, F f) {
  const Index blocks = ceil_div(rows, kBlockRows);
  const Index parts = smaller(rows * channels / kGrain, num_threads());
  if (parts <= 1) {
    if (blocks > 0) f(Index{0}, blocks);
    return;
  }
  const Index tasks = smaller(blocks, 4 * parts);
  parallel_for(tasks, [&](Index i) { f(blocks * i / tasks, blocks * (i + 1) / tasks); });
}

Index rows_of_block(Index rows, Index block) {
  const Index left = rows - block * kBlockRows;
  return smaller(left, kBlockRows);
}

template <class T>
NormArgs<T> part_of(const NormArgs<T>& all, Index first_block, Index last_block) {
  NormArgs<T> part = all;
  const Index first = first_block * kBlockRows, last = last_block * kBlockRows;
  part.rows = smaller(last, all.rows) - first;
  part.x += first * all.channels;
  if (part.dy != nullptr) part.dy += first * all.channels;
  if (part.out != nullptr) part.out += first * all.channels;
  return part;
}

template <class T>
double inverse_deviation(T var, double eps) {
  return 1.0 / std::sqrt(static_cast<double>(var) + eps);
}

}  // namespace

template <class T>
void moments(const T* x, Index rows, Index channels, T* mean, T* var) {
  const Index blocks = ceil_div(rows, kBlockRows);
  Scratch<T> sums(static_cast<std::size_t>(3 * blocks * channels));
  share_blocks(rows, channels, [&](Index first, Index last) {
    for (Index b = first; b < last; ++b) {
      const T* from = x + b * kBlockRows * channels;
      T* to = sums.get() + 3 * b * channels;
      norm_kernels<T>().moments(from, rows_of_block(rows, b), channels, to);
    }
  });
  Scratch<double> joined(static_cast<std::size_t>(2 * channels));
  double *means = joined.get(), *squares = means + channels;
  for (Index c = 0; c < 2 * channels; ++c) means[c] = 0;
  for (Index b = 0; b < blocks; ++b) {  // Chan, Golub and LeVeque 1979
    const double before = static_cast<double>(b * kBlockRows), count = static_cast<double>(rows_of_block(rows, b));
    const double share = count / (before + count);
    const T *rough = sums.get() + 3 * b * channels, *first = rough + channels, *second = first + channels;
    for (Index c = 0; c < channels; ++c) {
      const double s1 = first[c], offset = s1 / count;
      const double delta = static_cast<double>(rough[c]) + offset - means[c];
      means[c] += delta * share;
      squares[c] += static_cast<double>(second[c]) - s1 * offset + delta * delta * before * share;
    }
  }
  for (Index c = 0; c < channels; ++c) {
    const double v = squares[c] / static_cast<double>(rows);
    mean[c] = static_cast<T>(means[c]);
    var[c] = static_cast<T>(v < 0 ? 0 : v);  // NaN stays NaN
  }
}

template <class T>
void batch_norm(const T* x, Index rows, Index channels, const T* gamma, const T* beta, const T* mean, const T* var,
                double eps, bool relu, T* y) {
  Scratch<T> scale(static_cast<std::size_t>(channels));
  for (Index c = 0; c < channels; ++c) {
    scale.get()[c] = static_cast<T>(static_cast<double>(gamma[c]) * inverse_deviation(var[c], eps));
  }
  NormArgs<T> args;
  args.rows = rows, args.channels = channels, args.x = x, args.out = y;
  args.mean = mean, args.scale = scale.get(), args.beta = beta, args.relu = relu;
  share_blocks(rows, channels, [&](Index first, Index last) {
    const NormArgs<T> part = part_of(args, first, last);
    norm_kernels<T>().normalize(part);
  });
}

template <class T>
void batch_norm_backward(const T* x, const T* dy, Index rows, Index channels, const T* gamma, const T* beta,
                         const T* mean, const T* var, double eps, bool relu, bool batch_statistics, T* dx, T* dgamma,
                         T* dbeta) {
  const Index blocks = ceil_div(rows, kBlockRows);
  Scratch<T> constants(static_cast<std::size_t>(3 * channels)), sums(static_cast<std::size_t>(2 * blocks * channels));
  T *scale = constants.get(), *dy_mean = scale + channels, *slope = dy_mean + channels;
  for (Index c = 0; c < channels; ++c) {
    scale[c] = static_cast<T>(static_cast<double>(gamma[c]) * inverse_deviation(var[c], eps));
  }
  NormArgs<T> args;
  args.rows = rows, args.channels = channels, args.x = x, args.dy = dy, args.out = dx;
  args.mean = mean, args.scale = scale, args.beta = beta, args.relu = relu;
  args.dy_mean = dy_mean, args.slope = slope;
  share_blocks(rows, channels, [&](Index first, Index last) {
    for (Index b = first; b < last; ++b) {
      norm_kernels<T>().gradient_sums(part_of(args, b, b + 1), sums.get() + 2 * b * channels);
    }
  });
  for (Index c = 0; c < channels; ++c) {
    double of_g = 0, of_gx = 0;
    for (Index b = 0; b < blocks; ++b) {
      of_g += static_cast<double>(sums.get()[2 * b * channels + c]);
      of_gx += static_cast<double>(sums.get()[(2 * b + 1) * channels + c]);
    }
    const double inverse = inverse_deviation(var[c], eps), m = static_cast<double>(rows > 0 ? rows : 1);
    dbeta[c] = static_cast<T>(of_g);
    dgamma[c] = static_cast<T>(of_gx * inverse);
    dy_mean[c] = batch_statistics ? static_cast<T>(of_g / m) : T(0);
    slope[c] = batch_statistics ? static_cast<T>(of_gx * inverse * inverse / m) : T(0);
  }
  if (dx == nullptr) return;
  share_blocks(rows, channels, [&](Index first, Index last) {
    const NormArgs<T> part = part_of(args, first, last);
    norm_kernels<T>().input_gradient(part);
  });
}

template void moments<float>(const float*, Index, Index, float*, float*);
template void moments<double>(const double*, Index, Index, double*, double*);
template void batch_norm<float>(const float*, Index, Index, const float*, const float*, const float*, const float*,
                                double, bool, float*);
template void batch_norm<double>(const double*, Index, Index, const double*, const double*, const double*,
                                 const double*, double, bool, double*);
template void batch_norm_backward<float>(const float*, const float*, Index, Index, const float*, const float*,
                                         const float*, const float*, double, bool, bool, float*, float*, float*);
template void batch_norm_backward<double>(const double*, const double*, Index, Index, const double*, const double*,
                                          const double*, const double*, double, bool, bool, double*, double*, double*);

}  // namespace catalase
