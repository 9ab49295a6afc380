// Batch normalization, one thread, one level.
//
// Loops, outermost first: blocks of rows (for sums, the caller's blocks), channels in blocks of four vectors, rows. A
// block's constants stay in registers over its rows.

#include "common/partition.h"
#include "cpu/simd.h"
#include "cpu/simd_channels.h"
#include "norm/norm.h"

namespace catalase {
namespace {

template <class T>
void moments_level(const T* x, Index rows, Index channels, T* sums) {
  for_channels<T>(0, channels, [&]<int U>(Index c, auto lanes) {
    constexpr Index W = kWidth<T>;
    Vec<T> total[U] = {}, first[U] = {}, second[U] = {};
    for (Index i = 0; i < rows; ++i) {
      for (int u = 0; u < U; ++u) total[u] += lanes.get(x + i * channels + c + u * W);
    }
    for (int u = 0; u < U; ++u) total[u] /= static_cast<T>(rows);
    for (Index i = 0; i < rows; ++i) {
      for (int u = 0; u < U; ++u) {
        const Vec<T> d = lanes.get(x + i * channels + c + u * W) - total[u];
        first[u] += d;
        second[u] = fma(d, d, second[u]);
      }
    }
    for (int u = 0; u < U; ++u) {
      lanes.put(sums + c + u * W, total[u]);
      lanes.put(sums + channels + c + u * W, first[u]);
      lanes.put(sums + 2 * channels + c + u * W, second[u]);
    }
  });
}

// f.operator()<U>(first row, rows of the block, c, lanes)
template <class T, class F>
inline void for_blocks(Index rows, Index channels, F f) {
  for (Index i = 0; i < rows; i += kBlockRows) {
    const Index count = smaller(rows - i, kBlockRows);
    for_channels<T>(0, channels, [&]<int U>(Index c, auto lanes) { f.template operator()<U>(i, count, c, lanes); });
  }
}

template <class T, int U, class Lanes>
inline void load_all(const T* p, Lanes lanes, Vec<T> (&out)[U]) {
  for (int u = 0; u < U; ++u) out[u] = lanes.get(p + u * kWidth<T>);
}

// The value before the activation, by the same operations forward and backward.
template <class T>
inline Vec<T> normalized(Vec<T> centered, Vec<T> scale, Vec<T> beta) {
  return fma(centered, scale, beta);
}

template <class T>
void normalize_level(const NormArgs<T>& a) {
  for_blocks<T>(a.rows, a.channels, [&]<int U>(Index first, Index count, Index c, auto lanes) {
    constexpr Index W = kWidth<T>;
    Vec<T> mean[U], scale[U], beta[U];
    load_all<T, U>(a.mean + c, lanes, mean);
    load_all<T, U>(a.scale + c, lanes, scale);
    load_all<T, U>(a.beta + c, lanes, beta);
    for (Index i = first; i < first + count; ++i) {
      for (int u = 0; u < U; ++u) {
        const Index at = i * a.channels + c + u * W;
        const Vec<T> v = normalized<T>(lanes.get(a.x + at) - mean[u], scale[u], beta[u]);
        lanes.put(a.out + at, a.relu ? relu<T>(v) : v);
      }
    }
  });
}

// dy where the activation passed it, else 0.
template <class T>
inline Vec<T> passed(Vec<T> dy, Vec<T> centered, Vec<T> scale, Vec<T> beta, bool relu) {
  return relu ? select<T>(normalized<T>(centered, scale, beta) <= Vec<T>{}, Vec<T>{}, dy) : dy;
}

template <class T>
void gradient_sums_level(const NormArgs<T>& a, T* sums) {
  for_channels<T>(0, a.channels, [&]<int U>(Index c, auto lanes) {
    constexpr Index W = kWidth<T>;
    Vec<T> mean[U], scale[U], beta[U], of_g[U] = {}, of_gx[U] = {};
    load_all<T, U>(a.mean + c, lanes, mean);
    load_all<T, U>(a.scale + c, lanes, scale);
    load_all<T, U>(a.beta + c, lanes, beta);
    for (Index i = 0; i < a.rows; ++i) {
      for (int u = 0; u < U; ++u) {
        const Index at = i * a.channels + c + u * W;
        const Vec<T> centered = lanes.get(a.x + at) - mean[u];
        const Vec<T> g = passed<T>(lanes.get(a.dy + at), centered, scale[u], beta[u], a.relu);
        of_g[u] += g;
        of_gx[u] = fma(g, centered, of_gx[u]);
      }
    }
    for (int u = 0; u < U; ++u) {
      lanes.put(sums + c + u * W, of_g[u]);
      lanes.put(sums + a.channels + c + u * W, of_gx[u]);
    }
  });
}

template <class T>
void input_gradient_level(const NormArgs<T>& a) {
  for_blocks<T>(a.rows, a.channels, [&]<int U>(Index first, Index count, Index c, auto lanes) {
    constexpr Index W = kWidth<T>;
    Vec<T> mean[U], scale[U], beta[U], dy_mean[U], slope[U];
    load_all<T, U>(a.mean + c, lanes, mean);
    load_all<T, U>(a.scale + c, lanes, scale);
    load_all<T, U>(a.beta + c, lanes, beta);
    load_all<T, U>(a.dy_mean + c, lanes, dy_mean);
    load_all<T, U>(a.slope + c, lanes, slope);
    for (Index i = first; i < first + count; ++i) {
      for (int u = 0; u < U; ++u) {
        const Index at = i * a.channels + c + u * W;
        const Vec<T> centered = lanes.get(a.x + at) - mean[u];
        const Vec<T> g = passed<T>(lanes.get(a.dy + at), centered, scale[u], beta[u], a.relu);
        lanes.put(a.out + at, scale[u] * fma(-centered, slope[u], g - dy_mean[u]));
      }
    }
  });
}

template <class T>
constexpr NormKernels<T> kKernels = {
    moments_level<T>,
    normalize_level<T>,
    gradient_sums_level<T>,
    input_gradient_level<T>,
};

}  // namespace

extern const BothTypes<NormKernels> CATALASE_AT_LEVEL(norm) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
