// The activations that are not worth a register epilogue, applied to a row that is still in cache. Included after a
// definition of `own_level`, the elementwise kernels of the unit's level.
#pragma once

#include "elementwise/elementwise.h"

namespace catalase {
namespace {

inline void activate_row(float* row, Index n, Activation activation) {
  own_level.map_f32(static_cast<Map>(activation), row, row, n);
}
inline void activate_row(double* row, Index n, Activation activation) {
  own_level.map_f64(static_cast<Map>(activation), row, row, n);
}

}  // namespace
}  // namespace catalase
