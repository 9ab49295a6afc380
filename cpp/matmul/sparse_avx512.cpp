// The gather path of the dense layer, level avx512.
#include "cpu/simd_avx512.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
const ElementwiseKernels& own_level = elementwise_avx512;
}  // namespace
}  // namespace catalase

#include "matmul/sparse_impl.h"

namespace catalase {
const SparseKernels sparse_avx512 = {count_level<float>,     count_level<double>, compress_level<float>,
                                     compress_level<double>, gather_level<float>, gather_level<double>};
}  // namespace catalase
