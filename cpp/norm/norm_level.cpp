// Batch normalization, one level.
#include "norm/norm_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr NormKernels<T> kKernels = {
    moments_level<T>,
    normalize_level<T>,
    gradient_sums_level<T>,
    input_gradient_level<T>,
};

}  // namespace

extern const BothTypes<NormKernels> CATALASE_AT_LEVEL(norm) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
