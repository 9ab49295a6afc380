// The micro-kernels of products, level avx2.
#include "cpu/simd_avx2.h"
// blocks.h needs the width of vectors
#include "matmul/blocks.h"
// micro.h needs blocks.h
#include "matmul/micro.h"

namespace catalase {

const MicroKernels micro_avx2 = {pick_micro_kernel<float>, pick_micro_kernel<double>};

}  // namespace catalase
