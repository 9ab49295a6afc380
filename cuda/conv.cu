// Convolution in one to three dimensions and its gradients, channels last; float32, contiguous, with groups.
//
//   y[n, o..., k] = act(sum over t..., c of  x[n, o * stride + t * dilation - before, c] * w[t..., c, k] + bias[k])
//
// x (N, D, H, W, C), w (KD, KH, KW, C / groups, O), y (N, OD, OH, OW, O); a 1-D or 2-D convolution has leading lengths
// of 1. Terms are added in ascending (kd, kh, kw, c) forward, in descending taps and ascending o for the input's
// gradient, and in ascending pixels for the weights' gradient: chains of fused multiply-adds, cut every 4,096 terms. So
// the bits are those of a product on an explicit im2col, for any batch. (The CPU sums the gradient of up to 4 channels
// tap by tap, and uses Winograd's algorithm where it is faster: then the bits differ.)
// Threads: a block of 256 computes 64 x 64 outputs (pixels x channels; for the weights' gradient, taps and channels x
// channels), 4 x 4 each, with product.cuh's tile, whose left operand is the im2col matrix that is never written. A
// thread keeps the places of its pixels and computes a tap and channel once for all of them; neighbours read
// neighbouring channels. blockIdx.z is the group, and for the weights' gradient also the part of the pixels, which
// join_parts_f32 adds in order. Bound: the FMA pipes if both sides fill tiles; with few input channels the address
// arithmetic (divisions in each step of each thread, most of them in the gradients), and with few output channels the
// tile's idle columns.
#include "activations.cuh"
#include "product.cuh"

namespace catalase {

struct Conv {
  i32 in[3], out[3], kernel[3], stride[3], before[3], dilation[3];
  i32 inputs, outputs;  // channels of one group
  i64 all_inputs, all_outputs;

  __device__ __forceinline__ i32 taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

constexpr i32 kTile = 64, kDepth = 16, kEach = 4;
using Tiles = Tile<kTile, kDepth, kEach>;
static_assert(Tiles::kWorkers == kThreads, "the sources have as many");
static_assert(kChain / kDepth % 2 == 0, "a part of a chain ends on buffer 1, so the next may fill buffer 0 at once");
constexpr i32 kLoads = kTile * kDepth / kThreads;  // values that a thread loads
constexpr i32 kOutside = -(1 << 30);               // a coordinate that no tap can move into the array

// Splits a number into the coordinates of an array of lengths `size`; returns the remainder.
__device__ __forceinline__ i64 split(i64 number, const i32* size, i32* place) {
#pragma unroll
  for (i32 i = 2; i >= 0; --i) {
    place[i] = static_cast<i32>(number % size[i]);
    number /= size[i];
  }
  return number;
}

__device__ __forceinline__ bool is_inside(const i32* place, const i32* size) {
  return static_cast<u32>(place[0]) < static_cast<u32>(size[0]) &&
         static_cast<u32>(place[1]) < static_cast<u32>(size[1]) &&
         static_cast<u32>(place[2]) < static_cast<u32>(size[2]);
}

__device__ __forceinline__ i64 join(i64 image, const i32* place, const i32* size) {
  return ((image * size[0] + place[0]) * size[1] + place[1]) * size[2] + place[2];
}

// A thread's values lie along the depth: one depth and kLoads lines, kThreads / kDepth apart.
struct AlongDepth {
  float held[kLoads];
  i64 depth;  // of this thread, within the whole sum

  static __device__ __forceinline__ i32 mine() { return static_cast<i32>(threadIdx.x) % kDepth; }
  static __device__ __forceinline__ i32 line(i32 e) {
    return static_cast<i32>(threadIdx.x) / kDepth + e * (kThreads / kDepth);
  }
  __device__ __forceinline__ void store(float* tile) const {
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) tile[mine() * (kTile + kPad) + line(e)] = held[e];
  }
};

// Lines: pixels, of y forward and of x for the input's gradient. kBackward reverses the direction of the taps.
template <bool kBackward>
struct Pixels : AlongDepth {
  const Conv& s;
  const float* data;  // x, or dz; of the group
  i64 image[kLoads];
  i32 place[kLoads][3];

