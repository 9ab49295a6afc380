// Activations, their derivatives, exp and log, one value at a time: y[i] = f(x[i]), float32, contiguous.
//
// Threads: a one-dimensional grid walks the array with a stride of all threads, so the 32 lanes of a warp read and
// write neighbours (one 128-byte line) and any grid size gives the same bits. f is chosen outside the loop. Bound:
// memory bandwidth, 8 bytes an element (12 for the derivatives); the longest map, softplus, is some 60 instructions,
// which overlap with the loads of other warps.
#include "activations.cuh"

namespace catalase {

struct Exp {
  static __device__ __forceinline__ float of(float x) { return exp_f32(x); }
};
struct Log {
  static __device__ __forceinline__ float of(float x) { return log_f32(x); }
};

template <class F>
__device__ __forceinline__ void map_all(const float* x, float* y, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) y[i] = F::of(x[i]);
}

// dx = dy f'(.), computed from the output or, as the table says, from the input.
template <class F>
__device__ __forceinline__ void slope_all(const float* dy, const float* saved, float* dx, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) dx[i] = F::slope(dy[i], saved[i]);
}

}  // namespace catalase

using namespace catalase;

// y may be x.
extern "C" __global__ void __launch_bounds__(256) map_f32(i64 function, const float* x, float* y, i64 n) {
  switch (function) {
#define CATALASE_CASE(name, ...) \
  case k##name##Map:             \
    return map_all<name>(x, y, n);
    CATALASE_ACTIVATIONS(CATALASE_CASE)
#undef CATALASE_CASE
    case kExpMap:
      return map_all<Exp>(x, y, n);
    case kLogMap:
      return map_all<Log>(x, y, n);
  }
}

// dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
    activation_backward_f32(i64 activation, const float* dy, const float* saved, float* dx, i64 n) {
  switch (activation) {
#define CATALASE_CASE(name, ...) \
  case k##name:                  \
    return slope_all<name>(dy, saved, dx, n);
    CATALASE_ACTIVATIONS(CATALASE_CASE)
#undef CATALASE_CASE
  }
}
