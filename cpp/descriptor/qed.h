// Quantitative estimate of drug-likeness (Bickerton et al., Nature Chem. 4 (2012) 90): a weighted geometric mean of
// desirability functions of eight properties, with the mean weights.
#pragma once

#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

enum QedProperty { kQedWeight, kQedLogP, kQedAcceptors, kQedDonors, kQedSurface, kQedRotatable, kQedRings, kQedAlerts };

inline double desirability(int property, double x) {
  struct Parameters {
    double a, b, c, d, e, f, most;
  };
  static constexpr Parameters table[] = {
      {2.817065973, 392.5754953, 290.7489764, 2.419764353, 49.22325677, 65.37051707, 104.9805561},
      {3.172690585, 137.8624751, 2.534937431, 4.581497897, 0.822739154, 0.576295591, 131.3186604},
      {2.948620388, 160.4605972, 3.615294657, 4.435986202, 0.290141953, 1.300669958, 148.7763046},
      {1.618662227, 1010.051101, 0.985094388, 0.000000001, 0.713820843, 0.920922555, 258.1632616},
      {1.876861559, 125.2232657, 62.90773554, 87.83366614, 12.01999824, 28.51324732, 104.5686167},
      {0.010000000, 272.4121427, 2.558379970, 1.565547684, 1.271567166, 2.758063707, 105.4420403},
      {3.217788970, 957.7374108, 2.274627939, 0.000000001, 1.317690384, 0.375760881, 312.3372610},
      {0.010000000, 1199.094025, -0.09002883, 0.000000001, 0.185904477, 0.875193782, 417.7253140},
  };
  const Parameters& p = table[property];
  const double rise = 1 + __builtin_exp(-1 * (x - p.c + p.d / 2) / p.e);
  const double fall = 1 + __builtin_exp(-1 * (x - p.c - p.d / 2) / p.f);
  return (p.a + p.b / rise * (1 - 1 / fall)) / p.most;
}

inline double drug_likeness(const double (&property)[8]) {
  static constexpr double weights[] = {0.66, 0.46, 0.05, 0.61, 0.06, 0.65, 0.48, 0.95};
  double sum = 0, total = 0;
  for (int i = 0; i < 8; ++i) {
    sum += weights[i] * __builtin_log(desirability(i, property[i]));
    total += weights[i];
  }
  return __builtin_exp(sum / total);
}

// Rings that remain without the aliphatic ring atoms that have a single bond to an atom which is not aromatic.
template <int W>
int rings_without_aliphatic(const Molecule& m, const Facts<W>& f, const Bits<W>& ring_atoms) {
  Bits<W> kept = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    bool removed = false;
    for (unsigned i = 0; i < m.atom[a].degree && ring_atoms.test(a) && !f.aromatic.test(a); ++i) {
      removed = removed || (m.order[m.bond[a][i]] == kSingle && !f.aromatic.test(m.neighbour[a][i]));
    }
    if (!removed) kept.set(a);
  }
  int bonds = 0, parts = 0;
  for (unsigned b = 0; b < m.bonds(); ++b) bonds += m.order[b] != 0 && kept.test(m.begin[b]) && kept.test(m.end[b]);
  const int atoms = kept.count();
  for (Bits<W> left = kept; left.any(); ++parts) {
    Bits<W> edge = Bits<W>::one(left.first());
    while (edge.any()) {
      left &= ~edge;
      Bits<W> next = Bits<W>::none();
      for_each(edge, [&](unsigned a) {
        for (unsigned i = 0; i < m.atom[a].degree; ++i) next.set(m.neighbour[a][i]);
      });
      edge = next & left;
    }
  }
  return bonds - atoms + parts;
}

}  // namespace
}  // namespace catalase
