// Population counts, 64 bits at a time. For each row of b the few rows of a at hand stay in L1.
// |a | b| = |a| + |b| - |a & b|, so one AND and one count a word are enough. Bound: compute (popcount, one a cycle).
// Included by tanimoto_<level>.cpp, whose flags decide what the builtin becomes.
#pragma once

#include "fingerprint/tanimoto.h"

namespace catalase {
namespace {

inline std::uint64_t word_at(const std::uint8_t* row, Index i, Index bytes) {
  std::uint64_t word = 0;
  const Index rest = bytes - 8 * i;
  __builtin_memcpy(&word, row + 8 * i, static_cast<std::size_t>(rest < 8 ? rest : 8));
  return word;
}

inline Index count_bits(const std::uint8_t* a, const std::uint8_t* b, Index bytes) {
  Index count = 0;
  const Index words = bytes / 8;
  for (Index i = 0; i < words; ++i) {
    std::uint64_t x, y;
    __builtin_memcpy(&x, a + 8 * i, 8);
    __builtin_memcpy(&y, b + 8 * i, 8);
    count += __builtin_popcountll(x & y);
  }
  if (bytes % 8 != 0) count += __builtin_popcountll(word_at(a, words, bytes) & word_at(b, words, bytes));
  return count;
}

void tanimoto_rows(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out) {
  Index count_a[16];
  for (Index i0 = 0; i0 < n; i0 += 16) {
    const Index rows = n - i0 < 16 ? n - i0 : 16;
    for (Index i = 0; i < rows; ++i) count_a[i] = count_bits(a + (i0 + i) * bytes, a + (i0 + i) * bytes, bytes);
    for (Index j = 0; j < m; ++j) {
      const std::uint8_t* row_b = b + j * bytes;
      const Index count_b = count_bits(row_b, row_b, bytes);
      for (Index i = 0; i < rows; ++i) {
        const Index both = count_bits(a + (i0 + i) * bytes, row_b, bytes);
        const Index either = count_a[i] + count_b - both;
        out[(i0 + i) * m + j] = either > 0 ? static_cast<float>(both) / static_cast<float>(either) : 0.0f;
      }
    }
  }
}

}  // namespace
}  // namespace catalase
