// Winograd convolution, one level.
#include "conv/winograd_impl.h"

namespace catalase {

extern const WinogradKernels CATALASE_AT_LEVEL(winograd) = {
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
    kLeastBlock,
};

}  // namespace catalase
