// Kernels with one fault each, for the tests of the shim itself. No part of the library.
extern "C" __global__ void fine(float* y, long long n) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) y[i] = static_cast<float>(i);
}

extern "C" __global__ void reads_past_the_end(const float* x, float* y, long long n) {
  y[threadIdx.x] = x[threadIdx.x + (threadIdx.x == 3 ? n : 0)];
}

extern "C" __global__ void writes_past_shared(float* y, long long by) {
  __shared__ float tile[8];
  float* volatile hidden = tile;
  hidden[threadIdx.x + by] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void reads_dynamic_shared(float* y, long long by) {
  const float* memory = static_cast<const float*>(shim::dynamic_shared());
  y[threadIdx.x] = memory[threadIdx.x + by];
}

// Each thread reads what its neighbour wrote, with no barrier between.
extern "C" __global__ void lacks_a_barrier(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
}

extern "C" __global__ void diverges(float* y) {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
    y[threadIdx.x] = 1.0f;
  } else {
    __syncthreads();
    y[threadIdx.x] = 2.0f;
  }
}

extern "C" __global__ void reads_unset_shared(float* y) {
  __shared__ float tile[64];
  if (blockIdx.x == 0) tile[threadIdx.x] = 5.0f;
  __syncthreads();
  y[blockIdx.x * 64 + threadIdx.x] = tile[threadIdx.x];
}

// Half the threads leave; the others still meet at barriers, as on the device.
extern "C" __global__ void some_exit(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  if (threadIdx.x >= 32) return;
  y[threadIdx.x] = tile[threadIdx.x + 32];
  __syncthreads();
  y[threadIdx.x] += 1.0f;
}

extern "C" __global__ void shuffles_with_the_gone(float* y) {
  if (threadIdx.x == 5) return;
  y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, static_cast<float>(threadIdx.x), 1);
}

extern "C" __global__ void warp_sum(const float* x, float* y) {
  float v = x[threadIdx.x];
  for (int by = 16; by > 0; by >>= 1) v += __shfl_down_sync(0xffffffffu, v, by);
  const unsigned odd = __ballot_sync(0xffffffffu, threadIdx.x % 2 == 1);
  y[threadIdx.x] = threadIdx.x % 32 == 0 ? v : static_cast<float>(odd >> 24);
}

// The second round writes what slower warps still read of the first: found where a warp runs ahead of the others.
extern "C" __global__ void overwrites_what_others_read(float* y) {
  __shared__ float of_warp[2];
  float sum = 0.0f;
  for (int round = 0; round < 3; ++round) {
    const float v = __shfl_xor_sync(0xffffffffu, static_cast<float>(round), 1);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = v;
    __syncthreads();
    sum += of_warp[0] + of_warp[1];
  }
  y[threadIdx.x] = sum;
}

extern "C" __global__ void misaligned_vector(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + 1);
  y[threadIdx.x] = v.x;
}
