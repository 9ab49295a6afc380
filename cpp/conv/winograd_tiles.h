// Tiles to and from the 36 planes: x -> V, M -> y, dy -> G. Lanes are channels. Pixels outside x are read from one row
// of zeros.
#pragma once

#include "conv/winograd_layout.h"
#include "conv/winograd_transforms.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

constexpr Index kRun = 8;  // tiles in a row that share the columns of x: 34 columns, 13 KiB

// The place of a tile.
struct Place {
  Index image, row, column;  // row and column in tiles
};
inline Place place_of(const WinogradPlan& p, Index tile) {
  const Index in_image = tile % (p.tiles_h * p.tiles_w);
  return {tile / (p.tiles_h * p.tiles_w), in_image / p.tiles_w, in_image % p.tiles_w};
}

alignas(64) constexpr float kZeros[16] = {};

// x -> V for a run of neighbouring tiles, the first of them at v.
template <int kStep>
void transform_run(const WinogradPlan& p, const float* x, const Place& at, Index tiles, float* v, Index v_row,
                   Index v_plane) {
  alignas(64) float strip[(kRun * kStep + 6 - kStep) * 6 * W];
  const Index channels = p.in_channels, columns = tiles * kStep + 6 - kStep;
  const Index top = at.row * kStep - p.before_h, left = at.column * kStep - p.before_w;
  const Index begin = smaller(left < 0 ? -left : 0, columns);  // columns [begin, end) lie in x
  const Index end = p.in_w - left < begin ? begin : smaller(p.in_w - left, columns);
  for (Index c = 0; c < channels; c += W) {
    const Index ahead =
        c + W < channels ? W : tiles * kStep * p.in_pixel - c;  // the next vector, or the next run's first
    const float* rows[6];
    Index steps[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      const bool inside = top + i >= 0 && top + i < p.in_h;
      rows[i] = inside ? x + ((at.image * p.in_h + top + i) * p.in_w + left + begin) * p.in_pixel + c : kZeros;
      steps[i] = inside ? p.in_pixel : 0;
    }
    float* s = strip;
    for (Index j = 0; j < begin * 6; ++j, s += W) store(s, V{});
    for (Index j = begin; j < end; ++j, s += 6 * W) {
      V d[6], points[6];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) {
        d[i] = load_channels(rows[i], channels - c);
        __builtin_prefetch(rows[i] + ahead);
        rows[i] += steps[i];
      }
      points_of_input(d, points);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) store(s + i * W, points[i]);
    }
    for (Index j = end * 6; j < columns * 6; ++j, s += W) store(s, V{});
    for (Index t = 0; t < tiles; ++t) {
      float* target = v + t * v_row + c;
#pragma GCC unroll 2
      for (int i = 0; i < 6; ++i) {
        V d[6], points[6];
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) d[j] = load(strip + ((t * kStep + j) * 6 + i) * W);
        points_of_input(d, points);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(target + (i * 6 + j) * v_plane, points[j]);
      }
    }
  }
}

// x -> V for the tiles [first, first + count), which lie in V from its row 0 on.
template <int kStep>
void transform_input(const WinogradPlan& p, const float* x, Index first, Index count, float* v, Index v_row,
                     Index v_plane) {
  for (Index done = 0; done < count;) {
    const Place at = place_of(p, first + done);
    const Index tiles = smaller(smaller(p.tiles_w - at.column, count - done), kRun);
    transform_run<kStep>(p, x, at, tiles, v + done * v_row, v_row, v_plane);
    done += tiles;
  }
}

// M -> y for one tile.
template <int kStep>
void transform_output(const WinogradPlan& p, const float* m, Index m_plane, const float* bias, Activation activation,
                      const Place& place, float* y) {
  const Index channels = p.out_channels, row = place.row * kStep, column = place.column * kStep;
  const Index rows = smaller(kStep, p.out_h - row), columns = smaller(kStep, p.out_w - column);
  float* corner = y + ((place.image * p.out_h + row) * p.out_w + column) * channels;
  for (Index o = 0; o < channels; o += W) {
    V half[kStep][6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      V points[6], sums[kStep];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) points[i] = load(m + (i * 6 + j) * m_plane + o);
      outputs_of_points<kStep>(points, sums);
#pragma GCC unroll 4
      for (int i = 0; i < kStep; ++i) half[i][j] = sums[i];
    }
    const V b = bias != nullptr ? load_channels(bias + o, channels - o) : V{};
#pragma GCC unroll 4
    for (int i = 0; i < kStep; ++i) {
      V out[kStep];
      outputs_of_points<kStep>(half[i], out);
#pragma GCC unroll 4
      for (int j = 0; j < kStep; ++j) {
        if (bias != nullptr) out[j] = out[j] + b;
        if (activation == Activation::kRelu) out[j] = relu<float>(out[j]);
        if (i < rows && j < columns) store_channels(corner + (i * p.out_w + j) * channels + o, out[j], channels - o);
      }
    }
  }
}

// dy -> G for one tile, row `tile` of each panel; dy is zero outside itself.
template <int kStep>
void transform_gradient(const WinogradPlan& p, const float* dy, const Place& place, Index tile, float* g) {
  const Panels panels = gradient_panels(p);
  const Index channels = p.out_channels, row = place.row * kStep, column = place.column * kStep, plane = panels.plane();
  const float* corner = dy + ((place.image * p.out_h + row) * p.out_w + column) * p.out_pixel;
  for (Index q = 0; q < panels.count(); ++q) {
    const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
    for (Index u = 0; u < vectors; ++u) {
      const Index o = (start + u) * W;
      V half[6][kStep];
#pragma GCC unroll 4
      for (int j = 0; j < kStep; ++j) {
        V e[kStep], points[6];
#pragma GCC unroll 4
        for (int i = 0; i < kStep; ++i) {
          const bool inside = row + i < p.out_h && column + j < p.out_w;
          e[i] = inside ? load_channels(corner + (i * p.out_w + j) * p.out_pixel + o, channels - o) : V{};
        }
        points_of_gradient<kStep>(e, points);
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) half[i][j] = points[i];
      }
      float* target = g + start * W * panels.rows + (tile * vectors + u) * W;
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) {
        V points[6];
        points_of_gradient<kStep>(half[i], points);
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) store(target + (i * 6 + j) * plane, points[j]);
      }
    }
  }
}

}  // namespace
}  // namespace catalase
