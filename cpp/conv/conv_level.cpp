// Convolution, one level.
#include "conv/conv_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr ConvKernels<T> kKernels = {
    product_one_thread<T>,
    pack_columns<T>,
    depthwise_one_thread<T>,
    depthwise_weights_one_thread<T>,
    windows_one_thread<T>,
    add_taps_one_thread<T>,
    interleave_one_thread<T>,
    kWidth<T>,
    kPanelVectors,
    kBlockTerms,
};

}  // namespace

extern const BothTypes<ConvKernels> CATALASE_AT_LEVEL(conv) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
