// The gather path of the dense layer, one level.
#include "matmul/sparse_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr SparseKernels<T> kKernels = {
    count_level<T>,
    compress_level<T>,
    gather_level<T>,
};

}  // namespace

extern const BothTypes<SparseKernels> CATALASE_AT_LEVEL(sparse) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
