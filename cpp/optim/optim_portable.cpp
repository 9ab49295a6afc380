// Optimizer steps, level portable.
#include "cpu/simd_portable.h"
#include "optim/optim_impl.h"

namespace catalase {
const OptimKernels optim_portable = {optim_step_level<float>, optim_step_level<double>,
                                     optim_step_gathered_level<float>, optim_step_gathered_level<double>};
}  // namespace catalase
