// Augmentation of one image, one thread, one level.
//
// The map of geometry.h is walked by output row and column. Only the noise uses FMA, so all levels give equal pixels.
// Sums for the contrast are in double, 8 chains a channel.

#include "common/partition.h"
#include "cpu/simd.h"
#include "elementwise/vecmath.h"
#include "image/geometry.h"

namespace catalase {
namespace {

template <class T>
inline void copy_pixels(const AugmentShape& s, const T* x, float* y, const Index* rows, const Index* columns,
                        float scale, float fill) {
  const Index c = s.channels;
  for (Index i = 0; i < s.out_height; ++i) {
    float* line = y + i * s.out_width * c;
    for (Index j = 0; j < s.out_width; ++j, line += c) {
      if (rows[i] < 0 || columns[j] < 0) {
        for (Index k = 0; k < c; ++k) line[k] = fill;
        continue;
      }
      const T* pixel = x + (rows[i] + columns[j]) * c;
      for (Index k = 0; k < c; ++k) line[k] = static_cast<float>(pixel[k]) * scale;
    }
  }
}

inline float blend(float top_left, float top_right, float bottom_left, float bottom_right, float across, float down) {
  const float top = top_left * (1 - across) + top_right * across;
  const float bottom = bottom_left * (1 - across) + bottom_right * across;
  return top * (1 - down) + bottom * down;
}

// A pixel with a neighbour beyond the border.
template <class T>
inline void blend_at_border(const AugmentOptions& o, const AugmentShape& s, const T* x, Index y0, Index x0,
                            float across, float down, float* y) {
  const T* at[4];
  for (int t = 0; t < 4; ++t) {
    const Index py = border_pixel(y0 + t / 2, s.height, o.border), px = border_pixel(x0 + t % 2, s.width, o.border);
    at[t] = py < 0 || px < 0 ? nullptr : x + (py * s.width + px) * s.channels;
  }
  for (Index k = 0; k < s.channels; ++k) {
    float v[4];
    for (int t = 0; t < 4; ++t) v[t] = at[t] == nullptr ? o.fill : static_cast<float>(at[t][k]) * o.scale;
    y[k] = blend(v[0], v[1], v[2], v[3], across, down);
  }
}

// C is the number of channels if the compiler knows it (1, 3 and 4: 2 to 3 times as fast), else 0.
template <int C, class T>
inline void blend_pixels(const SourceMap& map, const AugmentOptions& o, const AugmentShape& s, const T* x, float* y) {
  const Index c = C > 0 ? C : s.channels, below = s.width * c;
  const double last_y = static_cast<double>(s.height - 1), last_x = static_cast<double>(s.width - 1);
  for (Index i = 0; i < s.out_height; ++i) {
    const double line_y = map.y_y * static_cast<double>(i) + map.y_0;
    const double line_x = map.x_y * static_cast<double>(i) + map.x_0;
    for (Index j = 0; j < s.out_width; ++j, y += c) {
      const double sy = line_y + map.y_x * static_cast<double>(j), sx = line_x + map.x_x * static_cast<double>(j);
      const Index y0 = floor_index(sy), x0 = floor_index(sx);
      const float down = static_cast<float>(sy - static_cast<double>(y0));
      const float across = static_cast<float>(sx - static_cast<double>(x0));
      if (!(sy >= 0 && sy < last_y && sx >= 0 && sx < last_x)) {
        blend_at_border(o, s, x, y0, x0, across, down, y);
        continue;
      }
      const T* p = x + (y0 * s.width + x0) * c;
      for (Index k = 0; k < c; ++k) {
        y[k] = blend(static_cast<float>(p[k]) * o.scale, static_cast<float>(p[k + c]) * o.scale,
                     static_cast<float>(p[k + below]) * o.scale, static_cast<float>(p[k + below + c]) * o.scale, across,
                     down);
      }
    }
  }
}

template <class T>
inline void blend_image(const SourceMap& map, const AugmentOptions& o, const AugmentShape& s, const T* x, float* y) {
  switch (s.channels) {
    case 1:
      return blend_pixels<1>(map, o, s, x, y);
    case 3:
      return blend_pixels<3>(map, o, s, x, y);
    case 4:
      return blend_pixels<4>(map, o, s, x, y);
    default:
      return blend_pixels<0>(map, o, s, x, y);
  }
}

// y * gain + shift, where shift keeps the channel's mean and adds the brightness.
inline void adjust(const SourceMap& map, const AugmentShape& s, float* y) {
  const Index pixels = s.out_height * s.out_width, c = s.channels;
  const float gain = static_cast<float>(map.gain);
  for (Index k = 0; k < c; ++k) {
    double shift = map.added;
    if (map.gain != 1) {
      double chains[8] = {};
      for (Index p = 0; p < pixels; ++p) chains[p % 8] += static_cast<double>(y[p * c + k]);
      double sum = 0;
      for (int i = 0; i < 8; ++i) sum += chains[i];
      shift += sum / static_cast<double>(pixels) * (1 - map.gain);
    }
    const float added = static_cast<float>(shift);
    for (Index p = 0; p < pixels; ++p) y[p * c + k] = y[p * c + k] * gain + added;
  }
}

// 64 standard normal numbers (Box-Muller): word j and word j + 32 give numbers j and j + 32.
inline void normal_group(const std::uint32_t* words, float* out) {
  constexpr int W = static_cast<int>(kWidth<float>);
  for (int j = 0; j < 32; j += W) {
    VecF u, v;
    for (int lane = 0; lane < W; ++lane) {
      u[lane] = (static_cast<float>(words[j + lane] >> 8) + 0.5f) * 0x1p-24f;  // above 0: its logarithm is finite
      v[lane] = static_cast<float>(words[j + 32 + lane] >> 8) * 0x1p-24f;
    }
    const VecF r = sqrt(vec(-2.0f) * log(u));
    // Half of the angle, in [-pi/2, pi/2), by Taylor series, whose error there is below 6e-8.
    const VecF h = (v - vec(0.5f)) * vec(3.14159265358979f), z = h * h;
    VecF sine = vec(-1.0f / 39916800), cosine = vec(1.0f / 479001600);
    sine = fma(sine, z, vec(1.0f / 362880));
    sine = fma(sine, z, vec(-1.0f / 5040));
    sine = fma(sine, z, vec(1.0f / 120));
    sine = fma(sine, z, vec(-1.0f / 6));
    sine = fma(sine * z, h, h);
    cosine = fma(cosine, z, vec(-1.0f / 3628800));
    cosine = fma(cosine, z, vec(1.0f / 40320));
    cosine = fma(cosine, z, vec(-1.0f / 720));
    cosine = fma(cosine, z, vec(1.0f / 24));
    cosine = fma(cosine, z, vec(-0.5f));
    cosine = fma(cosine, z, vec(1.0f));
    store(out + j, r * (vec(2.0f) * sine * sine - vec(1.0f)));  // cos and sin of angle - pi: signs reversed
    store(out + 32 + j, r * (vec(-2.0f) * sine * cosine));
  }
}

inline void add_noise(AugmentKey key, float deviation, float* y, Index n) {
  std::uint32_t words[128];
  float normal[128];
  for (Index i = 0; i < n; i += 128) {
    augment_words(key, 1 + static_cast<std::uint64_t>(i) / 64, words);
    normal_group(words, normal);
    normal_group(words + 64, normal + 64);
    const Index count = smaller(n - i, 128);
    for (Index j = 0; j < count; ++j) y[i + j] += deviation * normal[j];
  }
}

template <class T>
void augment_level(const AugmentOptions& o, AugmentKey key, const AugmentShape& s, const T* x, float* y,
                   Index* offsets) {
  const SourceMap map = source_map(o, key, s);
  if (map.whole) {
    whole_offsets(map, s, o.border, offsets, offsets + s.out_height);
    copy_pixels(s, x, y, offsets, offsets + s.out_height, o.scale, o.fill);
  } else {
    blend_image(map, o, s, x, y);
  }
  const Index n = s.out_height * s.out_width * s.channels;
  if (map.gain != 1 || map.added != 0) adjust(map, s, y);
  if (o.random && o.noise > 0) add_noise(key, o.noise, y, n);
  for (Index i = 0; i < n; ++i) {  // NaN stays NaN
    y[i] = y[i] < o.low ? o.low : y[i];
    y[i] = y[i] > o.high ? o.high : y[i];
  }
}

template <class T>
void mask_items(const AugmentOptions& o, AugmentKey key, const AugmentShape& s, const T* x, T* y, Index* offsets) {
  const SourceMap map = source_map(o, key, s);
  if (map.whole) whole_offsets(map, s, o.border, offsets, offsets + s.out_height);
  for (Index i = 0; i < s.out_height; ++i) {
    const double line_y = map.y_y * static_cast<double>(i) + map.y_0;
    const double line_x = map.x_y * static_cast<double>(i) + map.x_0;
    for (Index j = 0; j < s.out_width; ++j) {
      Index row, column;
      if (map.whole) {
        row = offsets[i];
        column = offsets[s.out_height + j];
      } else {
        const Index py = floor_index(line_y + map.y_x * static_cast<double>(j) + 0.5);
        const Index px = floor_index(line_x + map.x_x * static_cast<double>(j) + 0.5);
        row = border_pixel(py, s.height, o.border);
        column = border_pixel(px, s.width, o.border);
        row = row < 0 ? -1 : row * s.width;
      }
      const bool inside = row >= 0 && column >= 0;
      const T* pixel = inside ? x + (row + column) * s.channels : nullptr;
      for (Index k = 0; k < s.channels; ++k) *y++ = inside ? pixel[k] : T(0);
    }
  }
}

inline void augment_mask_level(const AugmentOptions& o, AugmentKey key, const AugmentShape& s, const void* x, void* y,
                               Index item_bytes, Index* offsets) {
  const auto run = [&](auto item) {
    using T = decltype(item);
    mask_items(o, key, s, static_cast<const T*>(x), static_cast<T*>(y), offsets);
  };
  switch (item_bytes) {
    case 1:
      return run(std::uint8_t{});
    case 2:
      return run(std::uint16_t{});
    case 4:
      return run(std::uint32_t{});
    default:
      return run(std::uint64_t{});
  }
}

}  // namespace

extern const ImageKernels CATALASE_AT_LEVEL(image) = {augment_level<float>, augment_level<std::uint8_t>,
                                                      augment_mask_level};
}  // namespace catalase
