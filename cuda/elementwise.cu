// Activations, their derivatives, exp and log, one value at a time: y[i] = f(x[i]), float32, contiguous.
//
// Threads: a one-dimensional grid walks the array with a stride of all threads, so the 32 lanes of a warp read and
// write neighbours (one 128-byte line) and any grid size gives the same bits. f is chosen outside the loop. Bound:
// memory bandwidth, 8 bytes an element (12 for the derivatives); the longest map, softplus, is some 60 instructions,
// which overlap with the loads of other warps.
#include "vecmath.cuh"

namespace catalase {

struct Identity {
  static __device__ __forceinline__ float of(float x) { return x; }
};
struct Relu {
  static __device__ __forceinline__ float of(float x) { return x < 0.0f ? 0.0f : x; }
};
struct Tanh {
  static __device__ __forceinline__ float of(float x) { return tanh_f32(x); }
};
struct Sigmoid {
  static __device__ __forceinline__ float of(float x) { return sigmoid_f32(x); }
};
struct Softplus {
  static __device__ __forceinline__ float of(float x) { return softplus_f32(x); }
};
struct Exp {
  static __device__ __forceinline__ float of(float x) { return exp_f32(x); }
};
struct Log {
  static __device__ __forceinline__ float of(float x) { return log_f32(x); }
};

// dx = dy f'(x), in terms of the output y.
struct IdentitySlope {
  static __device__ __forceinline__ float of(float dy, float) { return dy; }
};
struct ReluSlope {
  static __device__ __forceinline__ float of(float dy, float y) { return y <= 0.0f ? 0.0f : dy; }
};
struct TanhSlope {
  static __device__ __forceinline__ float of(float dy, float y) { return dy * (1.0f - y * y); }
};
struct SigmoidSlope {
  static __device__ __forceinline__ float of(float dy, float y) { return dy * (y * (1.0f - y)); }
};
struct SoftplusSlope {
  static __device__ __forceinline__ float of(float dy, float y) { return dy * one_minus_exp_minus(y); }
};

template <class F>
__device__ __forceinline__ void map_all(const float* x, float* y, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) y[i] = F::of(x[i]);
}

template <class F>
__device__ __forceinline__ void slope_all(const float* dy, const float* y, float* dx, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) dx[i] = F::of(dy[i], y[i]);
}

}  // namespace catalase

using namespace catalase;

// y may be x.
extern "C" __global__ void __launch_bounds__(256) map_f32(i64 function, const float* x, float* y, i64 n) {
  switch (function) {
    case kReluMap:
      return map_all<Relu>(x, y, n);
    case kTanhMap:
      return map_all<Tanh>(x, y, n);
    case kSigmoidMap:
      return map_all<Sigmoid>(x, y, n);
    case kSoftplusMap:
      return map_all<Softplus>(x, y, n);
    case kExpMap:
      return map_all<Exp>(x, y, n);
    case kLogMap:
      return map_all<Log>(x, y, n);
    default:
      return map_all<Identity>(x, y, n);
  }
}

// dx may be dy.
extern "C" __global__ void __launch_bounds__(256)
    activation_backward_f32(i64 activation, const float* dy, const float* y, float* dx, i64 n) {
  switch (activation) {
    case kRelu:
      return slope_all<ReluSlope>(dy, y, dx, n);
    case kTanh:
      return slope_all<TanhSlope>(dy, y, dx, n);
    case kSigmoid:
      return slope_all<SigmoidSlope>(dy, y, dx, n);
    case kSoftplus:
      return slope_all<SoftplusSlope>(dy, y, dx, n);
    default:
      return slope_all<IdentitySlope>(dy, y, dx, n);
  }
}
