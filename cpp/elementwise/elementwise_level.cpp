// Elementwise maps, one level.
#include "elementwise/elementwise_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr ElementwiseKernels<T> kKernels = {
    map_level<T>,
    activation_backward_level<T>,
    dropout_level<T>,
    keep_level<T>,
};

}  // namespace

extern const BothTypes<ElementwiseKernels> CATALASE_AT_LEVEL(elementwise) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
