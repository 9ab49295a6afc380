// Integer arithmetic for dividing work and memory into pieces. In an unnamed namespace, because the units of the levels
// include it (cpu/simd_vec.h gives the reason).
#pragma once

#include "common/views.h"

namespace catalase {
namespace {

constexpr Index smaller(Index a, Index b) {
  return a < b ? a : b;
}
constexpr Index ceil_div(Index n, Index by) {
  return (n + by - 1) / by;
}
constexpr Index round_up(Index n, Index unit) {
  return ceil_div(n, unit) * unit;
}
// The first of n items that belongs to a piece when they are split evenly into `pieces`.
constexpr Index even_start(Index n, Index pieces, Index piece) {
  return n / pieces * piece + smaller(piece, n % pieces);
}

}  // namespace
}  // namespace catalase
