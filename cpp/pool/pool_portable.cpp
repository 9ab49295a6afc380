// Pooling, level portable.
#include "cpu/simd_portable.h"
#include "pool/pool_impl.h"

namespace catalase {
const PoolKernels pool_portable = {
    pool_level<float>,
    pool_level<double>,
    pool_backward_level<float>,
    pool_backward_level<double>,
};
}  // namespace catalase
