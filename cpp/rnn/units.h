// The common part of the cells' gate arithmetic: the places of a vector of units.
#pragma once

#include "cpu/simd.h"
#include "rnn/rnn.h"

namespace catalase {
namespace {

// Up to kWidth units of one row at one time step. kWhole: exactly kWidth.
template <class T, bool kWhole>
struct Units {
  Index row;    // in gates, in dz, and in states before the time step
  Index after;  // in states after the time step
  Index out;    // in y and dy
  Index unit;   // the first unit
  LaneMask<T> lanes;

  Vec<T> read(const T* p) const {
    if constexpr (kWhole) return load(p);
    return load_lanes(p, lanes);
  }
  void write(T* p, Vec<T> v) const {
    if constexpr (kWhole) {
      store(p, v);
    } else {
      store_lanes(p, v, lanes);
    }
  }
};

template <class T>
inline Vec<T> one() {
  return broadcast(T(1));
}

}  // namespace
}  // namespace catalase
