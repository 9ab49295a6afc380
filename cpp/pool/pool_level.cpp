// Pooling, one level.
#include "pool/pool_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr PoolKernels<T> kKernels = {
    pool_level<T>,
    pool_backward_level<T>,
};

}  // namespace

extern const BothTypes<PoolKernels> CATALASE_AT_LEVEL(pool) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
