// What the gate arithmetic of the cells has in common: where a vector of units stands.
#pragma once

#include "cpu/simd.h"
#include "rnn/rnn.h"

namespace catalase {
namespace {

// Up to kWidth units of one row at one step. kWhole: all of them are there.
template <class T, bool kWhole>
struct Units {
  Index row;    // in gates, in dz, and in states before the step
  Index after;  // in states after the step
  Index out;    // in y and dy
  Index unit;   // the first
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
