// Layer normalization, one thread, one level: row by row, so that a row stays in L1 over the passes of its statistics.

#include "cpu/simd.h"
#include "cpu/simd_channels.h"
#include "norm/layer_norm.h"

namespace catalase {
namespace {

// A column by itself, where the last ones do not fill all lanes: the operations of AllLanes, on one value.
template <class T>
struct OneLane {
  T get(const T* p) const { return *p; }
};

// The sums over a row of the K values that f(c, lanes, values) gives, in the order that the header states.
template <class T, int K, class F>
inline void row_sums(Index channels, F f, T (&sums)[K]) {
  constexpr Index W = kWidth<T>;
  constexpr int U = static_cast<int>(kRowLanes / W);
  Vec<T> total[K][U] = {};
  Index c = 0;
  for (; c + kRowLanes <= channels; c += kRowLanes) {
    for (int u = 0; u < U; ++u) {
      Vec<T> values[K];
      f(c + u * W, AllLanes<T>{}, values);
      for (int k = 0; k < K; ++k) total[k][u] += values[k];
    }
  }
  T lanes[K][kRowLanes];
  for (int k = 0; k < K; ++k) {
    for (int u = 0; u < U; ++u) store(lanes[k] + u * W, total[k][u]);
  }
  for (Index j = 0; c < channels; ++c, ++j) {
    T values[K];
    f(c, OneLane<T>{}, values);
    for (int k = 0; k < K; ++k) lanes[k][j] += values[k];
  }
  for (int k = 0; k < K; ++k) {
    for (Index half = kRowLanes / 2; half > 0; half /= 2) {
      for (Index j = 0; j < half; ++j) lanes[k][j] += lanes[k][j + half];
    }
    sums[k] = lanes[k][0];
  }
}

template <class T>
struct RowStatistics {
  T mean, inverse;
};

template <class T>
inline RowStatistics<T> statistics(const T* x, Index channels, double eps, bool centered) {
  const double n = static_cast<double>(channels);
  T total[1], about[2];
  if (!centered) {
    row_sums<T, 1>(
        channels, [&](Index c, auto lanes, auto& values) { values[0] = lanes.get(x + c) * lanes.get(x + c); }, total);
    return {T(0), static_cast<T>(1.0 / __builtin_sqrt(static_cast<double>(total[0]) / n + eps))};
  }
  row_sums<T, 1>(channels, [&](Index c, auto lanes, auto& values) { values[0] = lanes.get(x + c); }, total);
  const T rough = static_cast<T>(static_cast<double>(total[0]) / n);
  row_sums<T, 2>(
      channels,
      [&](Index c, auto lanes, auto& values) {
        values[0] = lanes.get(x + c) - rough;
        values[1] = values[0] * values[0];
      },
      about);
  const double offset = static_cast<double>(about[0]) / n;
  const double v = static_cast<double>(about[1]) / n - offset * offset;
  const double var = v < 0 ? 0 : v;  // NaN stays NaN
  return {static_cast<T>(static_cast<double>(rough) + offset), static_cast<T>(1.0 / __builtin_sqrt(var + eps))};
}

template <class T>
void forward_level(const T* x, Index rows, Index channels, const T* gamma, const T* beta, double eps, bool centered,
                   T* y) {
  for (Index i = 0; i < rows; ++i, x += channels, y += channels) {
    const RowStatistics<T> s = statistics(x, channels, eps, centered);
    for_channels<T>(0, channels, [&]<int U>(Index first, auto lanes) {
      for (Index c = first; c < first + U * kWidth<T>; c += kWidth<T>) {
        const Vec<T> h = (lanes.get(x + c) - s.mean) * s.inverse;
        lanes.put(y + c, h * lanes.get(gamma + c) + lanes.get(beta + c));
      }
    });
  }
}

template <class T>
void backward_level(const T* x, const T* dy, Index rows, Index channels, const T* gamma, double eps, bool centered,
                    T* dx, T* sums) {
  for (Index c = 0; c < 2 * channels; ++c) sums[c] = T(0);
  for (Index i = 0; i < rows; ++i, x += channels, dy += channels) {
    const RowStatistics<T> s = statistics(x, channels, eps, centered);
    T of_row[2] = {};
    if (dx != nullptr) {
      row_sums<T, 2>(
          channels,
          [&](Index c, auto lanes, auto& values) {
            values[0] = lanes.get(dy + c) * lanes.get(gamma + c);
            values[1] = values[0] * ((lanes.get(x + c) - s.mean) * s.inverse);
          },
          of_row);
    }
    const double n = static_cast<double>(channels);
    const T g_mean = centered ? static_cast<T>(static_cast<double>(of_row[0]) / n) : T(0);
    const T gh_mean = static_cast<T>(static_cast<double>(of_row[1]) / n);
    for_channels<T>(0, channels, [&]<int U>(Index first, auto lanes) {
      for (Index c = first; c < first + U * kWidth<T>; c += kWidth<T>) {
        const Vec<T> d = lanes.get(dy + c), h = (lanes.get(x + c) - s.mean) * s.inverse;
        lanes.put(sums + c, lanes.get(sums + c) + d);
        lanes.put(sums + channels + c, lanes.get(sums + channels + c) + d * h);
        if (dx != nullptr) lanes.put(dx + c, ((d * lanes.get(gamma + c) - g_mean) - h * gh_mean) * s.inverse);
      }
    });
    if (dx != nullptr) dx += channels;
  }
}

template <class T>
constexpr LayerNormKernels<T> kKernels = {forward_level<T>, backward_level<T>};

}  // namespace

extern const BothTypes<LayerNormKernels> CATALASE_AT_LEVEL(layer_norm) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
