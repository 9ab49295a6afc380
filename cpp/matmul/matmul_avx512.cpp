// Matrix multiply, level avx512: 12 x 32 floats or 12 x 16 doubles a tile, 24 of 32 registers hold C.
#include "cpu/simd_avx512.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
constexpr Index kTileRows = 12;
const ElementwiseKernels& own_level = elementwise_avx512;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_avx512 = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kTileRows,
    2 * kWidth<float>,
    2 * kWidth<double>,
};

}  // namespace catalase
