// Tanimoto similarity, level avx2: bits are counted by looking up the nibbles of 32 bytes (Mula, Kurz, Lemire, "Faster
// population counts using AVX2 instructions", arXiv:1611.07612). Carry-save adders over a row's 8 vectors would take as
// many operations (calculated), and were left out.
#pragma once

#include <immintrin.h>

#include "similarity/tanimoto.h"

namespace catalase {
namespace {

typedef long long Bits __attribute__((vector_size(32), may_alias));  // __m256i, with operators
constexpr Index kBitsBytes = 32;
constexpr int kSums = 4;
constexpr Index kSpan = 31 * kBitsBytes;  // each vector adds up to 8 to a byte

inline Bits load_bits(const std::uint8_t* p) {
  return (Bits)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Bits load_first(const std::uint8_t* p, Index n) {
  Bits v = {};
  __builtin_memcpy(&v, p, static_cast<std::size_t>(n));
  return v;
}
inline void store_bits(std::uint64_t* p, Bits v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
}
inline bool any_bit(Bits v) {
  return _mm256_testz_si256((__m256i)v, (__m256i)v) == 0;
}
inline Bits carry_save(Bits& a, Bits b, Bits c) {
  const Bits u = a ^ b, carry = (a & b) | (u & c);
  a = u ^ c;
  return carry;
}

inline Bits add_counts(Bits sum, Bits v) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i nibbles = _mm256_and_si256((__m256i)v, low);
  const __m256i others = _mm256_and_si256(_mm256_srli_epi16((__m256i)v, 4), low);
  const __m256i counts = _mm256_add_epi8(_mm256_shuffle_epi8(table, nibbles), _mm256_shuffle_epi8(table, others));
  return (Bits)_mm256_add_epi8((__m256i)sum, counts);
}
inline Bits sum_words(Bits sum) {
  return (Bits)_mm256_sad_epu8((__m256i)sum, _mm256_setzero_si256());
}
inline void add_lanes(const Bits* words, std::int32_t* out) {
  const auto* w = reinterpret_cast<const __m256i*>(words);
  const __m256i a = _mm256_add_epi64(_mm256_unpacklo_epi64(w[0], w[1]), _mm256_unpackhi_epi64(w[0], w[1]));
  const __m256i b = _mm256_add_epi64(_mm256_unpacklo_epi64(w[2], w[3]), _mm256_unpackhi_epi64(w[2], w[3]));
  const __m256i all = _mm256_add_epi64(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
  const __m256i packed = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(packed));
}

}  // namespace
}  // namespace catalase
