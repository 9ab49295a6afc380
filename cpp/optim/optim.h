// Optimizer steps over flat parameter buffers.
#pragma once

#include "common/views.h"

namespace catalase {

struct OptimKernels {
  int unused;
};

extern const OptimKernels optim_portable, optim_avx2, optim_avx512;

}  // namespace catalase
