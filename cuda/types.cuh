// Shared by every kernel file of this folder: integer types, and the numbers of codes.cuh.
//
// The folder includes nothing from outside, because NVRTC has no stdint.h. All kernel parameters are pointers, i64,
// float or double, so that a caller cannot pass a wrong size. Compiled with -fmad=false and -ftz=true: a product and a
// sum become one FMA only where the source says fmaf, and denormals count as zero, as on the CPU.
#pragma once

#include "codes.cuh"

namespace catalase {

using u8 = unsigned char;
using u32 = unsigned int;
using u64 = unsigned long long;
using i32 = int;
using i64 = long long;

static_assert(sizeof(u32) == 4 && sizeof(i64) == 8 && sizeof(void*) == 8, "the sizes that launches pass");

__device__ __forceinline__ i64 smaller(i64 a, i64 b) {
  return a < b ? a : b;
}

// The launch's shared_bytes: for arrays of more than the 48 KB of `__shared__`, or of a size known at launch.
__device__ __forceinline__ float* dynamic_shared() {
#ifdef __CUDA_ARCH__
  extern __shared__ __align__(16) float dynamic_shared_memory[];
  return dynamic_shared_memory;
#else
  return static_cast<float*>(shim::dynamic_shared());
#endif
}

// The index of this thread in the grid, and the number of threads: one-dimensional launches only.
__device__ __forceinline__ i64 global_thread() {
  return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ i64 global_threads() {
  return static_cast<i64>(gridDim.x) * blockDim.x;
}

}  // namespace catalase
