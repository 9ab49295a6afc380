// Places sorted by the row that they refer to, by sort_ids of embedding.cu: parts of 4,096 places, each key row * 4096
// + position within the part, ascending. So a row's places are found by bisection, in their order.
#pragma once

#include "types.cuh"

namespace catalase {

constexpr i32 kStretch = 4096;  // kChain places, sorted together
constexpr u64 kNoRow = ~0ull;

// The first position in sorted keys, from `low` to `high`, whose key is not below `key`.
__device__ __forceinline__ i64 bisect(const u64* keys, i64 low, i64 high, u64 key) {
  while (low < high) {
    const i64 middle = (low + high) / 2;
    if (keys[middle] < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace catalase
