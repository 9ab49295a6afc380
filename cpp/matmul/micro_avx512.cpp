// The micro-kernels of products, level avx512.
#include "cpu/simd_avx512.h"
// blocks.h needs the width of vectors
#include "matmul/blocks.h"
// micro.h needs blocks.h
#include "matmul/micro.h"

namespace catalase {

const MicroKernels micro_avx512 = {pick_micro_kernel<float>, pick_micro_kernel<double>};

}  // namespace catalase
