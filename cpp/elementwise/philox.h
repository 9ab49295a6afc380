// Philox-4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), 16 counters in parallel.
//
// The key is the 64-bit seed. Counter words 0 and 1 are the counter's number, word 2 is the layer, word 3 the step.
// Elements form groups of 64: element 64 g + 16 w + l is word w of counter 16 g + l, so that lanes are neighbours in
// memory at every level.
#pragma once

#include "cpu/simd.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {

// Computes the words of groups g and g + 1, 128 of them. A word of the state is the low half of a 64-bit lane, and the
// high half is arbitrary: the multiplication reads only the low half and leaves the product's two words in one lane. So
// vectors come in pairs, for the even and the odd counters. Several pairs run at a time, because a round is a chain of
// some 7 cycles for which a single vector would wait.
inline void philox_two_groups(DropoutKey key, std::uint64_t group, std::uint32_t* words) {
  constexpr int W = static_cast<int>(kWidth<float>), kVectors = 4, kStep = kVectors * W / 2;
  VecU64 lanes = {};
  for (int lane = 0; lane < W / 2; ++lane) lanes[lane] = 2 * static_cast<std::uint64_t>(lane);
  for (int part = 0; part < 32; part += kStep) {
    VecU64 c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      c0[v] = lanes + (group * 16 + static_cast<std::uint64_t>(part + v / 2 * W + v % 2));
      c1[v] = c0[v] >> 32;
      c2[v] = VecU64{} + key.layer;
      c3[v] = VecU64{} + key.step;
    }
    std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
#pragma GCC unroll 1
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const VecU64 product0 = multiply_low(c0[v], 0xD2511F53u), product1 = multiply_low(c2[v], 0xCD9E8D57u);
        c0[v] = (product1 >> 32) ^ c1[v] ^ k0;
        c2[v] = (product0 >> 32) ^ c3[v] ^ k1;
        c1[v] = product1;
        c3[v] = product0;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; v += 2) {
      const int counter = part + v / 2 * W;  // 0 to 31: 16 counters a group
      std::uint32_t* at = words + 64 * (counter / 16) + counter % 16;
      const VecU64 even[4] = {c0[v], c1[v], c2[v], c3[v]}, odd[4] = {c0[v + 1], c1[v + 1], c2[v + 1], c3[v + 1]};
#pragma GCC unroll 4
      for (int word = 0; word < 4; ++word) {
        const VecU64 both = (even[word] & 0xFFFFFFFFu) | odd[word] << 32;
        __builtin_memcpy(at + 16 * word, &both, sizeof(both));
      }
    }
  }
}

}  // namespace
}  // namespace catalase
