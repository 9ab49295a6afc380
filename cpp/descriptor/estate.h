// Electrotopological state of each atom (Hall, Mohney and Kier, J. Chem. Inf. Comput. Sci. 31 (1991) 76).
#pragma once

#include "molecule/bits.h"
#include "molecule/element_data.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

inline int quantum_number(unsigned element) {
  static constexpr unsigned last[] = {2, 10, 18, 36, 54, 86};
  int n = 1;
  for (const unsigned z : last) n += element > z;
  return n;
}

// Bonds on the shortest path from `from` to each atom of a higher number; 0 where there is none.
template <int W>
void distances_from(const Molecule& m, const Bits<W>* near, unsigned from, Bits<W>& above, u8* distance) {
  __builtin_memset(distance, 0, m.atoms);
  above.clear(from);
  Bits<W> seen = Bits<W>::one(from), edge = seen;
  for (u8 d = 1; edge.any(); ++d) {
    Bits<W> next = Bits<W>::none();
    for_each(edge, [&](unsigned a) { next |= near[a]; });
    edge = next & ~seen;
    seen |= edge;
    for_each(edge & above, [&](unsigned a) { distance[a] = d; });
  }
}

template <int W>
void estate_indices(const Molecule& m, double* index) {
  Bits<W> near[256];
  double own[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    near[a] = Bits<W>::none();
    for (unsigned i = 0; i < atom.degree; ++i) near[a].set(m.neighbour[a][i]);
    own[a] = index[a] = 0;
    if (atom.degree == 0) continue;
    const int n = quantum_number(atom.element), electrons = kElements[atom.element].outer - atom.hydrogens;
    own[a] = (4.0 / (n * n) * electrons + 1) / atom.degree;
  }
  u8 distance[256];
  Bits<W> above = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) above.set(a);
  for (unsigned a = 0; a < m.atoms; ++a) {
    distances_from<W>(m, near, a, above, distance);
    for (unsigned b = a + 1; b < m.atoms; ++b) {
      if (distance[b] == 0) continue;
      const int p = distance[b] + 1;
      const double part = (own[a] - own[b]) / (p * p);
      index[a] += part;
      index[b] -= part;
    }
  }
  for (unsigned a = 0; a < m.atoms; ++a) index[a] += own[a];
}

}  // namespace
}  // namespace catalase
