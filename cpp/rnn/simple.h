// The arithmetic of the simple cell, tanh or ReLU; formulas in rnn.h.
#pragma once

#include "rnn/rnn.h"
#include "rnn/squash.h"
#include "rnn/units.h"

namespace catalase {
namespace {

template <bool kRelu>
struct Simple {
  static constexpr int kGates = 1;
  static constexpr bool kCarries = false;

  template <class T, bool kWhole>
  static inline void forward(const RnnSteps<T>& s, const Units<T, kWhole>& at, const T* sums, Index) {
    const Index H = s.hidden;
    const T* g = s.gates + (at.row - s.gates_start) * H + at.unit;
    Vec<T> h = at.read(g) + load(sums);
    if constexpr (kRelu) {
      h = relu<T>(h);
    } else {
      h = gate_tanh(h);
    }
    at.write(s.states + at.after * H + at.unit, h);
    at.write(s.y + at.out * H + at.unit, h);
  }

  template <class T, bool kWhole>
  static inline Vec<T> backward(const RnnSteps<T>& s, const Units<T, kWhole>& at, Index, Vec<T> dh) {
    const Index H = s.hidden;
    const Vec<T> h = at.read(s.states + at.after * H + at.unit);
    const Vec<T> dz = kRelu ? select<T>(h > Vec<T>{}, dh, Vec<T>{}) : dh * (one<T>() - h * h);
    at.write(s.dz + (at.row - s.dz_start) * H + at.unit, dz);
    return Vec<T>{};
  }
};

}  // namespace
}  // namespace catalase
