// Optimizer steps, level portable.
#include "cpu/simd_portable.h"
#include "optim/optim.h"

namespace catalase {
const OptimKernels optim_portable = {0};
}  // namespace catalase
