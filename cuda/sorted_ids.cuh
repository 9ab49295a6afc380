// Places sorted by the row they belong to, as sort_ids of embedding.cu leaves them: stretches of 4,096 places, each key
// row * 4096 + place within the stretch, ascending. So a row's places are found by bisection, in their order.
#pragma once

#include "types.cuh"

namespace catalase {

constexpr i32 kStretch = 4096;  // kChain places, sorted together
constexpr u64 kNoRow = ~0ull;

// The first place in sorted keys, from `low` to `high`, whose key is not below `key`.
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
