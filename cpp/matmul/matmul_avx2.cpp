// Matrix multiply, level avx2: 6 x 16 floats or 6 x 8 doubles a tile, 12 of 16 registers hold C.
#include "cpu/simd_avx2.h"

namespace catalase {
namespace {
constexpr Index kTileRows = 6;
void activate_row(float* row, Index n, Activation activation);
void activate_row(double* row, Index n, Activation activation);
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {
namespace {
void activate_row(float* row, Index n, Activation activation) {
  elementwise_avx2.map_f32(static_cast<Map>(activation), row, row, n);
}
void activate_row(double* row, Index n, Activation activation) {
  elementwise_avx2.map_f64(static_cast<Map>(activation), row, row, n);
}
}  // namespace

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
