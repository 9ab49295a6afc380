// Pooling, level avx2.
#include "cpu/simd_avx2.h"
#include "pool/pool_impl.h"

namespace catalase {
const PoolKernels pool_avx2 = {
    pool_level<float>,
    pool_level<double>,
    pool_backward_level<float>,
    pool_backward_level<double>,
};
}  // namespace catalase
