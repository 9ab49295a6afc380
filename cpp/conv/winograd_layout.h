// The layout of the transformed data: rows, planes and panels.
#pragma once

#include "common/partition.h"
#include "conv/winograd.h"
#include "conv/winograd_transforms.h"
#include "cpu/simd.h"
#include "matmul/blocks.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

constexpr Index W = kWidth<float>;
constexpr int kPlanes = 36;
constexpr Index kLeastBlock = CATALASE_VECTOR_BYTES == 64 ? 48 : 24;  // tiles; see winograd.h

inline Index vectors_of(Index channels) {
  return ceil_div(channels, W);
}

// Rows of V, M and S: whole vectors. Rows 1 KiB or a multiple apart would share few cache sets.
inline Index row_stride(Index channels) {
  const Index floats = vectors_of(channels) * W;
  return floats % 256 == 0 ? floats + 16 : floats;
}
inline Index plane_stride(Index rows, Index row_floats) {
  return copied_stride<float>(rows * row_floats);
}

// A row of `vectors` vectors is cut evenly into panels; a plane holds one panel after the other, each with all its
// rows.
struct Panels {
  Index vectors, rows;

  Index count() const { return ceil_div(vectors, kPanelVectors<float>); }
  Index start(Index panel) const { return even_start(vectors, count(), panel); }
  Index plane() const { return plane_stride(rows, vectors * W); }
};
inline Panels filter_panels(const WinogradPlan& p) {
  return {vectors_of(p.out_channels), p.in_channels};
}
inline Panels gradient_panels(const WinogradPlan& p) {
  return {vectors_of(p.out_channels), p.block};
}

// Loads one vector of channels, of which `left` or more remain.
inline V load_channels(const float* p, Index left) {
  return left >= W ? load(p) : load_lanes(p, first_lanes<float>(left));
}
inline void store_channels(float* p, V v, Index left) {
  left >= W ? store(p, v) : store_lanes(p, v, first_lanes<float>(left));
}

}  // namespace
}  // namespace catalase
