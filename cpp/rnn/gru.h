// The gate arithmetic of the GRU, reset after the product; formulas in rnn.h.
#pragma once

#include "rnn/rnn.h"
#include "rnn/squash.h"
#include "rnn/units.h"

namespace catalase {
namespace {

struct Gru {
  static constexpr int kGates = 3;
  static constexpr bool kCarries = true;  // dh of the step before is dh * z plus the product

  template <class T, bool kWhole>
  static inline void forward(const RnnSteps<T>& s, const Units<T, kWhole>& at, const T* sums, Index gate_stride) {
    const Index H = s.hidden;
    T* g = s.gates + (at.row - s.gates_start) * 3 * H + at.unit;
    const T* b = s.bias_h + at.unit;
    const Vec<T> r = gate_sigmoid(at.read(g) + (load(sums) + at.read(b)));
    const Vec<T> z = gate_sigmoid(at.read(g + H) + (load(sums + gate_stride) + at.read(b + H)));
    const Vec<T> q = load(sums + 2 * gate_stride) + at.read(b + 2 * H);
    const Vec<T> n = gate_tanh(fma(r, q, at.read(g + 2 * H)));
    const Vec<T> h = fma(z, at.read(s.states + at.row * H + at.unit) - n, n);
    at.write(g, r);
    at.write(g + H, z);
    at.write(g + 2 * H, n);
    if (s.candidates != nullptr) at.write(s.candidates + (at.row - s.gates_start) * H + at.unit, q);
    at.write(s.states + at.after * H + at.unit, h);
    at.write(s.y + at.out * H + at.unit, h);
  }

  template <class T, bool kWhole>
  static inline Vec<T> backward(const RnnSteps<T>& s, const Units<T, kWhole>& at, Index, Vec<T> dh) {
    const Index H = s.hidden;
    const T* g = s.gates + at.row * 3 * H + at.unit;
    const Vec<T> r = at.read(g), z = at.read(g + H), n = at.read(g + 2 * H);
    const Vec<T> q = at.read(s.candidates + at.row * H + at.unit);
    const Vec<T> before = at.read(s.states + at.row * H + at.unit);
    const Vec<T> dn = dh * (one<T>() - z) * (one<T>() - n * n);
    T* dz = s.dz + (at.row - s.dz_start) * 4 * H + at.unit;
    at.write(dz, dn * r);
    at.write(dz + H, dn * q * (r * (one<T>() - r)));
    at.write(dz + 2 * H, dh * (before - n) * (z * (one<T>() - z)));
    at.write(dz + 3 * H, dn);
    return dh * z;
  }
};

}  // namespace
}  // namespace catalase