  __device__ __forceinline__ Pixels(const Conv& shape, const float* from, i64 first, i64 lines) : s(shape), data(from) {
    depth = mine();
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) {
      image[e] = split(first + line(e), kBackward ? s.in : s.out, place[e]);
#pragma unroll
      for (i32 i = 0; i < 3; ++i) {
        place[e][i] = kBackward ? place[e][i] + s.before[i] : place[e][i] * s.stride[i] - s.before[i];
        if (first + line(e) >= lines) place[e][i] = kOutside;
      }
    }
  }
  __device__ __forceinline__ void load(i32 depths_left) {
    const bool real = mine() < depths_left;
    const i32 channels = kBackward ? s.outputs : s.inputs;
    const i32 at = static_cast<i32>(depth);
    const i32 channel = real ? at % channels : 0;
    i32 tap[3] = {};
    if (real) split(kBackward ? s.taps() - 1 - at / channels : at / channels, s.kernel, tap);
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) {
      i32 to[3];
      bool inside = real;
#pragma unroll
      for (i32 i = 0; i < 3; ++i) {
        const i32 v = kBackward ? place[e][i] - tap[i] * s.dilation[i] : place[e][i] + tap[i] * s.dilation[i];
        to[i] = kBackward ? v / s.stride[i] : v;
        if (kBackward && (v < 0 || to[i] * s.stride[i] != v)) inside = false;
      }
      inside = inside && is_inside(to, kBackward ? s.out : s.in);
      const i64 pixel = inside ? join(image[e], to, kBackward ? s.out : s.in) : 0;
      held[e] = inside ? data[pixel * (kBackward ? s.all_outputs : s.all_inputs) + channel] : 0.0f;
    }
    depth += kDepth;
  }
};

// Lines: input channels; depths: descending taps, and ascending output channels, in the order of Pixels<true>.
struct TurnedWeights : AlongDepth {
  const Conv& s;
  const float* w;  // of the group
  i64 first;

  __device__ __forceinline__ TurnedWeights(const Conv& shape, const float* weights, i64 line)
      : s(shape), w(weights), first(line) {
    depth = mine();
  }
  __device__ __forceinline__ void load(i32 depths_left) {
    const bool real = mine() < depths_left;
    const i64 tap = real ? s.taps() - 1 - depth / s.outputs : 0, o = real ? depth % s.outputs : 0;
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) {
      const i64 c = first + line(e);
      held[e] = real && c < s.inputs ? w[(tap * s.inputs + c) * s.all_outputs + o] : 0.0f;
    }
    depth += kDepth;
  }
};

// Lines: (tap, channel), one a thread; depths: pixels of y.
struct Windows {
  float held[kLoads];
  const Conv& s;
  const float* x;  // of the group, at this thread's channel
  i64 pixel;
  i32 offset[3];
  bool real;

  static __device__ __forceinline__ i32 line() { return static_cast<i32>(threadIdx.x) % kTile; }
  static __device__ __forceinline__ i32 depth(i32 e) {
    return static_cast<i32>(threadIdx.x) / kTile + e * (kThreads / kTile);
  }
  __device__ __forceinline__ Windows(const Conv& shape, const float* from, i64 first, i64 lines, i64 first_pixel)
      : s(shape), pixel(first_pixel), real(first + line() < lines) {
    const i64 at = real ? first + line() : 0;
    x = from + (real ? at % s.inputs : 0);
    split(real ? at / s.inputs : 0, s.kernel, offset);
#pragma unroll
    for (i32 i = 0; i < 3; ++i) offset[i] = offset[i] * s.dilation[i] - s.before[i];
  }
  __device__ __forceinline__ void load(i32 depths_left) {
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) {
      held[e] = 0.0f;
      if (!real || depth(e) >= depths_left) continue;
      i32 place[3];
      const i64 image = split(pixel + depth(e), s.out, place);
#pragma unroll
      for (i32 i = 0; i < 3; ++i) place[i] = place[i] * s.stride[i] + offset[i];
      if (is_inside(place, s.in)) held[e] = x[join(image, place, s.in) * s.all_inputs];
    }
    pixel += kDepth;
  }
  __device__ __forceinline__ void store(float* tile) const {
#pragma unroll
    for (i32 e = 0; e < kLoads; ++e) tile[depth(e) * (kTile + kPad) + line()] = held[e];
  }
};

// act(sum + bias) for a tile of y whose rows lie y_row apart; the chain is cut, and its parts are added in y.
template <class A, class B>
__device__ __forceinline__ void convolve(A& from_a, B& from_b, i64 depths, i64 row, i64 rows, i64 column, i64 columns,
                                         float* y, i64 y_row, const float* bias, i64 activation, float* tile_a,
                                         float* tile_b) {
  for (i64 k = 0; k == 0 || k < depths; k += kChain) {
    float sum[kEach][kEach];
    Tiles::clear(sum);
    Tiles::multiply(from_a, from_b, static_cast<i32>(smaller(depths - k, kChain)), tile_a, tile_b, sum);
#pragma unroll
    for (i32 i = 0; i < kEach; ++i) {
#pragma unroll
      for (i32 j = 0; j < kEach; ++j) {
        const i64 at_row = row + Tiles::Rows::line(Tiles::ty(), i),
                  at_column = column + Tiles::Columns::line(Tiles::tx(), j);
        if (at_row >= rows || at_column >= columns) continue;
        float* at = y + at_row * y_row + at_column;
        *at = k == 0 ? sum[i][j] : *at + sum[i][j];
      }
    }
  }
  if (bias == nullptr && activation == kIdentity) return;
#pragma unroll 1
  for (i32 e = 0; e < kEach * kEach; ++e) {
    const i64 at_row = row + Tiles::Rows::line(Tiles::ty(), e / kEach);
    const i64 at_column = column + Tiles::Columns::line(Tiles::tx(), e % kEach);
    if (at_row >= rows || at_column >= columns) continue;
    float* at = y + at_row * y_row + at_column;  // this thread wrote it
    *at = activate(static_cast<i32>(activation), bias == nullptr ? *at : *at + bias[at_column]);
  }
}

