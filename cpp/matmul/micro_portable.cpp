// The micro-kernels of products, level portable.
#include "cpu/simd_portable.h"
// blocks.h needs the width of vectors
#include "matmul/blocks.h"
// micro.h needs blocks.h
#include "matmul/micro.h"

namespace catalase {

const MicroKernels micro_portable = {pick_micro_kernel<float>, pick_micro_kernel<double>};

}  // namespace catalase
