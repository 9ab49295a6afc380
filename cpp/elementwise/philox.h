// Philox-4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), 16 counters side by side.
//
// Key: the 64-bit seed. Counter words: 0 and 1 the counter's number, 2 the layer, 3 the step. Elements come in groups
// of 64: element 64 g + 16 w + l is word w of counter 16 g + l, so that lanes are neighbours in memory at every level.
// Included by elementwise_impl.h, after a simd_<level>.h, which brings multiply_wide.
#pragma once

#include "elementwise/elementwise.h"

namespace catalase {
namespace {

// The words of groups g and g + 1, 128 of them. Two vectors at a time: a round is a chain of some 9 cycles, and one
// vector alone waits for it (0.6 ns a word; two take 0.4, AVX-512).
inline void philox_two_groups(DropoutKey key, std::uint64_t group, std::uint32_t* words) {
  constexpr int W = static_cast<int>(kWidth<float>), kStep = 2 * W;
  for (int part = 0; part < 32; part += kStep) {
    VecU c0[2], c1[2], c2[2], c3[2];
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      for (int lane = 0; lane < W; ++lane) {
        const std::uint64_t counter = group * 16 + static_cast<std::uint64_t>(part + v * W + lane);
        c0[v][lane] = static_cast<std::uint32_t>(counter);
        c1[v][lane] = static_cast<std::uint32_t>(counter >> 32);
      }
      c2[v] = VecU{} + key.layer;
      c3[v] = VecU{} + key.step;
    }
    std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        VecU high0, low0, high1, low1;
        multiply_wide(c0[v], 0xD2511F53u, high0, low0);
        multiply_wide(c2[v], 0xCD9E8D57u, high1, low1);
        c0[v] = high1 ^ c1[v] ^ k0;
        c2[v] = high0 ^ c3[v] ^ k1;
        c1[v] = low1;
        c3[v] = low0;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const int counter = part + v * W;  // 0 to 31: 16 counters a group
      std::uint32_t* at = words + 64 * (counter / 16) + counter % 16;
      const VecU result[4] = {c0[v], c1[v], c2[v], c3[v]};
      for (int word = 0; word < 4; ++word) __builtin_memcpy(at + 16 * word, &result[word], sizeof(VecU));
    }
  }
}

}  // namespace
}  // namespace catalase