__device__ __forceinline__ const float* of_group(const float* bias, i64 first) {
  return bias == nullptr ? nullptr : bias + first;
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_SIZES                                                                                     \
  i64 in_d, i64 in_h, i64 in_w, i64 out_d, i64 out_h, i64 out_w, i64 kernel_d, i64 kernel_h, i64 kernel_w, \
      i64 stride_d, i64 stride_h, i64 stride_w, i64 before_d, i64 before_h, i64 before_w, i64 dilation_d,  \
      i64 dilation_h, i64 dilation_w, i64 inputs, i64 outputs, i64 groups
#define CATALASE_THREE(name) {static_cast<i32>(name##_d), static_cast<i32>(name##_h), static_cast<i32>(name##_w)}
#define CATALASE_CONV                                                                                                 \
  __shared__ __align__(16) float tile_a[Tiles::kFloats];                                                              \
  __shared__ __align__(16) float tile_b[Tiles::kFloats];                                                              \
  const Conv s{CATALASE_THREE(in),     CATALASE_THREE(out),      CATALASE_THREE(kernel),   CATALASE_THREE(stride),    \
               CATALASE_THREE(before), CATALASE_THREE(dilation), static_cast<i32>(inputs), static_cast<i32>(outputs), \
               inputs * groups,        outputs * groups};                                                             \
  const i64 row = static_cast<i64>(blockIdx.x) * kTile, column = static_cast<i64>(blockIdx.y) * kTile

// y: `pixels` pixels. blockIdx.z is the group.
extern "C" __global__ void __launch_bounds__(256, 2)
    conv_f32(const float* x, const float* w, const float* bias, i64 activation, float* y, i64 pixels, CATALASE_SIZES) {
  CATALASE_CONV;
  const i64 group = blockIdx.z;
  Pixels<false> from_a(s, x + group * inputs, row, pixels);
  Stage<kTile, kDepth> from_b;
  from_b.start(Operand{w + group * outputs, 1, s.all_outputs, outputs}, column, 0);
  convolve(from_a, from_b, s.taps() * inputs, row, pixels, column, outputs, y + group * outputs, s.all_outputs,
           of_group(bias, group * outputs), activation, tile_a, tile_b);
}

// dx: `pixels` pixels; with bias (one value an input channel) and activation this is a transposed convolution.
extern "C" __global__ void __launch_bounds__(256, 2)
    conv_data_f32(const float* dz, const float* w, const float* bias, i64 activation, float* dx, i64 pixels,
                  CATALASE_SIZES) {
  CATALASE_CONV;
  const i64 group = blockIdx.z;
  Pixels<true> from_a(s, dz + group * outputs, row, pixels);
  TurnedWeights from_b(s, w + group * outputs, column);
  convolve(from_a, from_b, s.taps() * outputs, row, pixels, column, inputs, dx + group * inputs, s.all_inputs,
           of_group(bias, group * inputs), activation, tile_a, tile_b);
}

// dw (parts, taps, inputs, O): the sums over 4,096 pixels each, from `first_pixel` on. blockIdx.z counts the groups of
// each part.
extern "C" __global__ void __launch_bounds__(256, 2)
    conv_weights_f32(const float* x, const float* dz, float* dw, i64 first_pixel, i64 pixels, CATALASE_SIZES) {
  CATALASE_CONV;
  const i64 group = blockIdx.z % groups, part = blockIdx.z / groups, lines = s.taps() * inputs;
  const i64 pixel = first_pixel + part * kChain;
  Windows from_a(s, x + group * inputs, row, lines, pixel);
  Stage<kTile, kDepth> from_b;
  from_b.start(Operand{dz + group * outputs, 1, s.all_outputs, outputs}, column, pixel);
  convolve(from_a, from_b, smaller(pixels - pixel, kChain), row, lines, column, outputs,
           dw + part * lines * s.all_outputs + group * outputs, s.all_outputs, nullptr, kIdentity, tile_a, tile_b);
}
