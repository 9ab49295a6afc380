// Augmentation of one image, one thread, one level. Included by image_<level>.cpp after simd_<level>.h.
//
// The map of geometry.h is walked by output row and column. No FMA outside of the noise, so that all levels give equal
// pixels. Sums for the contrast are in double, 8 chains a channel.
#pragma once

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

template <class T>
struct Taps {
  const T* at[4];  // top left, top right, bottom left, bottom right; nullptr for the fill
  float across, down;
};

template <class T>
inline Taps<T> taps_at(const AugmentShape& s, const T* x, double sy, double sx, Border border) {
  const Index y0 = floor_index(sy), x0 = floor_index(sx), c = s.channels;
  Taps<T> taps;
  taps.across = static_cast<float>(sx - static_cast<double>(x0));
  taps.down = static_cast<float>(sy - static_cast<double>(y0));
  if (y0 >= 0 && y0 + 1 < s.height && x0 >= 0 && x0 + 1 < s.width) {
    const T* corner = x + (y0 * s.width + x0) * c;
    taps.at[0] = corner;
    taps.at[1] = corner + c;
    taps.at[2] = corner + s.width * c;
    taps.at[3] = corner + (s.width + 1) * c;
    return taps;
  }
  for (int t = 0; t < 4; ++t) {
    const Index py = border_pixel(y0 + t / 2, s.height, border), px = border_pixel(x0 + t % 2, s.width, border);
    taps.at[t] = py < 0 || px < 0 ? nullptr : x + (py * s.width + px) * c;
  }
  return taps;
}

template <class T>
inline float blend(const Taps<T>& taps, Index k, float scale, float fill) {
  float v[4];
  for (int t = 0; t < 4; ++t) v[t] = taps.at[t] == nullptr ? fill : static_cast<float>(taps.at[t][k]) * scale;
  const float top = v[0] * (1 - taps.across) + v[1] * taps.across;
  const float bottom = v[2] * (1 - taps.across) + v[3] * taps.across;
  return top * (1 - taps.down) + bottom * taps.down;
}

template <class T>
inline void blend_pixels(const SourceMap& map, const AugmentOptions& o, const AugmentShape& s, const T* x, float* y) {
  for (Index i = 0; i < s.out_height; ++i) {
    const double line_y = map.y_y * static_cast<double>(i) + map.y_0;
    const double line_x = map.x_y * static_cast<double>(i) + map.x_0;
    for (Index j = 0; j < s.out_width; ++j) {
      const double sy = line_y + map.y_x * static_cast<double>(j), sx = line_x + map.x_x * static_cast<double>(j);
      const Taps<T> taps = taps_at(s, x, sy, sx, o.border);
      for (Index k = 0; k < s.channels; ++k) *y++ = blend(taps, k, o.scale, o.fill);
    }
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

// 64 standard normal numbers (Box and Muller): word j and word j + 32 give numbers j and j + 32.
inline void normal_group(AugmentKey key, std::uint64_t group, float* out) {
  std::uint32_t words[64];
  augment_words(key, group, words);
  constexpr int W = static_cast<int>(kWidth<float>);
  for (int j = 0; j < 32; j += W) {
    VecF u, v;
    for (int lane = 0; lane < W; ++lane) {
      u[lane] = (static_cast<float>(words[j + lane] >> 8) + 0.5f) * 0x1p-24f;  // above 0: its logarithm is finite
      v[lane] = static_cast<float>(words[j + 32 + lane] >> 8) * 0x1p-24f;
    }
    const VecF r = sqrt(vec(-2.0f) * log(u));
    // Half of the angle, in [-pi/2, pi/2), by Taylor's series; their error there is below 6e-8.
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
    store(out + j, r * (vec(2.0f) * sine * sine - vec(1.0f)));  // cos and sin of the angle less pi, signs turned
    store(out + 32 + j, r * (vec(-2.0f) * sine * cosine));
  }
}

inline void add_noise(AugmentKey key, float deviation, float* y, Index n) {
  float normal[64];
  for (Index i = 0; i < n; i += 64) {
    normal_group(key, 1 + static_cast<std::uint64_t>(i) / 64, normal);
    const Index count = n - i < 64 ? n - i : 64;
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
    blend_pixels(map, o, s, x, y);
  }
  const Index n = s.out_height * s.out_width * s.channels;
  if (map.gain != 1 || map.added != 0) adjust(map, s, y);
  if (o.random && o.noise > 0) add_noise(key, o.noise, y, n);
  for (Index i = 0; i < n; ++i) {  // NaN stays
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
}  // namespace catalase
