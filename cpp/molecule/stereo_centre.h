// Atoms that RDKit takes for a possible tetrahedral centre, apart from the question whether their neighbours differ.
#pragma once

#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

// Whether all three bonds of an atom are in rings, and each ring of the atom shares two bonds with another of them.
template <class M, class F>
bool is_bridgehead(const M& m, unsigned a, const F& f) {
  const auto& rings = f.rings;
  auto bonds = rings.bonds[0].none();
  for (unsigned i = 0; i < rings.count; ++i) {
    if (!rings.atoms[i].test(a)) continue;
    bonds |= rings.bonds[i];
    bool shares = false;
    for (unsigned j = 0; j < rings.count && !shares; ++j) {
      shares = j != i && rings.atoms[j].test(a) && (rings.bonds[i] & rings.bonds[j]).count() > 1;
    }
    if (!shares) return false;
  }
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (!bonds.test(m.bond[a][i])) return false;
  }
  return true;
}

template <class M, class F>
bool could_be_centre(const M& m, unsigned a, const F& f) {
  const Atom& atom = m.atom[a];
  if (atom.degree + atom.hydrogens > 4) return false;
  if (atom.element == 15 || atom.element == 33) return atom.degree + atom.hydrogens >= 3;
  if (atom.degree == 4) return true;
  if (atom.degree != 3) return false;
  if (atom.hydrogens == 1) return true;
  const int valence = f.valence[a] - ((atom.flags & kBracket) != 0 ? 0 : atom.hydrogens);
  if (atom.element == 16 || atom.element == 34) return valence == 4 || (valence == 3 && atom.charge == 1);
  if (atom.element != 7 || f.hybrid[a] != kSp3 || has_conjugated_bond(m, a, f)) return false;
  for (unsigned i = 0; i < f.rings.count; ++i) {
    if (f.rings.atoms[i].test(a) && f.rings.atoms[i].count() == 3) return true;
  }
  return is_bridgehead(m, a, f);
}

}  // namespace
}  // namespace catalase
