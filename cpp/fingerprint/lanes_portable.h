// No vectors of 64-bit lanes: morgan.h takes one atom at a time, which is faster than emulated comparisons.
#pragma once

#include <cstdint>

namespace catalase {
namespace {

constexpr int kLanes = 1;
typedef long long LaneVector __attribute__((may_alias));
constexpr LaneVector kLaneNumbers = 0;

inline LaneVector gather(const std::uint64_t* base, LaneVector index) {
  return static_cast<LaneVector>(base[index]);
}

}  // namespace
}  // namespace catalase
