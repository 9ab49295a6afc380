// The common part of the walks through time of rnn_forward.cu and rnn_backward.cu: the places of rows, the gates'
// functions, and a thread's column of the recurrent weights.
#pragma once

#include "vecmath.cuh"

namespace catalase {

// The order of cpp/rnn/rnn.h.
__device__ __forceinline__ i32 gates_of(i64 cell) {
  return cell == kLstmCell ? 4 : cell == kGruCell ? 3 : 1;
}

// Rows in the order of time, as on the CPU: row r is the r-th longest sequence, block t of an array starts at row
// start(t). The three arrays are null if every sequence has all `axis` time steps.
struct Order {
  const i64 *offset, *sequence, *length;
  i64 batch, axis, reverse;

  __device__ __forceinline__ i64 start(i64 t) const { return offset != nullptr ? offset[t] : t * batch; }
  __device__ __forceinline__ i64 sequence_of(i64 r) const { return sequence != nullptr ? sequence[r] : r; }
  __device__ __forceinline__ i64 length_of(i64 r) const { return length != nullptr ? length[r] : axis; }
  // The row of x, y and dy at time step t of row r.
  __device__ __forceinline__ i64 outside(i64 r, i64 t) const {
    return sequence_of(r) * axis + (reverse != 0 ? length_of(r) - 1 - t : t);
  }
};

// The CPU's cpp/rnn/squash.h, operation by operation: 1 / d for d in [1, 2] by a quadratic guess and two Newton steps.
__device__ __forceinline__ float gate_reciprocal(float d) {
  float y = fmaf(fmaf(32.0f / 99.0f, d, -144.0f / 99.0f), d, 210.0f / 99.0f);
  y = fmaf(y, fmaf(-d, y, 1.0f), y);
  return fmaf(y, fmaf(-d, y, 1.0f), y);
}
// exp(x) for x <= 0 as parts: 2^power (1 + rest).
__device__ __forceinline__ ExpParts gate_exp(float x) {
  return exp_parts(x < -87.0f ? -87.0f : x);
}
__device__ __forceinline__ float gate_sigmoid(float x) {
  const ExpParts parts = gate_exp(-absolute(x));
  const float scale = power_of_two(parts.power), e = fmaf(scale, parts.rest, scale);
  return (x < 0.0f ? e : 1.0f) * gate_reciprocal(1.0f + e);
}
__device__ __forceinline__ float gate_tanh(float x) {
  const float a = absolute(x);
  const ExpParts parts = gate_exp(-(a + a));
  const float scale = power_of_two(parts.power), above = fmaf(-scale, parts.rest, 1.0f - scale);
  const float y = above * gate_reciprocal(1.0f + fmaf(scale, parts.rest, scale));
  return __uint_as_float(__float_as_uint(y) | (__float_as_uint(x) & 0x80000000u));
}

constexpr i32 kStep = 16;  // terms between two tests for the end of the depth; lines are padded to it with zeros

__device__ __forceinline__ i32 padded(i32 depth) {
  return (depth + kStep - 1) / kStep * kStep;
}

// One column of a matrix: its first kHeld values are in registers, the next ones, in fours, in shared memory, and the
// rest is read again at every time step, from L1 or L2.
template <i32 kHeld>
struct Column {
  float held[kHeld > 0 ? kHeld : 1];
  const float* data;
  i64 step;
  i32 depth;
  float* kept;
  i32 kept_step, kept_depth;

  __device__ __forceinline__ void start(const float* first, i64 row_stride, i32 rows) {
    data = first, step = row_stride, depth = rows;
#pragma unroll
    for (i32 k = 0; k < kHeld; ++k) held[k] = k < depth ? data[k * step] : 0.0f;
  }
  // The place of its values in shared memory: `rows` of them, `apart` floats apart.
  __device__ __forceinline__ void keep(float* first, i32 apart, i32 rows) {
    kept = first, kept_step = apart, kept_depth = rows;
  }
  __device__ __forceinline__ void fill() const {
    for (i32 k = 0; k < kept_depth; ++k) kept[k * kept_step] = kHeld + k < depth ? data[(kHeld + k) * step] : 0.0f;
  }
  // sum[r] += the product with line r (lines are `apart` floats apart, in shared memory), one chain in ascending order.
  template <i32 kRows>
  __device__ __forceinline__ void multiply(const float* lines, i32 apart, float (&sum)[kRows]) const {
#pragma unroll
    for (i32 first = 0; first < kHeld; first += kStep) {
      if (first < depth) {
#pragma unroll
        for (i32 k = first; k < first + kStep; k += 4) add_four(lines + k, apart, held + k, sum);
      }
    }
#pragma unroll 2
    for (i32 k = 0; k < kept_depth; k += 4) {
      float four[4];
#pragma unroll
      for (i32 i = 0; i < 4; ++i) four[i] = kept[(k + i) * kept_step];
      add_four(lines + kHeld + k, apart, four, sum);
    }
    i32 k = kHeld + kept_depth;
#pragma unroll 4
    for (; k + 4 <= depth; k += 4) {
      float four[4];
#pragma unroll
      for (i32 i = 0; i < 4; ++i) four[i] = data[(k + i) * step];
      add_four(lines + k, apart, four, sum);
    }
    for (; k < depth; ++k) {
      const float w = data[k * step];
#pragma unroll
      for (i32 r = 0; r < kRows; ++r) sum[r] = fmaf(lines[r * apart + k], w, sum[r]);
    }
  }
  template <i32 kRows>
  static __device__ __forceinline__ void add_four(const float* lines, i32 apart, const float* w, float (&sum)[kRows]) {
#pragma unroll
    for (i32 r = 0; r < kRows; ++r) {
      const float4 v = *reinterpret_cast<const float4*>(lines + r * apart);
      sum[r] = fmaf(v.x, w[0], sum[r]);
      sum[r] = fmaf(v.y, w[1], sum[r]);
      sum[r] = fmaf(v.z, w[2], sum[r]);
      sum[r] = fmaf(v.w, w[3], sum[r]);
    }
  }
};

// The index of a thread in its block, and the block's size.
__device__ __forceinline__ i32 own_thread() {
  return static_cast<i32>(threadIdx.x);
}
__device__ __forceinline__ i32 block_threads() {
  return static_cast<i32>(blockDim.x);
}

}  // namespace catalase
