// Optimizer steps, level avx2.
#include "cpu/simd_avx2.h"
#include "optim/optim_impl.h"

namespace catalase {
const OptimKernels optim_avx2 = {optim_step_level<float>, optim_step_level<double>, optim_step_gathered_level<float>,
                                 optim_step_gathered_level<double>};
}  // namespace catalase
