// Philox-4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405): the four words of one counter.
//
// The key is a 64-bit seed. Counter words 0 and 1 are the counter's number, words 2 and 3 belong to the caller (a layer
// or an image, and a step).
#pragma once

#include "types.cuh"

namespace catalase {

__device__ __forceinline__ void philox(u64 seed, u64 counter, u32 layer, u32 step, u32* words) {
  u32 c0 = static_cast<u32>(counter), c1 = static_cast<u32>(counter >> 32), c2 = layer, c3 = step;
  u32 k0 = static_cast<u32>(seed), k1 = static_cast<u32>(seed >> 32);
#pragma unroll
  for (i32 round = 0; round < 10; ++round) {
    const u32 high0 = __umulhi(c0, 0xD2511F53u), low0 = c0 * 0xD2511F53u;
    const u32 high1 = __umulhi(c2, 0xCD9E8D57u), low1 = c2 * 0xCD9E8D57u;
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

}  // namespace catalase
