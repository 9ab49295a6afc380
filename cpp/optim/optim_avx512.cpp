// Optimizer steps, level avx512.
#include "cpu/simd_avx512.h"
#include "optim/optim.h"

namespace catalase {
const OptimKernels optim_avx512 = {0};
}  // namespace catalase
