// Winograd convolution, level portable.
#include "cpu/simd_portable.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const MicroKernels& own_micro = micro_portable;
}  // namespace
}  // namespace catalase

#include "conv/winograd_impl.h"

namespace catalase {

const WinogradKernels winograd_portable = {
    winograd_filters_size,
    winograd_transform_filters,
    winograd_forward_block,
    winograd_inputs_size,
    winograd_gradients_size,
    winograd_sums_size,
    winograd_transform_block,
    winograd_add_products,
    winograd_finish_filters,
    kWidth<float>,
    24,
};

}  // namespace catalase
