// Convolution, level avx512.
#include "cpu/simd_avx512.h"
// the vectors first
#include "conv/conv_impl.h"

namespace catalase {

const ConvKernels conv_avx512 = {
    product_one_thread<float>,
    product_one_thread<double>,
    pack_columns<float>,
    pack_columns<double>,
    depthwise_one_thread<float>,
    depthwise_one_thread<double>,
    depthwise_weights_one_thread<float>,
    depthwise_weights_one_thread<double>,
    windows_one_thread<float>,
    windows_one_thread<double>,
    add_taps_one_thread<float>,
    add_taps_one_thread<double>,
    interleave_one_thread<float>,
    interleave_one_thread<double>,
    kWidth<float>,
    kWidth<double>,
    kPanelVectors,
    kBlockTerms,
};

}  // namespace catalase
