// Array arithmetic for the tape, layers and optimizers: operations with broadcasting, copies between layouts, sums,
// running sums, maxima, and the clipping of a gradient; float32.
//
// Threads: for maps a grid walks the result, one element at a time, with neighbouring lanes on neighbouring elements.
// If every array is contiguous no division is needed to find an element, otherwise up to five axes are unpacked. Sums
// along the last axis use one thread block for every 65,536 terms: a thread adds every 256th term in double precision,
// a tree in shared memory joins the 256 sums, and the blocks' sums are added in ascending order. Sums along other axes
// are one ascending float32 chain a result, as in NumPy. The order depends on the shape alone: there are no atomics,
// and any grid gives the same bits. Bound: memory bandwidth. Not taken: a tree over thread blocks in one launch, which
// would make them wait for one another.
#include "vecmath.cuh"

namespace catalase {

enum Operation : i32 {
  kCopy,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kPower,
  kEqual,
  kNegative,
  kRoot,
  kAbsolute,
  kSign,
  kPowerSlope,
  kLog,
  kSilenced,
  kMaximum,
  kMinimum,
  kSine,
  kCosine
};

__device__ __forceinline__ float combined(i64 operation, float a, float b) {
  switch (operation) {
    case kAdd:
      return a + b;
    case kSubtract:
      return a - b;
    case kMultiply:
      return a * b;
    case kDivide:
      return a / b;
    case kPower:
      return powf(a, b);
    case kEqual:
      return a == b ? 1.0f : 0.0f;
    case kNegative:
      return -a;
    case kRoot:
      return sqrtf(a);
    case kAbsolute:
      return fabsf(a);
    case kSign:
      return a > 0.0f ? 1.0f : (a < 0.0f ? -1.0f : a);  // 0 and NaN stay
    case kPowerSlope:                                   // of a to the power of b, by a
      return b == 0.0f ? 0.0f : b * powf(a, b - 1.0f);
    case kSilenced:
      return b == 0.0f ? 0.0f : a;
    case kMaximum:
      return a > b || a != a ? a : b;  // NaN wins
    case kMinimum:
      return a < b || a != a ? a : b;
    case kSine:
      return sinf(a);
    case kCosine:
      return cosf(a);
    case kLog:  // 0 if there is none
      return a > 0.0f ? log_f32(a) : 0.0f;
    default:
      return a;
  }
}

// The place of element i of the result in three arrays.
struct Places {
  i64 a, b, out;
};
struct Axis {
  i64 size, a, b, out;
};
__device__ __forceinline__ void unpack(const Axis& axis, i64& left, Places& at) {
  const i64 i = left % axis.size;
  left /= axis.size;
  at.a += i * axis.a;
  at.b += i * axis.b;
  at.out += i * axis.out;
}

constexpr i32 kSumThreads = 256;
constexpr i64 kSumPart = 65536;

}  // namespace catalase

using namespace catalase;

// out = a op b, with elements counted along five axes, the last of them fastest; a null array is replaced by a number.
// A stride of 0 repeats. With flat != 0 all arrays are contiguous and have n elements.
extern "C" __global__ void __launch_bounds__(256)
    combine_f32(i64 operation, const float* a, float a_number, const float* b, float b_number, float* out, i64 flat,
                i64 n0, i64 a0, i64 b0, i64 o0, i64 n1, i64 a1, i64 b1, i64 o1, i64 n2, i64 a2, i64 b2, i64 o2, i64 n3,
                i64 a3, i64 b3, i64 o3, i64 n4, i64 a4, i64 b4, i64 o4, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    Places at{i, i, i};
    if (flat == 0) {
      i64 left = i;
      at = Places{0, 0, 0};
      unpack({n4, a4, b4, o4}, left, at);
      unpack({n3, a3, b3, o3}, left, at);
      unpack({n2, a2, b2, o2}, left, at);
      unpack({n1, a1, b1, o1}, left, at);
      unpack({n0, a0, b0, o0}, left, at);
    }
    out[at.out] = combined(operation, a != nullptr ? a[at.a] : a_number, b != nullptr ? b[at.b] : b_number);
  }
}

