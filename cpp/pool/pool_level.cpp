// Pooling, one thread, one level.
//
// Loops, outermost first: rows of the output, positions in a row, channels in blocks of four vectors, elements of the
// window. The window is cut to the part inside x, so edges take the same path. Windows of 2 x 2 inside x, the usual
// ones, have a separate path without loops over the window.

#include "common/partition.h"
#include "cpu/simd.h"
#include "cpu/simd_channels.h"
#include "pool/pool.h"

namespace catalase {
namespace {

// The part of a window that lies inside x: its start, its lengths, and the strides between elements.
struct Taps {
  Index offset;
  Index count[3];
  Index step[3];

  Index total() const { return count[0] * count[1] * count[2]; }
};

inline Taps taps_of(const PoolShape& s, Index n, const Index (&o)[3]) {
  Taps taps;
  taps.step[2] = s.channels;
  taps.step[1] = s.in[2] * taps.step[2];
  taps.step[0] = s.in[1] * taps.step[1];
  taps.offset = n * s.in[0] * taps.step[0];
  for (int k = 0; k < 3; ++k) {
    const Index start = o[k] * s.stride[k] - s.before[k], stop = start + s.size[k];
    const Index begin = start > 0 ? start : 0, end = smaller(stop, s.in[k]);
    taps.count[k] = end - begin;
    taps.offset += begin * taps.step[k];
  }
  return taps;
}

inline bool is_two_by_two(const Taps& t) {
  return t.count[0] == 1 && t.count[1] == 2 && t.count[2] == 2;
}

// Calls f(taps, place of the output element) for the windows of one row.
template <class F>
inline void for_windows(const PoolShape& s, Index row, F f) {
  const Index oh = row % s.out[1], od = row / s.out[1] % s.out[0], n = row / (s.out[1] * s.out[0]);
  for (Index ow = 0; ow < s.out[2]; ++ow) {
    const Index place[3] = {od, oh, ow};
    f(taps_of(s, n, place), (row * s.out[2] + ow) * s.channels);
  }
}

// Where the current value is at least v, or NaN, it stays; otherwise v, which is larger or NaN, replaces it.
template <class T>
inline Mask<T> stays(Vec<T> best, Vec<T> v) {
  return (best >= v) | (best != best);
}
template <class T>
inline Vec<T> larger(Vec<T> best, Vec<T> v) {
  return select<T>(stays<T>(best, v), best, v);
}
template <class T>
inline Vec<T> where(Mask<T> mask, Vec<T> v) {
  return (Vec<T>)(mask & (Mask<T>)v);
}

template <class T, int U, class Lanes>
inline void max_window(const Taps& t, const T* x, T* y, Lanes lanes) {
  constexpr Index W = kWidth<T>;
  Vec<T> best[U];
  for (int u = 0; u < U; ++u) best[u] = lanes.get(x + u * W);
  for (Index d = 0; d < t.count[0]; ++d) {
    for (Index h = 0; h < t.count[1]; ++h) {
      const T* p = x + d * t.step[0] + h * t.step[1];
      for (Index w = 0; w < t.count[2]; ++w, p += t.step[2]) {
        for (int u = 0; u < U; ++u) best[u] = larger<T>(best[u], lanes.get(p + u * W));
      }
    }
  }
  for (int u = 0; u < U; ++u) lanes.put(y + u * W, best[u]);
}

template <class T, int U, class Lanes>
inline void sum_window(const Taps& t, const T* x, T* y, T divisor, Lanes lanes) {
  constexpr Index W = kWidth<T>;
  Vec<T> total[U] = {};
  for (Index d = 0; d < t.count[0]; ++d) {
    for (Index h = 0; h < t.count[1]; ++h) {
      const T* p = x + d * t.step[0] + h * t.step[1];
      Vec<T> row[U] = {};
      for (Index w = 0; w < t.count[2]; ++w, p += t.step[2]) {
        for (int u = 0; u < U; ++u) row[u] += lanes.get(p + u * W);
      }
      for (int u = 0; u < U; ++u) total[u] += row[u];
    }
  }
  for (int u = 0; u < U; ++u) lanes.put(y + u * W, divisor == T(1) ? total[u] : total[u] / divisor);
}

template <class T>
void pool_level(Pool kind, const PoolShape& s, const T* x, T* y, PoolPart part) {
  for (Index row = part.first; row < part.last; ++row) {
    for_windows(s, row, [&](const Taps& t, Index place) {
      const T* from = x + t.offset;
      T* to = y + place;
      const T divisor = kind == Pool::kMean ? static_cast<T>(t.total()) : T(1);
      for_channels<T>(part.first_channel, part.last_channel, [&]<int U>(Index c, auto lanes) {
        if (kind != Pool::kMax) return sum_window<T, U>(t, from + c, to + c, divisor, lanes);
        if (!is_two_by_two(t)) return max_window<T, U>(t, from + c, to + c, lanes);
        for (int u = 0; u < U; ++u, c += kWidth<T>) {
          const T *top = from + c, *bottom = top + t.step[1];
          const Vec<T> upper = larger<T>(lanes.get(top), lanes.get(top + t.step[2]));
          const Vec<T> lower = larger<T>(lanes.get(bottom), lanes.get(bottom + t.step[2]));
          lanes.put(to + c, larger<T>(upper, lower));
        }
      });
    });
  }
}

// Adds to dx, or writes it if windows do not overlap.
template <class T, class Lanes>
inline void give(T* dx, Vec<T> v, bool add, Lanes lanes) {
  lanes.put(dx, add ? lanes.get(dx) + v : v);
}

template <class T, class Lanes>
inline void max_window_backward(const Taps& t, const T* x, Vec<T> dy, T* dx, bool add, Lanes lanes) {
  using Count = decltype(Mask<T>{}[0]);
  Vec<T> best = lanes.get(x);
  Mask<T> winner = {};
  Index tap = 0;
  for (Index d = 0; d < t.count[0]; ++d) {
    for (Index h = 0; h < t.count[1]; ++h) {
      const T* p = x + d * t.step[0] + h * t.step[1];
      for (Index w = 0; w < t.count[2]; ++w, ++tap, p += t.step[2]) {
        const Vec<T> v = lanes.get(p);
        const Mask<T> kept = stays<T>(best, v), here = Mask<T>{} + static_cast<Count>(tap);
        best = select<T>(kept, best, v);
        winner = (kept & winner) | (~kept & here);
      }
    }
  }
  tap = 0;
  for (Index d = 0; d < t.count[0]; ++d) {
    for (Index h = 0; h < t.count[1]; ++h) {
      T* q = dx + d * t.step[0] + h * t.step[1];
      for (Index w = 0; w < t.count[2]; ++w, ++tap, q += t.step[2]) {
        const Mask<T> here = Mask<T>{} + static_cast<Count>(tap);
        give<T>(q, where<T>((Mask<T>)(winner == here), dy), add, lanes);
      }
    }
  }
}

template <class T, class Lanes>
inline void max_two_by_two_backward(const Taps& t, const T* x, Vec<T> dy, T* dx, bool add, Lanes lanes) {
  const Index right = t.step[2], down = t.step[1];
  const Vec<T> a = lanes.get(x), b = lanes.get(x + right), c = lanes.get(x + down), d = lanes.get(x + down + right);
  const Mask<T> left_above = stays<T>(a, b), left_below = stays<T>(c, d);
  const Mask<T> above = stays<T>(select<T>(left_above, a, b), select<T>(left_below, c, d));
  give<T>(dx, where<T>(above & left_above, dy), add, lanes);
  give<T>(dx + right, where<T>(above & ~left_above, dy), add, lanes);
  give<T>(dx + down, where<T>(~above & left_below, dy), add, lanes);
  give<T>(dx + down + right, where<T>(~above & ~left_below, dy), add, lanes);
}

template <class T, class Lanes>
inline void sum_window_backward(const Taps& t, Vec<T> dy, T* dx, bool add, Lanes lanes) {
  for (Index d = 0; d < t.count[0]; ++d) {
    for (Index h = 0; h < t.count[1]; ++h) {
      T* q = dx + d * t.step[0] + h * t.step[1];
      for (Index w = 0; w < t.count[2]; ++w, q += t.step[2]) give<T>(q, dy, add, lanes);
    }
  }
}

// Whether windows overlap, and whether they cover all of x: only then dx need not start from zero.
inline void look_at(const PoolShape& s, bool* overlap, bool* cover) {
  *overlap = false, *cover = true;
  for (int k = 0; k < 3; ++k) {
    if (s.stride[k] < s.size[k] && s.out[k] > 1) *overlap = true;
    if (s.stride[k] > s.size[k] && s.out[k] > 1) *cover = false;
    if ((s.out[k] - 1) * s.stride[k] - s.before[k] + s.size[k] < s.in[k]) *cover = false;
  }
}

template <class T>
void pool_backward_level(Pool kind, const PoolShape& s, const T* x, const T* dy, T* dx, PoolPart part) {
  bool add, cover;
  look_at(s, &add, &cover);
  const Index positions = s.in[0] * s.in[1] * s.in[2], rows = s.out[0] * s.out[1];
  for (Index n = part.first; n < part.last; ++n) {
    if (add || !cover) {
      for (Index i = n * positions; i < (n + 1) * positions; ++i) {
        for_channels<T>(part.first_channel, part.last_channel, [&]<int U>(Index c, auto lanes) {
          for (int u = 0; u < U; ++u) lanes.put(dx + i * s.channels + c + u * kWidth<T>, Vec<T>{});
        });
      }
    }
    for (Index row = n * rows; row < (n + 1) * rows; ++row) {
      for_windows(s, row, [&](const Taps& t, Index place) {
        const T divisor = kind == Pool::kMean ? static_cast<T>(t.total()) : T(1);
        for_channels<T>(part.first_channel, part.last_channel, [&]<int U>(Index c, auto lanes) {
          for (int u = 0; u < U; ++u, c += kWidth<T>) {
            const Vec<T> g = lanes.get(dy + place + c);
            const Index at = t.offset + c;
            if (kind != Pool::kMax) {
              sum_window_backward<T>(t, divisor == T(1) ? g : g / divisor, dx + at, add, lanes);
            } else if (is_two_by_two(t)) {
              max_two_by_two_backward<T>(t, x + at, g, dx + at, add, lanes);
            } else {
              max_window_backward<T>(t, x + at, g, dx + at, add, lanes);
            }
          }
        });
      });
    }
  }
}

template <class T>
constexpr PoolKernels<T> kKernels = {
    pool_level<T>,
    pool_backward_level<T>,
};

}  // namespace

extern const BothTypes<PoolKernels> CATALASE_AT_LEVEL(pool) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
