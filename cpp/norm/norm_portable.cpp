// Batch normalization, level portable.
#include "cpu/simd_portable.h"
#include "norm/norm_impl.h"

namespace catalase {
const NormKernels norm_portable = {
    moments_level<float>,       moments_level<double>,       normalize_level<float>,      normalize_level<double>,
    gradient_sums_level<float>, gradient_sums_level<double>, input_gradient_level<float>, input_gradient_level<double>,
};
}  // namespace catalase
