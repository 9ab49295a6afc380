// Augmentation of images (rotated, moved, cropped, made brighter and noisier) and of their masks; x (N, H, W, C)
// float32 or bytes, y (N, h, w, C) float32, masks of items of 1, 2, 4 or 8 bytes. Results equal the CPU's cpp/image to
// the bit.
//
// For each image the map from output pixel to source pixel, the contrast and the brightness are ten doubles, which the
// host computes from the image's random words: they take one sine and one cosine an image, which must be the CPU's.
// Then augment_* copy or blend pixels; brightness_chains sums each channel if the contrast changes; finish_pixels adds
// contrast, brightness and noise and applies the limits.
// Threads: one for each output element, with the channel running fastest; in brightness_chains one for each chain (8 a
// channel, in double); for the noise one for each counter of Philox, which gives four elements. Nothing is scattered
// and no atomic is needed. Bound: memory bandwidth; the coordinates are in double, so a device with few double units
// waits for them. Not taken: an image's pixels in shared memory, which would limit the size of an image.
#include "philox.cuh"
#include "vecmath.cuh"

namespace catalase {

constexpr u64 kAugmentStream = 0x6175676d656e7400ull;
constexpr i64 kMap = 10;  // doubles an image

struct Sizes {
  i64 height, width, channels, out_height, out_width;
};

// Source y = y_y * oy + y_x * ox + y_0, and x likewise; whole if all are whole numbers.
struct PixelMap {
  double y_y, y_x, y_0, x_y, x_x, x_0;
  bool whole;

  __device__ __forceinline__ explicit PixelMap(const double* m)
      : y_y(m[0]), y_x(m[1]), y_0(m[2]), x_y(m[3]), x_x(m[4]), x_0(m[5]), whole(m[6] != 0.0) {}
};

__device__ __forceinline__ i64 floor_of(double v) {
  const i64 i = static_cast<i64>(v);
  return i - (v < static_cast<double>(i) ? 1 : 0);
}

// The pixel that is read for pixel i of a line of n; -1 for the fill. Reflection repeats the edge: b a | a b c | c b.
__device__ __forceinline__ i64 pixel_beyond(i64 i, i64 n, i64 border) {
  if (i >= 0 && i < n) return i;
  if (border == kConstantBorder) return -1;
  if (border == kEdgeBorder) return i < 0 ? 0 : n - 1;
  const i64 around = ((i % (2 * n)) + 2 * n) % (2 * n);
  return around < n ? around : 2 * n - 1 - around;
}

// The source pixel at (y, x), or -1.
__device__ __forceinline__ i64 pixel_at(const Sizes& s, i64 y, i64 x, i64 border) {
  const i64 row = pixel_beyond(y, s.height, border), column = pixel_beyond(x, s.width, border);
  return row < 0 || column < 0 ? -1 : row * s.width + column;
}

// For a map of whole numbers: the source pixel of (i, j), or -1.
__device__ __forceinline__ i64 whole_pixel(const PixelMap& m, const Sizes& s, i64 i, i64 j, i64 border) {
  const bool upright = m.y_x == 0.0;
  const i64 y = floor_of(m.y_0 + 0.5) + ((upright ? m.y_y : m.y_x) < 0.0 ? -1 : 1) * (upright ? i : j);
  const i64 x = floor_of(m.x_0 + 0.5) + ((upright ? m.x_x : m.x_y) < 0.0 ? -1 : 1) * (upright ? j : i);
  return pixel_at(s, y, x, border);
}

// The place of output element e of the batch.
struct OutPixel {
  i64 image, i, j, channel;

