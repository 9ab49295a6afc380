// Tanimoto similarity, level avx512: nibbles are looked up, as in bits_avx2.h.
#pragma once

#include "similarity/bits_avx512_both.h"

namespace catalase {
namespace {

inline Bits add_counts(Bits sum, Bits v) {
  const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i low = _mm512_set1_epi8(15);
  const __m512i nibbles = _mm512_and_si512((__m512i)v, low);
  const __m512i others = _mm512_and_si512(_mm512_srli_epi16((__m512i)v, 4), low);
  const __m512i counts = _mm512_add_epi8(_mm512_shuffle_epi8(table, nibbles), _mm512_shuffle_epi8(table, others));
  return (Bits)_mm512_add_epi8((__m512i)sum, counts);
}
inline Bits sum_words(Bits sum) {
  return (Bits)_mm512_sad_epu8((__m512i)sum, _mm512_setzero_si512());
}

}  // namespace
}  // namespace catalase
