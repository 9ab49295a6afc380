// Electrotopological state of each atom (Hall, Mohney and Kier, J. Chem. Inf. Comput. Sci. 31 (1991) 76).
#pragma once

#include "descriptor/distances.h"
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

inline void estate_indices(const Molecule& m, DistanceWork& w, double* index) {
  const unsigned n = m.atoms;
  double own[256];
  bool in_parts = false;
  for (unsigned a = 0; a < n; ++a) {
    in_parts = in_parts || (a != 0 && m.begin[a] == kNoAtom);
    const Atom& atom = m.atom[a];
    own[a] = index[a] = 0;
    if (atom.degree == 0) continue;
    const int shell = quantum_number(atom.element), electrons = kElements[atom.element].outer - atom.hydrogens;
    own[a] = (4.0 / (shell * shell) * electrons + 1) / atom.degree;
  }
  find_distances(m, w, [](unsigned) { return std::uint16_t{1}; });
  double square[256];
  for (unsigned b = 0; b < n; ++b) {  // each atom's sum is over the others in ascending order
    const std::uint16_t* distance = w.distance[b];
    for (unsigned a = 0; a < n; ++a) {
      const int p = distance[a] + 1;
      square[a] = p * p;
    }
    for (unsigned a = 0; a < n && in_parts; ++a) {
      if (distance[a] == kApart) square[a] = __builtin_inf();
    }
    const double other = own[b];
    for (unsigned a = 0; a < n; ++a) index[a] += (own[a] - other) / square[a];
  }
  for (unsigned a = 0; a < n; ++a) index[a] += own[a];
}

}  // namespace
}  // namespace catalase
