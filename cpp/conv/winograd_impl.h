// Winograd convolution, one thread, one level. Included by winograd_<level>.cpp after simd_<level>.h.
//
// Forward, outermost first (shared out by winograd.cpp):
//   blocks of tiles              V and M of a block, 36 x tiles x channels each, stay in L2
//     runs of tiles, channels    x -> V[plane][tile][c]: columns of x are transformed once for all tiles that see them
//     planes                     M[plane] = V[plane] @ U[plane] by the micro-kernel of matmul, A where it stands
//     tiles, channels            M -> y, with bias and ReLU
// U[plane][panel][c][o] is made once a call. The gradient of the input is the same with other filters.
//
// Gradient of the filters:
//   blocks of tiles
//     tiles                      x -> V[plane][tile][c], dy -> G[plane][panel][tile][o]
//     planes                     S[plane] += V[plane]^T @ G[plane]
//   S[plane][c][o] -> dw
//
// Lanes are channels everywhere; the last vector of a row of x, y or w is read and written under a mask, and rows of V,
// M and S are padded to whole vectors. Pixels outside x are a row of zeros that is read again and again. Planes lie an
// odd number of cache lines apart, as do the rows of V where its channels would share a few cache sets. Accumulators
// are float. Bound: compute in the products, L2 and memory bandwidth in the transforms.
#pragma once

#include "common/memory.h"
#include "conv/winograd.h"
#include "matmul/blocks.h"
#include "matmul/matmul.h"
// micro.h needs blocks.h
#include "matmul/micro.h"
#include "matmul/pack.h"
// the butterflies
#include "conv/winograd_transforms.h"

namespace catalase {
namespace {

constexpr Index W = kWidth<float>;
constexpr int kPlanes = 36;
constexpr Index kRun = 8;  // tiles in a row that share the columns of x between them: 34 columns, 13 KiB

constexpr Index smaller(Index a, Index b) {
  return a < b ? a : b;
}
inline Index piece_start(Index n, Index pieces, Index t) {
  return n / pieces * t + smaller(t, n % pieces);
}
inline Index vectors_of(Index channels) {
  return (channels + W - 1) / W;
}

// Rows of V, M and S: whole vectors. Rows 1 KiB or a multiple apart would share few cache sets.
inline Index row_stride(Index channels) {
  const Index floats = vectors_of(channels) * W;
  return floats % 256 == 0 ? floats + 16 : floats;
}
inline Index plane_stride(Index rows, Index row_floats) {
  return copied_stride<float>(rows * row_floats);
}

// A row of `vectors` vectors is cut into panels, evenly; a plane holds panel after panel, each with all its rows.
struct Panels {
  Index vectors, rows;

