// The gate arithmetic of the LSTM; formulas in rnn.h.
#pragma once

#include "rnn/rnn.h"
#include "rnn/squash.h"
#include "rnn/units.h"

namespace catalase {
namespace {

struct Lstm {
  static constexpr int kGates = 4;
  static constexpr bool kCarries = false;  // dh of the step before is the product alone

  // sums: s of gate k at sums + k * gate_stride.
  template <class T, bool kWhole>
  static inline void forward(const RnnSteps<T>& s, const Units<T, kWhole>& at, const T* sums, Index gate_stride) {
    const Index H = s.hidden;
    T* g = s.gates + (at.row - s.gates_start) * 4 * H + at.unit;
    const Vec<T> i = gate_sigmoid(at.read(g) + load(sums));
    const Vec<T> f = gate_sigmoid(at.read(g + H) + load(sums + gate_stride));
    const Vec<T> n = gate_tanh(at.read(g + 2 * H) + load(sums + 2 * gate_stride));
    const Vec<T> o = gate_sigmoid(at.read(g + 3 * H) + load(sums + 3 * gate_stride));
    const Vec<T> c = fma(f, at.read(s.cells + at.row * H + at.unit), i * n);
    const Vec<T> h = o * gate_tanh(c);
    at.write(g, i);
    at.write(g + H, f);
    at.write(g + 2 * H, n);
    at.write(g + 3 * H, o);
    at.write(s.cells + at.after * H + at.unit, c);
    at.write(s.states + at.after * H + at.unit, h);
    at.write(s.y + at.out * H + at.unit, h);
  }

  // dh: the gradient at h', including dy. tanh(c') is recomputed, because reading it would cost more.
  template <class T, bool kWhole>
  static inline Vec<T> backward(const RnnSteps<T>& s, const Units<T, kWhole>& at, Index r, Vec<T> dh) {
    const Index H = s.hidden;
    const T* g = s.gates + at.row * 4 * H + at.unit;
    const Vec<T> i = at.read(g), f = at.read(g + H), n = at.read(g + 2 * H), o = at.read(g + 3 * H);
    const Vec<T> t = gate_tanh(at.read(s.cells + at.after * H + at.unit));
    T* carried = s.dc + r * H + at.unit;
    const Vec<T> dc = fma(dh * o, one<T>() - t * t, at.read(carried));
    T* dz = s.dz + (at.row - s.dz_start) * 4 * H + at.unit;
    at.write(dz, dc * n * (i * (one<T>() - i)));
    at.write(dz + H, dc * at.read(s.cells + at.row * H + at.unit) * (f * (one<T>() - f)));
    at.write(dz + 2 * H, dc * i * (one<T>() - n * n));
    at.write(dz + 3 * H, dh * t * (o * (one<T>() - o)));
    at.write(carried, dc * f);
    return Vec<T>{};
  }
};

}  // namespace
}  // namespace catalase
