// Partial charges by equalization of orbital electronegativity (Gasteiger and Marsili, Tetrahedron 36 (1980) 3219), with
// twelve rounds and a damping that is halved each round. Parameters of elements beyond the paper are those of PyBabel.
#pragma once

#include "cpu/simd.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

struct Electronegativity {
  double a, b, c;  // a + b q + c q^2
};
constexpr Electronegativity kHydrogenNegativity = {7.17, 6.24, -0.56};
constexpr double kHydrogenCation = 20.02;

// Zeros where there is no parameter: charges then become NaN, as RDKit's do.
inline Electronegativity electronegativity(unsigned element, Hybrid hybrid, unsigned oxygens) {
  switch (element) {
    case 1:
      return is_other_hybrid(hybrid) ? kHydrogenNegativity : Electronegativity{};
    case 4:
      if (hybrid == kSp3) return {3.845, 6.755, 3.165};
      if (hybrid == kSp2) return {4.005, 6.725, 3.035};
      break;
    case 5:
      if (hybrid == kSp3) return {5.980, 6.820, 1.605};
      if (hybrid == kSp2) return {6.420, 6.807, 1.322};
      break;
    case 6:
      if (hybrid == kSp3) return {7.98, 9.18, 1.88};
      if (hybrid == kSp2) return {8.79, 9.32, 1.51};
      if (hybrid == kSp) return {10.39, 9.45, 0.73};
      break;
    case 7:
      if (hybrid == kSp3) return {11.54, 10.82, 1.36};
      if (hybrid == kSp2) return {12.87, 11.15, 0.85};
      if (hybrid == kSp) return {15.68, 11.7, -0.27};
      break;
    case 8:
      if (hybrid == kSp3) return {14.18, 12.92, 1.39};
      if (hybrid == kSp2) return {17.07, 13.79, 0.47};
      break;
    case 9:
      if (hybrid == kSp3) return {14.66, 13.85, 2.31};
      break;
    case 12:
      if (hybrid == kSp3) return {3.300, 5.587, 2.447};
      if (hybrid == kSp2) return {3.565, 5.572, 2.197};
      if (hybrid == kSp) return {4.040, 5.472, 1.823};
      break;
    case 13:
      if (hybrid == kSp3) return {5.375, 4.953, 0.867};
      if (hybrid == kSp2) return {5.795, 5.020, 0.695};
      break;
    case 14:
      if (hybrid == kSp3) return {7.300, 6.567, 0.657};
      if (hybrid == kSp2) return {7.905, 6.748, 0.443};
      if (hybrid == kSp) return {9.065, 7.027, -0.002};
      break;
    case 15:
      if (hybrid == kSp3) return {8.90, 8.24, 0.96};
      if (hybrid == kSp2) return {9.665, 8.530, 0.735};
      break;
    case 16:
      if (hybrid == kSp2) return {10.88, 9.49, 1.33};
      if (hybrid == kSp) break;
      if (is_other_hybrid(hybrid) && oxygens == 2) return {12.00, 10.81, 1.20};
      return {10.14, 9.13, 1.38};
    case 17:
      if (hybrid == kSp3) return {11.00, 9.69, 1.35};
      break;
    case 35:
      if (hybrid == kSp3) return {10.08, 8.47, 1.16};
      break;
    case 53:
      if (hybrid == kSp3) return {9.9, 7.96, 0.96};
      break;
    default:
      break;
  }
  return {};
}

template <int W>
Electronegativity electronegativity_of(const Molecule& m, unsigned a, const Facts<W>& f) {
  unsigned oxygens = 0;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) oxygens += m.atom[m.neighbour[a][i]].element == 8;
  const auto hybrid = static_cast<Hybrid>(f.hybrid[a]);
  return electronegativity(m.atom[a].element, is_other_hybrid(hybrid) ? kNoHybrid : hybrid, oxygens);
}

template <int W>
bool has_parameters(const Molecule& m, unsigned a, const Facts<W>& f) {
  return electronegativity_of(m, a, f).a != 0;
}

// Formal charges, each shared among atoms of one element that are two conjugated bonds apart.
template <int W>
void share_charges(const Molecule& m, const Facts<W>& f, double* charge) {
  constexpr double tiny = 1e-10;
  const auto is_zero = [](double q) { return q < tiny && q > -tiny; };
  for (unsigned a = 0; a < m.atoms; ++a) charge[a] = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if (m.atom[a].charge == 0 || !is_zero(charge[a])) continue;
    double formal = m.atom[a].charge;
    u8 equal[1 + kMaxDegree * kMaxDegree];
    unsigned count = 0;
    equal[count++] = static_cast<u8>(a);
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (!f.conjugated.test(m.bond[a][i])) continue;
      const unsigned b = m.neighbour[a][i];
      for (unsigned j = 0; j < m.atom[b].degree; ++j) {
        const unsigned c = m.neighbour[b][j];
        if (m.bond[b][j] == m.bond[a][i] || !f.conjugated.test(m.bond[b][j])) continue;
        if (m.atom[c].element != m.atom[a].element) continue;
        formal += m.atom[c].charge;
        equal[count++] = static_cast<u8>(c);
      }
    }
    for (unsigned i = 0; i < count; ++i) charge[equal[i]] = formal / count;
  }
}