  Index count() const { return (vectors + kPanelVectors - 1) / kPanelVectors; }
  Index start(Index panel) const { return piece_start(vectors, count(), panel); }
  Index plane() const { return plane_stride(rows, vectors * W); }
};
inline Panels filter_panels(const WinogradPlan& p) {
  return {vectors_of(p.out_channels), p.in_channels};
}
inline Panels gradient_panels(const WinogradPlan& p) {
  return {vectors_of(p.out_channels), p.block};
}

// One vector of `left` channels, or more.
inline V load_channels(const float* p, Index left) {
  return left >= W ? load(p) : load_lanes(p, first_lanes<float>(left));
}
inline void store_channels(float* p, V v, Index left) {
  left >= W ? store(p, v) : store_lanes(p, v, first_lanes<float>(left));
}

// Where a tile lies.
struct Place {
  Index image, row, column;  // row and column in tiles
};
inline Place place_of(const WinogradPlan& p, Index tile) {
  const Index in_image = tile % (p.tiles_h * p.tiles_w);
  return {tile / (p.tiles_h * p.tiles_w), in_image / p.tiles_w, in_image % p.tiles_w};
}

alignas(64) constexpr float kZeros[16] = {};

// x -> V for a run of tiles beside each other, the first of them at v.
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
        c + W < channels ? W : tiles * kStep * channels - c;  // the next vector, or the next run's first
    const float* rows[6];
    Index steps[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      const bool inside = top + i >= 0 && top + i < p.in_h;
      rows[i] = inside ? x + ((at.image * p.in_h + top + i) * p.in_w + left + begin) * channels + c : kZeros;
      steps[i] = inside ? channels : 0;
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
        if (activation == Activation::kRelu) out[j] = select<float>(out[j] < V{}, V{}, out[j]);
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
  const float* corner = dy + ((place.image * p.out_h + row) * p.out_w + column) * channels;
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
          e[i] = inside ? load_channels(corner + (i * p.out_w + j) * channels + o, channels - o) : V{};
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

// C (+)= A @ B for one plane: A (rows, k) where it stands, by rows or (kByColumn) by columns a_stride apart; B in
// panels of which each has `panels.rows` rows, the first k of them filled.
template <bool kByColumn>
void multiply_plane(const float* a, Index a_stride, Index rows, Index k, const float* b, const Panels& panels, bool add,
                    float* c, Index ldc) {
  MicroArgs<float> args = {};
  args.a_row = kByColumn ? 1 : a_stride;
  args.a_col = kByColumn ? a_stride : 1;
  args.ldc = ldc;
  args.last = W;
  for (Index k0 = 0; k0 < k; k0 += kBlockK) {
    args.k = smaller(kBlockK, k - k0);
    args.from_c = k0 > 0;
    for (Index q = 0; q < panels.count(); ++q) {
      const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
      const Index tiles = (rows + kMaxRows[vectors] - 1) / kMaxRows[vectors];
      args.b = b + start * W * panels.rows + k0 * vectors * W;
      args.b_row = vectors * W;
      for (Index t = 0; t < tiles; ++t) {
        const Index i = piece_start(rows, tiles, t), stop = piece_start(rows, tiles, t + 1);
        args.a = a + i * args.a_row + k0 * args.a_col;
        args.c = c + i * ldc + start * W;
        if (!kByColumn) {  // a share of the next panel of B, or of the next plane's first, as rows of this one's width
          const Index share = piece_start(args.k, tiles, t);
          args.ahead = {args.b + (args.k + share) * args.b_row, args.b_row, piece_start(args.k, tiles, t + 1) - share};
        }
        args.epilogue.add = add ? args.c : nullptr;
        args.epilogue.add_row = ldc;
        pick_shape<float, kByColumn, true>(stop - i, vectors)(args);
      }
    }
  }
}

// One vector of filters at one input channel: w(t) gives the vector at tap t.
template <int kKernel, class Taps>
[[gnu::always_inline]] inline void transform_filter(const Taps& w, float* u, Index plane) {
  V half[6][kKernel];
#pragma GCC unroll 5
  for (int j = 0; j < kKernel; ++j) {
    V column[kKernel], points[6];
#pragma GCC unroll 5
    for (int i = 0; i < kKernel; ++i) column[i] = w(i * kKernel + j);
    points_of_filter<kKernel>(column, points);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) half[i][j] = points[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    V points[6];
    points_of_filter<kKernel>(half[i], points);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store(u + (i * 6 + j) * plane, points[j]);
  }
}

// Panel by panel, so that each of the 36 planes is written from front to back.
template <int kKernel>
void transform_filters_of(const WinogradPlan& p, const float* w, Index begin, Index end, float* u) {
  const Panels panels = filter_panels(p);
  const Index plane = panels.plane(), ins = p.in_channels, outs = p.out_channels;
  for (Index q = 0; q < panels.count(); ++q) {
    const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
    for (Index c = begin; c < end; ++c) {
      for (Index o = 0; o < vectors; ++o) {
        const Index channel = (start + o) * W;
        const float* at = w + c * outs + channel;
        transform_filter<kKernel>([&](Index t) { return load_channels(at + t * ins * outs, outs - channel); },
                                  u + start * W * panels.rows + (c * vectors + o) * W, plane);
      }
    }
  }
}

// The same for the gradient of the input. Rows of w are output channels now: squares of it are transposed, so that
// lanes are output channels again.
template <int kKernel>
void transform_flipped_filters_of(const WinogradPlan& p, const float* w, Index begin, Index end, float* u) {
  constexpr int kTaps = kKernel * kKernel;
  const Panels panels = filter_panels(p);
  const Index plane = panels.plane(), ins = p.in_channels, outs = p.out_channels;
  alignas(64) float taps[kTaps * W * W];
  for (Index q = 0; q < panels.count(); ++q) {
    const Index start = panels.start(q), vectors = panels.start(q + 1) - start;
    for (Index c = begin; c < end; c += W) {
      const Index some = smaller(W, end - c);
      for (Index o = 0; o < vectors; ++o) {
        const Index channel = (start + o) * W;
        for (Index t = 0; t < kTaps; ++t) {
          V square[W];
          const float* at = w + ((kTaps - 1 - t) * outs + channel) * ins + c;
#pragma GCC unroll 16
          for (Index i = 0; i < W; ++i) square[i] = channel + i < outs ? load_channels(at + i * ins, some) : V{};
          transpose_square<float>(square);
#pragma GCC unroll 16
          for (Index i = 0; i < W; ++i) store(taps + (i * kTaps + t) * W, square[i]);
        }
        float* target = u + start * W * panels.rows + (c * vectors + o) * W;
        for (Index i = 0; i < some; ++i) {
          transform_filter<kKernel>([&](Index t) { return load(taps + (i * kTaps + t) * W); }, target + i * vectors * W,
                                    plane);
        }
      }
    }
  }
}

template <int kKernel>
void finish_filters_of(const WinogradPlan& p, const float* s, Index begin, Index end, float* dw) {
  const Index ins = p.in_channels, outs = p.out_channels, s_row = row_stride(outs), plane = plane_stride(ins, s_row);
  for (Index c = begin; c < end; ++c) {
    for (Index o = 0; o < outs; o += W) {
      V half[kKernel][6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) {
        V points[6], column[kKernel];
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) points[i] = load(s + (i * 6 + j) * plane + c * s_row + o);
        filter_of_points<kKernel>(points, column);
#pragma GCC unroll 5
        for (int i = 0; i < kKernel; ++i) half[i][j] = column[i];
      }
#pragma GCC unroll 5
      for (int i = 0; i < kKernel; ++i) {
        V row[kKernel];
        filter_of_points<kKernel>(half[i], row);
#pragma GCC unroll 5
        for (int j = 0; j < kKernel; ++j) {
          store_channels(dw + ((i * kKernel + j) * ins + c) * outs + o, row[j], outs - o);
        }
      }
    }
  }
}

Index winograd_filters_size(const WinogradPlan& p) {
  return kPlanes * filter_panels(p).plane();
}
Index winograd_inputs_size(const WinogradPlan& p) {
  return kPlanes * plane_stride(p.block, row_stride(p.in_channels));
}
Index winograd_gradients_size(const WinogradPlan& p) {
  return kPlanes * gradient_panels(p).plane();
}
Index winograd_sums_size(const WinogradPlan& p) {
  return kPlanes * plane_stride(p.in_channels, row_stride(p.out_channels));
}

void winograd_transform_filters(const WinogradPlan& p, const float* w, bool flipped, Index begin, Index end, float* u) {
  const bool three = p.kernel == 3;
  if (flipped) {
    (three ? transform_flipped_filters_of<3> : transform_flipped_filters_of<5>)(p, w, begin, end, u);
  } else {
    (three ? transform_filters_of<3> : transform_filters_of<5>)(p, w, begin, end, u);
  }
}

void winograd_forward_block(const WinogradPlan& p, const float* x, const float* u, const float* bias,
                            Activation activation, Index first, Index count, float* y) {
  const Index v_row = row_stride(p.in_channels), v_plane = plane_stride(p.block, v_row);
  const Index m_row = row_stride(p.out_channels), m_plane = plane_stride(p.block, m_row);
  const Panels panels = filter_panels(p);
  const Scratch<float> scratch(static_cast<std::size_t>(kPlanes * (v_plane + m_plane)));
  float *v = scratch.get(), *m = v + kPlanes * v_plane;
  (p.step == 4 ? transform_input<4> : transform_input<2>)(p, x, first, count, v, v_row, v_plane);
  for (int i = 0; i < kPlanes; ++i) {
    multiply_plane<false>(v + i * v_plane, v_row, count, p.in_channels, u + i * panels.plane(), panels, false,
                          m + i * m_plane, m_row);
  }
  const auto output = p.step == 4 ? transform_output<4> : transform_output<2>;
  for (Index t = 0; t < count; ++t) {
    output(p, m + t * m_row, m_plane, bias, activation, place_of(p, first + t), y);
  }
}

void winograd_transform_block(const WinogradPlan& p, const float* x, const float* dy, Index first, Index begin,
                              Index end, float* v, float* g) {
  const Index v_row = row_stride(p.in_channels), v_plane = plane_stride(p.block, v_row);
  (p.step == 4 ? transform_input<4> : transform_input<2>)(p, x, first + begin, end - begin, v + begin * v_row, v_row,
                                                          v_plane);
  const auto gradient = p.step == 4 ? transform_gradient<4> : transform_gradient<2>;
  for (Index t = begin; t < end; ++t) gradient(p, dy, place_of(p, first + t), t, g);
}

void winograd_add_products(const WinogradPlan& p, Index plane, Index count, const float* v, const float* g, bool add,
                           float* s) {
  const Index v_row = row_stride(p.in_channels), s_row = row_stride(p.out_channels);
  const Panels panels = gradient_panels(p);
  multiply_plane<true>(v + plane * plane_stride(p.block, v_row), v_row, p.in_channels, count,
                       g + plane * panels.plane(), panels, add, s + plane * plane_stride(p.in_channels, s_row), s_row);
}

void winograd_finish_filters(const WinogradPlan& p, const float* s, Index begin, Index end, float* dw) {
  (p.kernel == 3 ? finish_filters_of<3> : finish_filters_of<5>)(p, s, begin, end, dw);
}

}  // namespace
}  // namespace catalase
