// Elementwise maps, level avx2.
#include "cpu/simd_avx2.h"
#include "elementwise/elementwise_impl.h"

namespace catalase {
const ElementwiseKernels elementwise_avx2 = {
    map_level<float>,
    map_level<double>,
    activation_backward_level<float>,
    activation_backward_level<double>,
    dropout_level<float>,
    dropout_level<double>,
    keep_level<float>,
    keep_level<double>,
};
}  // namespace catalase
