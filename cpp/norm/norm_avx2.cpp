// Batch normalization, level avx2.
#include "cpu/simd_avx2.h"
#include "norm/norm_impl.h"

namespace catalase {
const NormKernels norm_avx2 = {
    moments_level<float>,       moments_level<double>,       normalize_level<float>,      normalize_level<double>,
    gradient_sums_level<float>, gradient_sums_level<double>, input_gradient_level<float>, input_gradient_level<double>,
};
}  // namespace catalase
