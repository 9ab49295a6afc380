// Tanimoto similarity of bit fingerprints:  |a & b| / |a | b|, and 0 where both are empty, as RDKit has it.
#pragma once

#include "common/views.h"

namespace catalase {

struct FingerprintKernels {
  // out[i, j] for packed rows a (n, bytes) and b (m, bytes), contiguous, any number of bytes; out row stride m.
  void (*tanimoto)(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out);
};

extern const FingerprintKernels fingerprint_portable, fingerprint_avx2, fingerprint_avx512;

// All threads.
void tanimoto(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out);

}  // namespace catalase
