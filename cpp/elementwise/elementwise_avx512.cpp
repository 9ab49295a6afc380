// Elementwise maps, level avx512.
#include "cpu/simd_avx512.h"
#include "elementwise/elementwise_impl.h"

namespace catalase {
const ElementwiseKernels elementwise_avx512 = {activation<float>, activation<double>};
}  // namespace catalase
