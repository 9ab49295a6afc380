// The register-only loop, one level.
#include "peak/peak_impl.h"

namespace catalase {
extern const PeakKernels CATALASE_AT_LEVEL(peak) = {fma_level, 2 * kChains * kWidth<float>};
}  // namespace catalase
