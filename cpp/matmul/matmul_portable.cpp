// Matrix multiply, level portable: 6 x 8 floats or 6 x 4 doubles a tile with 16-byte vectors; products and sums are
// rounded apart.
#include "cpu/simd_portable.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {
constexpr Index kTileRows = 6;
const ElementwiseKernels& own_level = elementwise_portable;
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {

const MatmulKernels matmul_portable = {
    matmul_one_thread<float>,
    matmul_one_thread<double>,
    column_sum_one_thread<float>,
    column_sum_one_thread<double>,
    kTileRows,
    2 * kWidth<float>,
    2 * kWidth<double>,
};

}  // namespace catalase
