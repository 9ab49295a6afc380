// The register-only loop. 12 chains: latency 4 on 2 ports needs 8, and 12 fit the 16 registers of AVX2.

#include "cpu/simd.h"
#include "peak/peak.h"

namespace catalase {
namespace {

constexpr int kChains = 12;

float fma_level(Index rounds) {
  Vec<float> sum[kChains] = {};
#pragma GCC unroll 16
  for (int c = 0; c < kChains; ++c) hold(sum[c]);  // else the compiler sees that all chains are one
  Vec<float> x = broadcast(0.5f);
  const Vec<float> y = broadcast(1.0f);
#pragma GCC unroll 1
  for (Index i = 0; i < rounds; ++i) {
    hold(x);
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) sum[c] = fma(x, sum[c], y);
  }
  Vec<float> total = {};
#pragma GCC unroll 16
  for (int c = 0; c < kChains; ++c) total = total + sum[c];
  return total[0];
}

}  // namespace

extern const PeakKernels CATALASE_AT_LEVEL(peak) = {fma_level, 2 * kChains * kWidth<float>};
}  // namespace catalase
