// The common part of the two AVX-512 variants: 64-byte vectors, three-input logic, and sums of eight rows at a time.
#pragma once

#include <immintrin.h>

#include "similarity/tanimoto.h"

namespace catalase {
namespace {

typedef long long Bits __attribute__((vector_size(64), may_alias));  // __m512i, with operators
constexpr Index kBitsBytes = 64;
constexpr int kSums = 8;
constexpr Index kSpan = 31 * kBitsBytes;  // if bytes are added up, each vector adds up to 8 to a byte

inline Bits load_bits(const std::uint8_t* p) {
  return (Bits)_mm512_loadu_si512(p);
}
inline Bits load_first(const std::uint8_t* p, Index n) {
  return (Bits)_mm512_maskz_loadu_epi8((__mmask64{1} << n) - 1, p);
}
inline void store_bits(std::uint64_t* p, Bits v) {
  _mm512_storeu_si512(p, (__m512i)v);
}
inline bool any_bit(Bits v) {
  return _mm512_test_epi64_mask((__m512i)v, (__m512i)v) != 0;
}
inline Bits carry_save(Bits& a, Bits b, Bits c) {
  const __m512i carry = _mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xE8);  // majority
  a = (Bits)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);              // parity
  return (Bits)carry;
}

// out[s] = the sum of the eight lanes of w[s]: pairs of lanes, then pairs of quarters, of two vectors at a time.
inline void add_lanes(const Bits* words, std::int32_t* out) {
  const auto* w = reinterpret_cast<const __m512i*>(words);
  __m512i pairs[4], quarters[2];
  for (int i = 0; i < 4; ++i) {
    pairs[i] =
        _mm512_add_epi64(_mm512_unpacklo_epi64(w[2 * i], w[2 * i + 1]), _mm512_unpackhi_epi64(w[2 * i], w[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    quarters[i] = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2 * i], pairs[2 * i + 1], 0x88),
                                   _mm512_shuffle_i64x2(pairs[2 * i], pairs[2 * i + 1], 0xDD));
  }
  const __m512i all = _mm512_add_epi64(_mm512_shuffle_i64x2(quarters[0], quarters[1], 0x88),
                                       _mm512_shuffle_i64x2(quarters[0], quarters[1], 0xDD));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(all));
}

}  // namespace
}  // namespace catalase
