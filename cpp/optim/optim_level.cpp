// Optimizer steps, one level.
#include "optim/optim_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr OptimKernels<T> kKernels = {
    optim_step_level<T>,
    optim_step_gathered_level<T>,
};

}  // namespace

extern const BothTypes<OptimKernels> CATALASE_AT_LEVEL(optim) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