// out = mask != 0 ? a : b; a null array is replaced by a number.
extern "C" __global__ void __launch_bounds__(256)
    select_f32(const u8* mask, const float* a, float a_number, const float* b, float b_number, float* out, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads())
    out[i] = mask[i] != 0 ? (a != nullptr ? a[i] : a_number) : (b != nullptr ? b[i] : b_number);
}

// sums[r * parts + p] = sum of the terms of part p of row r of x (rows, columns), or of their squares. One thread block
// each.
extern "C" __global__ void __launch_bounds__(256)
    sum_parts_f32(const float* x, i64 columns, i64 parts, i64 squares, double* sums) {
  __shared__ double joined[kSumThreads];
  const i64 row = blockIdx.x / parts, part = blockIdx.x % parts;
  const i64 stop = smaller(columns, (part + 1) * kSumPart);
  double sum = 0.0;
  for (i64 i = part * kSumPart + threadIdx.x; i < stop; i += kSumThreads) {
    const double v = x[row * columns + i];
    sum = sum + (squares != 0 ? v * v : v);
  }
  joined[threadIdx.x] = sum;
  __syncthreads();
  for (u32 half = kSumThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) joined[threadIdx.x] = joined[threadIdx.x] + joined[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = joined[0];
}

// out[r] = the sum of a row's parts.
extern "C" __global__ void __launch_bounds__(256) join_sums_f32(const double* sums, i64 parts, float* out, i64 rows) {
  for (i64 r = global_thread(); r < rows; r += global_threads()) {
    double total = 0.0;
    for (i64 p = 0; p < parts; ++p) total = total + sums[r * parts + p];
    out[r] = static_cast<float>(total);
  }
}

// out[o, i] = sum (or maximum, if requested) over r of x[o, r, i]; NaN is larger than any number.
extern "C" __global__ void __launch_bounds__(256)
    reduce_axis_f32(i64 largest, const float* x, i64 length, i64 inner, float* out, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const float* from = x + i / inner * length * inner + i % inner;
    float value = from[0];
    for (i64 r = 1; r < length; ++r) {
      const float next = from[r * inner];
      if (largest == 0)
        value = value + next;
      else if (next > value || next != next)
        value = next;
      if (largest != 0 && value != value) break;
    }
    out[i] = value;
  }
}

// out[o, r, i] = the sum of x[o, 0, i] to x[o, r, i], one ascending float32 chain for each of n pairs (o, i).
extern "C" __global__ void __launch_bounds__(256) cumsum_f32(const float* x, i64 length, i64 inner, float* out, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 first = i / inner * length * inner + i % inner;
    float sum = 0.0f;
    for (i64 r = 0; r < length; ++r) {
      sum = r == 0 ? x[first] : sum + x[first + r * inner];
      out[first + r * inner] = sum;
    }
  }
}

// x *= limit / norm if the norm, the root of the sum of the parts of its squares, is above the limit.
extern "C" __global__ void __launch_bounds__(256)
    clip_f32(float* x, const double* sums, i64 parts, double limit, i64 n) {
  __shared__ float factor;
  if (threadIdx.x == 0) {
    double total = 0.0;
    for (i64 p = 0; p < parts; ++p) total = total + sums[p];
    const double norm = sqrt(total);
    factor = norm > limit ? static_cast<float>(limit / norm) : 1.0f;
  }
  __syncthreads();
  const float by = factor;
  if (by == 1.0f) return;
  for (i64 i = global_thread(); i < n; i += global_threads()) x[i] = x[i] * by;
}

// Writes the numbers that change between replays of a captured step: the number of steps since, and the optimizer's
// rates. One thread.
extern "C" __global__ void set_numbers_f32(i64* later, i64 steps, float* rates, float lr, float keep, float step_size,
                                           float root_scale) {
  *later = steps;
  rates[0] = lr;
  rates[1] = keep;
  rates[2] = step_size;
  rates[3] = root_scale;
}
