// Activations that are too long for an epilogue in registers are applied to a row that is still in cache, by the
// elementwise kernels of the unit's level.
#pragma once

#include "cpu/level.h"
#include "elementwise/elementwise.h"

namespace catalase {

namespace {

template <class T>
inline void activate_row(T* row, Index n, Activation activation) {
  of_type<T>(CATALASE_AT_LEVEL(elementwise)).map(static_cast<Map>(activation), row, row, n);
}

}  // namespace
}  // namespace catalase
