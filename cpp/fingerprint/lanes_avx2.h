// Four 64-bit lanes, for morgan.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace catalase {
namespace {

constexpr int kLanes = 4;
typedef long long LaneVector __attribute__((vector_size(32), aligned(8), may_alias));

constexpr LaneVector kLaneNumbers = {0, 1, 2, 3};

inline LaneVector gather(const std::uint64_t* base, LaneVector index) {
  return (LaneVector)_mm256_i64gather_epi64(reinterpret_cast<const long long*>(base), (__m256i)index, 8);
}

}  // namespace
}  // namespace catalase
