// Optimizer steps, level avx2.
#include "cpu/simd_avx2.h"
#include "optim/optim.h"

namespace catalase {
const OptimKernels optim_avx2 = {0};
}  // namespace catalase
