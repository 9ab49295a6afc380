// The gather path of the dense layer, level portable.
#include "cpu/simd_portable.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
const ElementwiseKernels& own_level = elementwise_portable;
}  // namespace
}  // namespace catalase

#include "matmul/sparse_impl.h"

namespace catalase {
const SparseKernels sparse_portable = {count_level<float>,     count_level<double>, compress_level<float>,
                                       compress_level<double>, gather_level<float>, gather_level<double>};
}  // namespace catalase
