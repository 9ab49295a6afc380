// Eight 64-bit lanes, for morgan.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace catalase {
namespace {

constexpr int kLanes = 8;
typedef long long LaneVector __attribute__((vector_size(64), aligned(8), may_alias));

constexpr LaneVector kLaneNumbers = {0, 1, 2, 3, 4, 5, 6, 7};

inline LaneVector gather(const std::uint64_t* base, LaneVector index) {
  return (LaneVector)_mm512_i64gather_epi64((__m512i)index, base, 8);
}

}  // namespace
}  // namespace catalase
