// The gather path of the dense layer, level portable.
#include "cpu/simd_portable.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
void activate_row(float* row, Index n, Activation activation) {
  elementwise_portable.map_f32(static_cast<Map>(activation), row, row, n);
}
void activate_row(double* row, Index n, Activation activation) {
  elementwise_portable.map_f64(static_cast<Map>(activation), row, row, n);
}
}  // namespace
}  // namespace catalase

#include "matmul/sparse_impl.h"

namespace catalase {
const SparseKernels sparse_portable = {compress_level<float>, compress_level<double>, gather_level<float>,
                                       gather_level<double>};
}  // namespace catalase