  __device__ __forceinline__ OutPixel(i64 e, const Sizes& s)
      : image(e / s.channels / s.out_width / s.out_height),
        i(e / s.channels / s.out_width % s.out_height),
        j(e / s.channels % s.out_width),
        channel(e % s.channels) {}
};

template <class T>
__device__ __forceinline__ void move_pixels(const T* x, const double* maps, float* y, const Sizes& s, float scale,
                                            float fill, i64 border, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const OutPixel o(e, s);
    const PixelMap m(maps + o.image * kMap);
    const T* image = x + o.image * s.height * s.width * s.channels + o.channel;
    if (m.whole) {
      const i64 pixel = whole_pixel(m, s, o.i, o.j, border);
      y[e] = pixel < 0 ? fill : static_cast<float>(image[pixel * s.channels]) * scale;
      continue;
    }
    const double sy = m.y_y * static_cast<double>(o.i) + m.y_0 + m.y_x * static_cast<double>(o.j);
    const double sx = m.x_y * static_cast<double>(o.i) + m.x_0 + m.x_x * static_cast<double>(o.j);
    const i64 y0 = floor_of(sy), x0 = floor_of(sx);
    const float down = static_cast<float>(sy - static_cast<double>(y0));
    const float across = static_cast<float>(sx - static_cast<double>(x0));
    float v[4];
#pragma unroll
    for (i32 t = 0; t < 4; ++t) {
      const i64 pixel = pixel_at(s, y0 + t / 2, x0 + t % 2, border);
      v[t] = pixel < 0 ? fill : static_cast<float>(image[pixel * s.channels]) * scale;
    }
    const float top = v[0] * (1.0f - across) + v[1] * across;
    const float bottom = v[2] * (1.0f - across) + v[3] * across;
    y[e] = top * (1.0f - down) + bottom * down;
  }
}

template <class T>
__device__ __forceinline__ void move_labels(const T* x, const double* maps, T* y, const Sizes& s, i64 border, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const OutPixel o(e, s);
    const PixelMap m(maps + o.image * kMap);
    i64 pixel;
    if (m.whole) {
      pixel = whole_pixel(m, s, o.i, o.j, border);
    } else {
      const i64 py = floor_of(m.y_y * static_cast<double>(o.i) + m.y_0 + m.y_x * static_cast<double>(o.j) + 0.5);
      const i64 px = floor_of(m.x_y * static_cast<double>(o.i) + m.x_0 + m.x_x * static_cast<double>(o.j) + 0.5);
      pixel = pixel_at(s, py, px, border);
    }
    const i64 image = o.image * s.height * s.width;
    y[e] = pixel < 0 ? static_cast<T>(0) : x[(image + pixel) * s.channels + o.channel];
  }
}

