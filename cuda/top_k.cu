// The top-k targets of each query, from similarities that come a chunk of targets at a time.
//
// A target is a key of 64 bits: its similarity (not negative, so its bits ascend with it) above the complement of its
// index. The largest key is the most similar target, among equal ones the one with the lowest index; no two keys are
// equal, and 0 means none. Threads: a block of 256 processes a query. Round after round it finds the largest key below
// the last one found, among the kept list and the chunk: each thread in its part, then a maximum over warps by shuffles
// and over the block through shared memory. A maximum does not depend on the order, so the result does not either. The
// list is read from one buffer and written to another. Bound: reading the chunk k times, from L2; designed for tens of
// hits, not for thousands.
#include "types.cuh"

namespace catalase {

__device__ __forceinline__ u64 larger(u64 a, u64 b) {
  return a > b ? a : b;
}

__device__ __forceinline__ u64 key_of(float similarity, i64 index, float bar) {
  if (!(similarity >= bar)) return 0;
  return static_cast<u64>(__float_as_uint(similarity)) << 32 | (0xffffffffu - static_cast<u32>(index));
}

}  // namespace catalase

using namespace catalase;

// similarities (N, count) of targets first, first + 1, ...; kept and out (N, k), best first. blockIdx.x is the query.
extern "C" __global__ void __launch_bounds__(256)
    merge_top_k(const float* similarities, i64 first, i64 count, float bar, i64 k, const u64* kept, u64* out) {
  __shared__ u64 of_warp[8];
  const i64 query = blockIdx.x, warp = threadIdx.x / 32;
  const float* row = similarities + query * count;
  u64 last = ~static_cast<u64>(0);
  for (i64 rank = 0; rank < k; ++rank) {
    u64 best = 0;
    for (i64 i = threadIdx.x; i < count; i += 256) {
      const u64 key = key_of(row[i], first + i, bar);
      if (key < last) best = larger(best, key);
    }
    for (i64 i = threadIdx.x; i < k; i += 256) {
      const u64 key = kept[query * k + i];
      if (key < last) best = larger(best, key);
    }
#pragma unroll
    for (i32 by = 16; by > 0; by >>= 1) best = larger(best, __shfl_xor_sync(0xffffffffu, best, by));
    if (threadIdx.x % 32 == 0) of_warp[warp] = best;
    __syncthreads();
    best = of_warp[0];
#pragma unroll
    for (i32 w = 1; w < 8; ++w) best = larger(best, of_warp[w]);
    __syncthreads();  // all threads have read before the next round writes
    if (threadIdx.x == 0) out[query * k + rank] = best;
    last = best;  // 0: no key is left
  }
}

// keys (n,) to indices and similarities; -1 and NaN if there is no hit.
extern "C" __global__ void __launch_bounds__(256) open_keys(const u64* keys, i64* indices, float* similarities, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const u64 key = keys[i];
    indices[i] = key == 0 ? -1 : static_cast<i64>(0xffffffffu - static_cast<u32>(key));
    similarities[i] = __uint_as_float(key == 0 ? 0x7fc00000u : static_cast<u32>(key >> 32));
  }
}

extern "C" __global__ void __launch_bounds__(256) clear_keys(u64* keys, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) keys[i] = 0;
}
