// The ceilings of the machine, measured: multiply-adds from registers alone, and a copy from memory to memory.
// `catalase bench` shows every figure together with these, taken in the same run.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

struct PeakKernels {
  // `rounds` times one FMA on each of 24 independent vectors; the result keeps the compiler from removing them.
  float (*fma_f32)(Index rounds);
  Index flops_a_round;
};
CATALASE_KERNELS(PeakKernels, peak)

// GFLOP/s of float32 FMA and GB/s of copying (read + write), all threads together; the best of `repeats` runs.
double fma_peak(int repeats);
double copy_peak(int repeats);

}  // namespace catalase
