// Winograd convolution, level avx512.
#include "cpu/simd_avx512.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const MicroKernels& own_micro = micro_avx512;
}  // namespace
}  // namespace catalase

#include "conv/winograd_impl.h"

namespace catalase {

const WinogradKernels winograd_avx512 = {
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
    48,
};

}  // namespace catalase
