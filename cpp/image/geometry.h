// The source of an output pixel.
#pragma once

#include "cpu/simd.h"
#include "elementwise/philox.h"
#include "image/image.h"

namespace catalase {
namespace {

// A random stream that differs from dropout's, which has layers and steps under the same seed.
constexpr std::uint64_t kAugmentStream = 0x6175676d656e7400u;

// Computes the words of groups g and g + 1, 128 of them.
inline void augment_words(AugmentKey key, std::uint64_t group, std::uint32_t* words) {
  asm("" : "+r"(group));  // if gcc 12 knows that it is 0, it warns about values in code that it has removed
  philox_two_groups(DropoutKey{key.seed ^ kAugmentStream, key.image, key.step}, group, words);
}

// Source y = y_y * oy + y_x * ox + y_0, and x likewise.
struct SourceMap {
  double y_y, y_x, y_0, x_y, x_x, x_0;
  bool whole;          // all six are whole numbers, y_y or y_x is zero
  double gain, added;  // contrast and brightness
};

inline double unit(std::uint32_t word) {
  return static_cast<double>(word) * 0x1p-32;  // [0, 1)
}
inline double either_way(std::uint32_t word, double most) {
  return (2 * unit(word) - 1) * most;
}
inline Index floor_index(double v) {
  const Index i = static_cast<Index>(v);
  return i - (v < static_cast<double>(i));
}
inline double round_even_steps(double v) {
  return static_cast<double>(floor_index(v + 0.5));
}

// The words of group 0: 0 and 1 flips, 2 quarter turns, 3 rotation, 4 and 5 shift, 6 and 7 crop, 8 brightness, 9
// contrast.
inline SourceMap source_map(const AugmentOptions& o, AugmentKey key, const AugmentShape& s) {
  std::uint32_t words[128];
  if (o.random) augment_words(key, 0, words);
  const double spare_y = static_cast<double>(s.height - s.out_height);
  const double spare_x = static_cast<double>(s.width - s.out_width);
  double flip_x = 1, flip_y = 1, cosine = 1, sine = 0, angle = 0, move_y = 0, move_x = 0, gain = 1, added = 0;
  double crop_y = static_cast<double>(floor_index(spare_y / 2)), crop_x = static_cast<double>(floor_index(spare_x / 2));
  if (o.random) {
    if (unit(words[0]) < o.flip_horizontal) flip_x = -1;
    if (unit(words[1]) < o.flip_vertical) flip_y = -1;
    const std::uint32_t turns = o.quarter_turns ? words[2] >> 30 & (s.height == s.width ? 3u : 2u) : 0u;
    cosine = turns == 0 ? 1 : turns == 2 ? -1 : 0;
    sine = turns == 1 ? 1 : turns == 3 ? -1 : 0;
    angle = either_way(words[3], o.rotation);
    move_y = round_even_steps(either_way(words[4], o.shift_y));
    move_x = round_even_steps(either_way(words[5], o.shift_x));
    crop_y = static_cast<double>(floor_index(unit(words[6]) * (spare_y + 1)));
    crop_x = static_cast<double>(floor_index(unit(words[7]) * (spare_x + 1)));
    added = either_way(words[8], o.brightness);
    gain = 1 + either_way(words[9], o.contrast);
  }
  // About the centre: (Y, X) = flips * quarter turn * rotation * (oy + crop - move - centre).
  double m[4] = {cosine, sine, -sine, cosine};  // Y from y and x, X from y and x
  if (angle != 0) {
    const double c = __builtin_cos(angle), n = __builtin_sin(angle);
    const double turned[4] = {m[0] * c - m[1] * n, m[0] * n + m[1] * c, m[2] * c - m[3] * n, m[2] * n + m[3] * c};
    for (int i = 0; i < 4; ++i) m[i] = turned[i];
  }
  const double centre_y = static_cast<double>(s.height - 1) / 2, centre_x = static_cast<double>(s.width - 1) / 2;
  const double y = crop_y - move_y - centre_y, x = crop_x - move_x - centre_x;
  SourceMap map;
  map.y_y = flip_y * m[0];
  map.y_x = flip_y * m[1];
  map.x_y = flip_x * m[2];
  map.x_x = flip_x * m[3];
  map.y_0 = map.y_y * y + map.y_x * x + centre_y;
  map.x_0 = map.x_y * y + map.x_x * x + centre_x;
  map.whole = angle == 0;
  map.gain = gain;
  map.added = added;
  return map;
}

// The pixel that is read for pixel i of a line of n; -1 for the fill. Reflection repeats the edge: b a | a b c | c b.
inline Index border_pixel(Index i, Index n, Border border) {
  if (i >= 0 && i < n) return i;
  if (border == Border::kConstant) return -1;
  if (border == Border::kEdge) return i < 0 ? 0 : n - 1;
  const Index around = ((i % (2 * n)) + 2 * n) % (2 * n);
  return around < n ? around : 2 * n - 1 - around;
}

// For a map of whole numbers: the source pixel of (oy, ox) is rows[oy] + columns[ox], the fill if either is negative.
inline void whole_offsets(const SourceMap& map, const AugmentShape& s, Border border, Index* rows, Index* columns) {
  const bool upright = map.y_x == 0;
  for (int side = 0; side < 2; ++side) {
    const bool along_y = (side == 0) == upright;  // whether this output coordinate walks along the source's y
    const double slope = along_y ? (side == 0 ? map.y_y : map.y_x) : (side == 0 ? map.x_y : map.x_x);
    const Index step = slope < 0 ? -1 : 1, first = floor_index((along_y ? map.y_0 : map.x_0) + 0.5);
    const Index count = side == 0 ? s.out_height : s.out_width, size = along_y ? s.height : s.width;
    Index* offsets = side == 0 ? rows : columns;
    for (Index i = 0; i < count; ++i) {
      const Index pixel = border_pixel(first + step * i, size, border);
      offsets[i] = pixel < 0 ? -1 : pixel * (along_y ? s.width : 1);
    }
  }
}

}  // namespace
}  // namespace catalase
