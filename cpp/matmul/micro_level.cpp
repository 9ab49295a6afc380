// The micro-kernels of products, one level.
#include "matmul/micro.h"

namespace catalase {
namespace {

template <class T>
constexpr MicroKernels<T> kKernels = {
    pick_micro_kernel<T>,
};

}  // namespace

extern const BothTypes<MicroKernels> CATALASE_AT_LEVEL(micro) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
