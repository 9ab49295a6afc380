// Matrix multiply, level avx512: 12 x 32 floats or 12 x 16 doubles a tile, 24 of 32 registers hold C.
#include "cpu/simd_avx512.h"

namespace catalase {
namespace {
constexpr Index kTileRows = 12;
void activate_row(float* row, Index n, Activation activation);
void activate_row(double* row, Index n, Activation activation);
}  // namespace
}  // namespace catalase

#include "matmul/matmul_impl.h"

namespace catalase {
namespace {
void activate_row(float* row, Index n, Activation activation) {
  elementwise_avx512.map_f32(static_cast<Map>(activation), row, row, n);
}
void activate_row(double* row, Index n, Activation activation) {
  elementwise_avx512.map_f64(static_cast<Map>(activation), row, row, n);
}
}  // namespace

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