// Two standard normal numbers from two words (Box-Muller).
__device__ __forceinline__ void two_normals(u32 first, u32 second, float* cosine_number, float* sine_number) {
  const float u = (static_cast<float>(first >> 8) + 0.5f) * 5.9604644775390625e-8f;  // above 0: finite logarithm
  const float v = static_cast<float>(second >> 8) * 5.9604644775390625e-8f;
  const float r = sqrtf(-2.0f * log_f32(u));
  // Half of the angle, in [-pi/2, pi/2), by Taylor series.
  const float h = (v - 0.5f) * 3.14159265358979f, z = h * h;
  float sine = -1.0f / 39916800, cosine = 1.0f / 479001600;
  sine = fmaf(sine, z, 1.0f / 362880);
  sine = fmaf(sine, z, -1.0f / 5040);
  sine = fmaf(sine, z, 1.0f / 120);
  sine = fmaf(sine, z, -1.0f / 6);
  sine = fmaf(sine * z, h, h);
  cosine = fmaf(cosine, z, -1.0f / 3628800);
  cosine = fmaf(cosine, z, 1.0f / 40320);
  cosine = fmaf(cosine, z, -1.0f / 720);
  cosine = fmaf(cosine, z, 1.0f / 24);
  cosine = fmaf(cosine, z, -0.5f);
  cosine = fmaf(cosine, z, 1.0f);
  *cosine_number = r * (2.0f * sine * sine - 1.0f);
  *sine_number = r * (-2.0f * sine * cosine);
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_SIZES i64 height, i64 width, i64 channels, i64 out_height, i64 out_width
#define CATALASE_SIZES_OF                          \
  Sizes {                                          \
    height, width, channels, out_height, out_width \
  }

// n elements of y. maps (N, 10).
extern "C" __global__ void __launch_bounds__(256)
    augment_f32(const float* x, const double* maps, float* y, CATALASE_SIZES, float scale, float fill, i64 border,
                i64 n) {
  move_pixels(x, maps, y, CATALASE_SIZES_OF, scale, fill, border, n);
}
extern "C" __global__ void __launch_bounds__(256)
    augment_u8(const u8* x, const double* maps, float* y, CATALASE_SIZES, float scale, float fill, i64 border, i64 n) {
  move_pixels(x, maps, y, CATALASE_SIZES_OF, scale, fill, border, n);
}

extern "C" __global__ void __launch_bounds__(256)
    augment_mask_1(const u8* x, const double* maps, u8* y, CATALASE_SIZES, i64 border, i64 n) {
  move_labels(x, maps, y, CATALASE_SIZES_OF, border, n);
}
extern "C" __global__ void __launch_bounds__(256)
    augment_mask_2(const unsigned short* x, const double* maps, unsigned short* y, CATALASE_SIZES, i64 border, i64 n) {
  move_labels(x, maps, y, CATALASE_SIZES_OF, border, n);
}
extern "C" __global__ void __launch_bounds__(256)
    augment_mask_4(const u32* x, const double* maps, u32* y, CATALASE_SIZES, i64 border, i64 n) {
  move_labels(x, maps, y, CATALASE_SIZES_OF, border, n);
}
extern "C" __global__ void __launch_bounds__(256)
    augment_mask_8(const u64* x, const double* maps, u64* y, CATALASE_SIZES, i64 border, i64 n) {
  move_labels(x, maps, y, CATALASE_SIZES_OF, border, n);
}

// chains: n = images * channels * 8 sums, each of every eighth pixel of a channel.
extern "C" __global__ void __launch_bounds__(256)
    brightness_chains(const float* y, double* chains, i64 pixels, i64 channels, i64 n) {
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const float* at = y + e / 8 / channels * pixels * channels + e / 8 % channels;
    double sum = 0.0;
    for (i64 p = e % 8; p < pixels; p += 8) sum = sum + static_cast<double>(at[p * channels]);
    chains[e] = sum;
  }
}

// numbers: the numbers of the images. chains may be null if no contrast changes. n counters: 16 for every 64 elements,
// or fewer, of an image.
extern "C" __global__ void __launch_bounds__(256)
    finish_pixels(const double* maps, const i64* numbers, const double* chains, float* y, i64 pixels, i64 channels,
                  i64 seed, i64 step, float noise, float low, float high, i64 n) {
  const i64 items = pixels * channels, counters = (items + 63) / 64 * 16;
  for (i64 e = global_thread(); e < n; e += global_threads()) {
    const i64 image = e / counters, c = e % counters;
    const double gain = maps[image * kMap + 7], more = maps[image * kMap + 8];
    float normal[4] = {};
    if (noise > 0.0f) {
      u32 words[4];
      philox(static_cast<u64>(seed) ^ kAugmentStream, static_cast<u64>(c + 16), static_cast<u32>(numbers[image]),
             static_cast<u32>(step), words);
      two_normals(words[0], words[2], &normal[0], &normal[2]);
      two_normals(words[1], words[3], &normal[1], &normal[3]);
    }
#pragma unroll
    for (i32 w = 0; w < 4; ++w) {
      const i64 i = c / 16 * 64 + 16 * w + c % 16;
      if (i >= items) continue;
      float value = y[image * items + i];
      if (gain != 1.0 || more != 0.0) {
        double shift = more;
        if (gain != 1.0) {
          const double* sums = chains + (image * channels + i % channels) * 8;
          double sum = 0.0;
          for (i32 k = 0; k < 8; ++k) sum = sum + sums[k];
          shift = shift + sum / static_cast<double>(pixels) * (1.0 - gain);
        }
        value = value * static_cast<float>(gain) + static_cast<float>(shift);
      }
      if (noise > 0.0f) value = value + noise * normal[w];
      value = value < low ? low : value;
      y[image * items + i] = value > high ? high : value;
    }
  }
}
