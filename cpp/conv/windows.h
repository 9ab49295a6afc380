// The gradient of the weights for few output channels: lanes are (tap, channel), rows are output channels (conv.h's
// WindowSums). With one vector of output channels as lanes every multiply-add would need a broadcast; here R + NV loads
// serve R * NV of them.
//
// Registers: AVX-512 8 x 3 vectors, others 6 x 2 (and 4 x 2 of 4 lanes). Bound: compute (FMA).
#pragma once

#include "common/partition.h"
#include "conv/conv.h"
#include "conv/micro.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

#if CATALASE_VECTOR_BYTES == 64
constexpr int kWindowRows = 8, kWindowVectors = 3;
#else
constexpr int kWindowRows = 6, kWindowVectors = 2;
#endif

template <class T, int R, int NV>
void window_tile(const WindowSums<T>& args, Index output, Index at, LaneMask<T> last) {
  constexpr Index W = kWidth<T>;
  Vec<T> c[R][NV];
  T* sums = args.sums + output * args.sum_row + at;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) c[r][v] = args.from_sums ? load(sums + r * args.sum_row + v * W) : Vec<T>{};
  }
  const T* dy = args.dy + output;
  for (const Segment *s = args.segments, *stop = s + args.segment_count; s < stop; ++s) {
    const T* x = args.x + s->offset + at;
#pragma GCC unroll 1
    for (Index left = s->length; left > 0; --left, x += args.step, dy += args.dy_row) {
      Vec<T> row[NV];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        row[v] = v == NV - 1 ? load_lanes(x + v * W, last) : load(x + v * W);
        hold(row[v]);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        Vec<T> value = broadcast(dy[r]);
        if (NV > 1) hold(value);
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) c[r][v] = fma(row[v], value, c[r][v]);
        if (NV > 1) keep_alive(value);
      }
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) keep_alive(row[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) store(sums + r * args.sum_row + v * W, c[r][v]);
  }
}

template <class T, int NV, int... R>
auto pick_window_rows(Index rows, std::integer_sequence<int, R...>) {
  static constexpr void (*table[])(const WindowSums<T>&, Index, Index, LaneMask<T>) = {window_tile<T, R + 1, NV>...};
  return table[rows - 1];
}

template <class T>
auto pick_window_tile(Index rows, Index vectors) {
  constexpr auto all = std::make_integer_sequence<int, kWindowRows>();
  if (vectors == 1) return pick_window_rows<T, 1>(rows, all);
#if CATALASE_VECTOR_BYTES == 64
  if (vectors == 3) return pick_window_rows<T, 3>(rows, all);
#endif
  return pick_window_rows<T, 2>(rows, all);
}

template <class T>
void windows_one_thread(const WindowSums<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index vectors = ceil_div(args.window, W), groups = ceil_div(vectors, kWindowVectors);
  const Index tiles = ceil_div(args.outputs, kWindowRows);
  for (Index g = 0; g < groups; ++g) {
    const Index v = even_start(vectors, groups, g), nv = even_start(vectors, groups, g + 1) - v;
    const Index left = args.window - (v + nv - 1) * W;
    for (Index t = 0; t < tiles; ++t) {
      const Index o = even_start(args.outputs, tiles, t), rows = even_start(args.outputs, tiles, t + 1) - o;
      pick_window_tile<T>(rows, nv)(args, o, v * W, first_lanes<T>(smaller(left, W)));
    }
  }
}

}  // namespace
}  // namespace catalase
