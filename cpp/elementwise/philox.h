// Philox-4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), 16 counters side by side.
//
// Key: the 64-bit seed. Counter words: 0 and 1 the counter's number, 2 the layer, 3 the step. Elements come in groups
// of 64: element 64 g + 16 w + l is word w of counter 16 g + l, so that lanes are neighbours in memory at every level.
// Included by elementwise_impl.h, after a simd_<level>.h, which brings multiply_wide.
#pragma once

#include "elementwise/elementwise.h"

namespace catalase {
namespace {

// The 64 words of group g.
inline void philox_group(DropoutKey key, std::uint64_t group, std::uint32_t* words) {
  constexpr int W = static_cast<int>(kWidth<float>);
  const std::uint64_t first = group * 16;
  for (int part = 0; part < 16; part += W) {
    VecU c0, c1;
    for (int lane = 0; lane < W; ++lane) {
      const std::uint64_t counter = first + static_cast<std::uint64_t>(part + lane);
      c0[lane] = static_cast<std::uint32_t>(counter);
      c1[lane] = static_cast<std::uint32_t>(counter >> 32);
    }
    VecU c2 = VecU{} + key.layer, c3 = VecU{} + key.step;
    std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      VecU high0, low0, high1, low1;
      multiply_wide(c0, 0xD2511F53u, high0, low0);
      multiply_wide(c2, 0xCD9E8D57u, high1, low1);
      c0 = high1 ^ c1 ^ k0;
      c2 = high0 ^ c3 ^ k1;
      c1 = low1;
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const VecU result[4] = {c0, c1, c2, c3};
    for (int word = 0; word < 4; ++word) __builtin_memcpy(words + 16 * word + part, &result[word], sizeof(VecU));
  }
}

}  // namespace
}  // namespace catalase
