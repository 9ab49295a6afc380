// The epilogue of a sum in a product: bias, an addition, an activation, and zero where `keep` is not above zero.
#pragma once

#include "activations.cuh"

namespace catalase {

struct Epilogue {
  const float* bias;
  const float* add;
  i64 add_row;
  const float* keep;
  i64 keep_row;
  i32 activation;  // 32 bits: with 64 the widest tile spills on sm_90

  __device__ __forceinline__ float add_up(float value, i64 row, i64 column) const {
    if (bias != nullptr) value = value + bias[column];
    if (add != nullptr) value = value + add[row * add_row + column];
    return value;
  }
  __device__ __forceinline__ float mask(float value, i64 row, i64 column) const {
    return keep != nullptr && !(keep[row * keep_row + column] > 0.0f) ? 0.0f : value;
  }
  // Identity and ReLU fit into the unrolled loop over a thread's outputs; the other activations have a separate loop.
  __device__ __forceinline__ bool is_short() const { return activation <= kRelu; }
  __device__ __forceinline__ float short_of(float value, i64 row, i64 column) const {
    value = add_up(value, row, column);
    if (activation == kRelu) value = value < 0.0f ? 0.0f : value;
    return is_short() ? mask(value, row, column) : value;
  }
  __device__ __forceinline__ float of(float value, i64 row, i64 column) const {
    return mask(activate(activation, add_up(value, row, column)), row, column);
  }
};

}  // namespace catalase
