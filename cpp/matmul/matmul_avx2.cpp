// Matrix multiply, level avx2.
#include "cpu/simd_avx2.h"
#include "elementwise/elementwise.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const ElementwiseKernels& own_level = elementwise_avx2;
const MicroKernels& own_micro = micro_avx2;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_avx2 = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kWidth<float>,
    kWidth<double>,
    max_rows<float>(kPanelVectors<float>),
};

}  // namespace catalase
