// The register-only loop, level portable.
#include "cpu/simd_portable.h"
#include "peak/peak_impl.h"

namespace catalase {
const PeakKernels peak_portable = {fma_level, 2 * kChains * kWidth<float>};
}  // namespace catalase
