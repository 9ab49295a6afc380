// Matrix multiply, level portable: products and sums are rounded apart.
#include "cpu/simd_portable.h"
#include "elementwise/elementwise.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const ElementwiseKernels& own_level = elementwise_portable;
const MicroKernels& own_micro = micro_portable;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_portable = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kWidth<float>,
    kWidth<double>,
    max_rows<float>(kPanelVectors<float>),
};

}  // namespace catalase
