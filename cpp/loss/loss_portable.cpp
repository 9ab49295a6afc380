// Softmax and losses, level portable.
#include "cpu/simd_portable.h"
#include "loss/loss_impl.h"

namespace catalase {
const LossKernels loss_portable = {
    softmax_level<float>,           softmax_level<double>, softmax_backward_level<float>,
    softmax_backward_level<double>, loss_level<float>,     loss_level<double>,
};
}  // namespace catalase
