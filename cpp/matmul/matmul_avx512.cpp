// Matrix multiply, level avx512.
#include "cpu/simd_avx512.h"
#include "elementwise/elementwise.h"
#include "matmul/micro_kernels.h"

namespace catalase {
namespace {
const ElementwiseKernels& own_level = elementwise_avx512;
const MicroKernels& own_micro = micro_avx512;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_avx512 = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kWidth<float>,
    kWidth<double>,
    max_rows<float>(kPanelVectors<float>),
};

}  // namespace catalase