constexpr unsigned kMaxEnds = 2 * kMaxBonds + 2;  // whole vectors
static_assert(kMaxEnds % kWidth<double> == 0);

// Each bond twice, by the atom at one end; and the atoms that have hydrogens. Lists are filled up to whole vectors.
struct ChargeWork {
  double a[256], b[256], c[256];
  double cation[256];  // the electronegativity of the cation
  double energy[256], shift[256];
  u8 from[kMaxEnds], to[kMaxEnds], bearer[256];
  double rising[kMaxEnds], falling[kMaxEnds], part[kMaxEnds];  // divisors by the sign of the difference
  double hydrogens[256], hydrogen_rising[256], hydrogen_falling[256], hydrogen_charge[256], hydrogen_part[256];
};

// RDKit's expression, whose rounding is kept.
inline double charge_divisor(bool rising, double cation, double other) {
  return (rising ? 1.0 : 0.0) * (cation - other) + other;
}

template <int W>
void gasteiger_charges(const Molecule& m, const Facts<W>& f, ChargeWork& w, double* charge) {
  share_charges(m, f, charge);
  const unsigned n = m.atoms;
  for (unsigned a = 0; a < n; ++a) {
    const Electronegativity p = electronegativity_of(m, a, f);
    w.a[a] = p.a, w.b[a] = p.b, w.c[a] = p.c;
    w.cation[a] = m.atom[a].element == 1 ? kHydrogenCation : p.a + p.b + p.c;
  }
  unsigned ends = 0, bearers = 0;
  for (unsigned a = 0; a < n; ++a) {
    for (unsigned i = 0; i < m.atom[a].degree; ++i, ++ends) {
      const unsigned b = m.neighbour[a][i];
      w.from[ends] = static_cast<u8>(a);
      w.to[ends] = static_cast<u8>(b);
      w.rising[ends] = charge_divisor(true, w.cation[a], w.cation[b]);
      w.falling[ends] = charge_divisor(false, w.cation[a], w.cation[b]);
    }
    if (m.atom[a].hydrogens == 0) continue;
    w.bearer[bearers] = static_cast<u8>(a);
    w.hydrogens[bearers] = m.atom[a].hydrogens;
    w.hydrogen_rising[bearers] = charge_divisor(true, w.cation[a], kHydrogenCation);
    w.hydrogen_falling[bearers] = charge_divisor(false, w.cation[a], kHydrogenCation);
    w.hydrogen_charge[bearers++] = 0;
  }
  for (unsigned e = ends; e % kWidth<double> != 0; ++e) w.rising[e] = w.falling[e] = 1, w.part[e] = 0;
  for (unsigned k = bearers; k % kWidth<double> != 0; ++k) {
    w.hydrogens[k] = w.hydrogen_rising[k] = w.hydrogen_falling[k] = 1;
    w.hydrogen_charge[k] = w.hydrogen_part[k] = 0;
  }
  using V = Vec<double>;
  const auto divided = [](V dx, const double* rising, const double* falling) {
    return dx / select<double>(dx < V{}, load(falling), load(rising));
  };
  double damping = 0.5;
  for (int round = 0; round < 12; ++round) {
    for (unsigned a = 0; a < n; ++a) w.energy[a] = w.a[a] + charge[a] * (w.b[a] + w.c[a] * charge[a]);
    for (unsigned e = 0; e < ends; ++e) w.part[e] = w.energy[w.to[e]] - w.energy[w.from[e]];
    for (unsigned k = 0; k < bearers; ++k) w.hydrogen_part[k] = w.energy[w.bearer[k]];
    for (unsigned e = 0; e < ends; e += kWidth<double>) {
      store(w.part + e, divided(load(w.part + e), w.rising + e, w.falling + e));
    }
    for (unsigned k = 0; k < bearers; k += kWidth<double>) {
      const Electronegativity& p = kHydrogenNegativity;
      const V hydrogens = load(w.hydrogens + k), before = load(w.hydrogen_charge + k), q = before / hydrogens;
      const V dx = p.a + q * (p.b + p.c * q) - load(w.hydrogen_part + k);
      const V part = hydrogens * divided(dx, w.hydrogen_rising + k, w.hydrogen_falling + k);
      store(w.hydrogen_part + k, part);
      store(w.hydrogen_charge + k, before - part * damping);
    }
    for (unsigned a = 0, e = 0; a < n; ++a) {
      double sum = 0;
      for (const unsigned end = e + m.atom[a].degree; e < end; ++e) sum += w.part[e];
      w.shift[a] = sum;
    }
    for (unsigned k = 0; k < bearers; ++k) w.shift[w.bearer[k]] += w.hydrogen_part[k];
    for (unsigned a = 0; a < n; ++a) charge[a] += damping * w.shift[a];
    damping *= 0.5;
  }
}

}  // namespace
}  // namespace catalase
