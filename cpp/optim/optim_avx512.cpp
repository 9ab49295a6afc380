// Optimizer steps, level avx512.
#include "cpu/simd_avx512.h"
#include "optim/optim_impl.h"

namespace catalase {
const OptimKernels optim_avx512 = {optim_step_level<float>, optim_step_level<double>, optim_step_gathered_level<float>,
                                   optim_step_gathered_level<double>};
}  // namespace catalase
