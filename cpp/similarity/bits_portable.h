// Tanimoto similarity, level portable: 16-byte compiler vectors, bits counted in pairs, nibbles and bytes.
#pragma once

#include "similarity/tanimoto.h"

namespace catalase {
namespace {

typedef std::uint64_t Bits __attribute__((vector_size(16), may_alias));
constexpr Index kBitsBytes = 16;
constexpr int kSums = 2;
constexpr Index kSpan = 31 * kBitsBytes;  // each vector adds up to 8 to a byte

inline Bits load_bits(const std::uint8_t* p) {
  Bits v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
inline Bits load_first(const std::uint8_t* p, Index n) {
  Bits v = {};
  __builtin_memcpy(&v, p, static_cast<std::size_t>(n));
  return v;
}
inline void store_bits(std::uint64_t* p, Bits v) {
  __builtin_memcpy(p, &v, sizeof(v));
}
inline bool any_bit(Bits v) {
  return (v[0] | v[1]) != 0;
}
inline Bits carry_save(Bits& a, Bits b, Bits c) {
  const Bits u = a ^ b, carry = (a & b) | (u & c);
  a = u ^ c;
  return carry;
}

inline Bits add_counts(Bits sum, Bits v) {
  v = v - ((v >> 1) & 0x5555555555555555u);
  v = (v & 0x3333333333333333u) + ((v >> 2) & 0x3333333333333333u);
  return sum + ((v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu);
}
inline Bits sum_words(Bits sum) {  // bytes of up to 248
  Bits v = (sum & 0x00ff00ff00ff00ffu) + ((sum >> 8) & 0x00ff00ff00ff00ffu);
  v = v + (v >> 16);
  return (v + (v >> 32)) & 0xffffu;
}
inline void add_lanes(const Bits* words, std::int32_t* out) {
  for (int s = 0; s < kSums; ++s) out[s] = static_cast<std::int32_t>(words[s][0] + words[s][1]);
}

}  // namespace
}  // namespace catalase
