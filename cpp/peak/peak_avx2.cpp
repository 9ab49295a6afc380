// The register-only loop, level avx2.
#include "cpu/simd_avx2.h"
#include "peak/peak_impl.h"

namespace catalase {
const PeakKernels peak_avx2 = {fma_level, 2 * kChains * kWidth<float>};
}  // namespace catalase
