// Elementwise maps, level avx2.
#include "cpu/simd_avx2.h"
#include "elementwise/elementwise_impl.h"

namespace catalase {
const ElementwiseKernels elementwise_avx2 = {activation<float>, activation<double>};
}  // namespace catalase
