// The register-only loop, level avx512.
#include "cpu/simd_avx512.h"
#include "peak/peak_impl.h"

namespace catalase {
const PeakKernels peak_avx512 = {fma_level, 2 * kChains * kWidth<float>};
}  // namespace catalase
