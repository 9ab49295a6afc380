// Device code compiled as host C++: this file is included before each .cu (-include). Every CUDA thread is a fiber,
// `__shared__` is a static in a section of its own, and whatever waits for other threads goes back to the scheduler
// (scheduler.cpp). It finds indexing faults (under the address sanitizer), barriers that are missing or not reached by
// all, and shared memory read before it is written; not races within a warp's instruction, spills or slowness.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

struct float2 {
  alignas(8) float x;
  float y;
};
struct float4 {
  alignas(16) float x;
  float y, z, w;
};
struct uint2 {
  alignas(8) unsigned x;
  unsigned y;
};
struct uint4 {
  alignas(16) unsigned x;
  unsigned y, z, w;
};
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
};
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("cuda_shared")))

namespace shim {
void wait_block(const char* file, int line);
// The value that lane `source` of the warp gives at the same line; every lane of `mask` must come.
std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* file, int line);
unsigned ballot(unsigned mask, bool predicate, const char* file, int line);
int lane();
void* dynamic_shared();
// cp.async: what `to` holds is poison until the thread has waited for the group that the copy was committed with.
void copy_later(void* to, const void* from, int bytes, int valid);
void commit_copies();
void wait_for_copies(int pending);

template <class T>
T exchange_as(unsigned mask, T value, int source, const char* file, int line) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, source, file, line);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace shim

#define __syncthreads() shim::wait_block(__FILE__, __LINE__)
#define __syncwarp(mask) ((void)shim::ballot(mask, true, __FILE__, __LINE__))
#define __ballot_sync(mask, predicate) shim::ballot(mask, predicate, __FILE__, __LINE__)
#define __shfl_sync(mask, value, source) shim::exchange_as(mask, value, (source) & 31, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, bits) shim::exchange_as(mask, value, shim::lane() ^ (bits), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, by) \
  shim::exchange_as(mask, value, shim::lane() + (by) < 32 ? shim::lane() + (by) : shim::lane(), __FILE__, __LINE__)
#define __shfl_up_sync(mask, value, by) \
  shim::exchange_as(mask, value, shim::lane() >= (by) ? shim::lane() - (by) : shim::lane(), __FILE__, __LINE__)

inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}

#include "tensor_cores.h"
