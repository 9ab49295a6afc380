// Matrix multiply, level avx2: 6 x 16 floats or 6 x 8 doubles a tile, 12 of 16 registers hold C.
#include "cpu/simd_avx2.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
constexpr Index kTileRows = 6;
const ElementwiseKernels& own_level = elementwise_avx2;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_avx2 = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kTileRows,
    2 * kWidth<float>,
    2 * kWidth<double>,
};

}  // namespace catalase
