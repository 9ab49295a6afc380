// Recurrent cells, level portable.
#include "cpu/simd_portable.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const MicroKernels& own_micro = micro_portable;
}  // namespace
}  // namespace catalase

#include "rnn/rnn_impl.h"

namespace catalase {
const RnnKernels rnn_portable = {
    forward_size_level<float>,   forward_size_level<double>,   pack_forward_level<float>,  pack_forward_level<double>,
    backward_width_level<float>, backward_width_level<double>, pack_backward_level<float>, pack_backward_level<double>,
    forward_level<float>,        forward_level<double>,        backward_level<float>,      backward_level<double>,
};
}  // namespace catalase
