// Softmax and losses, level avx512.
#include "cpu/simd_avx512.h"
#include "loss/loss_impl.h"

namespace catalase {
const LossKernels loss_avx512 = {
    softmax_level<float>,           softmax_level<double>, softmax_backward_level<float>,
    softmax_backward_level<double>, loss_level<float>,     loss_level<double>,
};
}  // namespace catalase
