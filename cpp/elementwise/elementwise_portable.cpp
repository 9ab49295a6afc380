// Elementwise maps, level portable.
#include "cpu/simd_portable.h"
#include "elementwise/elementwise_impl.h"

namespace catalase {
const ElementwiseKernels elementwise_portable = {activation<float>, activation<double>};
}  // namespace catalase
