// Softmax and losses, one level.
#include "loss/loss_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr LossKernels<T> kKernels = {
    softmax_level<T>,
    softmax_backward_level<T>,
    loss_level<T>,
};

}  // namespace

extern const BothTypes<LossKernels> CATALASE_AT_LEVEL(loss) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
