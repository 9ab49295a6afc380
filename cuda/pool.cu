// Pooling in one to three dimensions, channels last; float32, contiguous. 1-D and 2-D have leading lengths of 1.
//
//   max:  y[n, o..., c] = max  over the window of  x[n, o * stride + t - before, c],  0 <= t < size
//   mean: the sum over the window, divided by the number of terms inside x         sum: the same without the division
//
// Only elements inside x count, and every window holds at least one. Each row of a window is one chain of sums, and the
// rows are added in order. NaN is larger than everything.
// Threads: one for each element of the output, with the channel running fastest, so a warp reads neighbours for every
// tap. Backward: one thread for each element of x, which walks the windows that hold it, in their order, and adds the
// contribution of each: nothing is scattered, so no atomic is needed, and overlapping windows add in the CPU's order.
// For max a window is read again to see whether this element is its first maximum. Bound: memory bandwidth if windows
// touch; if they overlap, and for the gradient of max, reads from L1 and L2: size / stride windows an axis, each of
// `size` taps.
#include "types.cuh"

namespace catalase {

struct Axis {
  i64 in, out, size, stride, before;

  // The part of window `o` that lies inside x.
  __device__ __forceinline__ i64 begin(i64 o) const {
    const i64 start = o * stride - before;
    return start > 0 ? start : 0;
  }
  __device__ __forceinline__ i64 end(i64 o) const { return smaller(o * stride - before + size, in); }
  // The windows that hold element i.
  __device__ __forceinline__ i64 first_window(i64 i) const {
    const i64 reach = i + before - size + 1;
    return reach > 0 ? (reach + stride - 1) / stride : 0;
  }
  __device__ __forceinline__ i64 last_window(i64 i) const { return smaller((i + before) / stride, out - 1); }
};

struct Shape {
  Axis d, h, w;
  i64 channels;

  __device__ __forceinline__ i64 at(i64 n, i64 id, i64 ih, i64 iw, i64 c) const {
    return (((n * d.in + id) * h.in + ih) * w.in + iw) * channels + c;
  }
  __device__ __forceinline__ i64 terms(i64 od, i64 oh, i64 ow) const {
    return (d.end(od) - d.begin(od)) * (h.end(oh) - h.begin(oh)) * (w.end(ow) - w.begin(ow));
  }
};

// The place of element i of an array (N, D, H, W, C).
struct Place {
  i64 n, d, h, w, c;
};
__device__ __forceinline__ Place place_of(i64 i, i64 d, i64 h, i64 w, i64 channels) {
  const i64 row = i / channels, plane = row / w, volume = plane / h;
  return {volume / d, volume % d, plane % h, row % w, i % channels};
}

// The largest value of a window, or the first NaN; *place receives its place.
__device__ __forceinline__ float window_max(const Shape& s, const float* x, i64 n, i64 od, i64 oh, i64 ow, i64 c,
                                            i64* place) {
  *place = s.at(n, s.d.begin(od), s.h.begin(oh), s.w.begin(ow), c);
  float best = x[*place];
  for (i64 id = s.d.begin(od); id < s.d.end(od); ++id) {
    for (i64 ih = s.h.begin(oh); ih < s.h.end(oh); ++ih) {
      for (i64 iw = s.w.begin(ow); iw < s.w.end(ow); ++iw) {
        const i64 at = s.at(n, id, ih, iw, c);
        if (best >= x[at] || best != best) continue;
        best = x[at];
        *place = at;
      }
    }
  }
  return best;
}

__device__ __forceinline__ float window_sum(const Shape& s, const float* x, i64 n, i64 od, i64 oh, i64 ow, i64 c) {
  float total = 0.0f;
  for (i64 id = s.d.begin(od); id < s.d.end(od); ++id) {
    for (i64 ih = s.h.begin(oh); ih < s.h.end(oh); ++ih) {
      float row = 0.0f;
      for (i64 iw = s.w.begin(ow); iw < s.w.end(ow); ++iw) row = row + x[s.at(n, id, ih, iw, c)];
      total = total + row;
    }
  }
  return total;
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_AXES                                                                                              \
  i64 in_d, i64 in_h, i64 in_w, i64 out_d, i64 out_h, i64 out_w, i64 size_d, i64 size_h, i64 size_w, i64 stride_d, \
      i64 stride_h, i64 stride_w, i64 before_d, i64 before_h, i64 before_w, i64 channels
#define CATALASE_SHAPE                                                                    \
  Shape {                                                                                 \
    {in_d, out_d, size_d, stride_d, before_d}, {in_h, out_h, size_h, stride_h, before_h}, \
        {in_w, out_w, size_w, stride_w, before_w}, channels                               \
  }

// y (N, OD, OH, OW, C): n elements.
extern "C" __global__ void __launch_bounds__(256) pool_f32(i64 kind, const float* x, float* y, CATALASE_AXES, i64 n) {
  const Shape s = CATALASE_SHAPE;
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const Place o = place_of(i, out_d, out_h, out_w, channels);
    if (kind == kMaxPool) {
      i64 largest;
      y[i] = window_max(s, x, o.n, o.d, o.h, o.w, o.c, &largest);
    } else {
      const float total = window_sum(s, x, o.n, o.d, o.h, o.w, o.c);
      y[i] = kind == kMeanPool ? total / static_cast<float>(s.terms(o.d, o.h, o.w)) : total;
    }
  }
}

// dx (N, D, H, W, C): n elements; only max reads x.
extern "C" __global__ void __launch_bounds__(256)
    pool_backward_f32(i64 kind, const float* x, const float* dy, float* dx, CATALASE_AXES, i64 n) {
  const Shape s = CATALASE_SHAPE;
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const Place at = place_of(i, in_d, in_h, in_w, channels);
    float sum = 0.0f;
    for (i64 od = s.d.first_window(at.d); od <= s.d.last_window(at.d); ++od) {
      for (i64 oh = s.h.first_window(at.h); oh <= s.h.last_window(at.h); ++oh) {
        for (i64 ow = s.w.first_window(at.w); ow <= s.w.last_window(at.w); ++ow) {
          const float given = dy[(((at.n * out_d + od) * out_h + oh) * out_w + ow) * channels + at.c];
          if (kind == kMaxPool) {
            i64 largest;
            window_max(s, x, at.n, od, oh, ow, at.c, &largest);
            if (largest == i) sum = sum + given;
          } else {
            sum = sum + (kind == kMeanPool ? given / static_cast<float>(s.terms(od, oh, ow)) : given);
          }
        }
      }
    }
    dx[i] = sum;
  }
}
