// Matrix multiply, one level. The portable level rounds products and sums separately.
#include "matmul/matmul_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr MatmulKernels<T> kKernels = {
    matmul_one_thread<T>,
    column_sum_one_thread<T>,
    kWidth<T>,
    max_rows<float>(kPanelVectors<float>),
};

}  // namespace

extern const BothTypes<MatmulKernels> CATALASE_AT_LEVEL(matmul) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
