// Tanimoto similarity, level avx512 on a CPU with VPOPCNTDQ (Ice Lake, Zen 4 and newer): one instruction counts the
// bits of eight words.
#pragma once

#include "similarity/bits_avx512_both.h"

namespace catalase {
namespace {

inline Bits add_counts(Bits sum, Bits v) {
  return sum + (Bits)_mm512_popcnt_epi64((__m512i)v);
}
inline Bits sum_words(Bits sum) {
  return sum;
}

}  // namespace
}  // namespace catalase
