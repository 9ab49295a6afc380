// Rings, Kekule form and aromaticity of a molecule that was read.
#pragma once

#include "molecule/aromaticity.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

template <int W>
struct Perception {
  Rings<W> rings;
  Kekule<W> kekule;
};

template <int W>
Status perceive(Molecule& m, Perception<W>& p) {
  Status status = find_ring_bonds(m, p.rings);
  if (status == kNative) status = kekulize(m, p.rings.atoms, p.rings.bonds, p.kekule);
  if (status == kNative && m.closures != 0) status = perceive_aromaticity(m, p.rings, p.kekule);
  return status;
}

// The atoms of aromatic bonds: those that RDKit calls aromatic.
template <int W>
Bits<W> aromatic_atoms(const Molecule& m) {
  Bits<W> atoms = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (m.order[m.bond[a][i]] == kAromaticOrder) atoms.set(a);
    }
  }
  return atoms;
}

// Whether a triple bond lies between aromatic atoms in a ring (benzyne): RDKit calls such a bond aromatic too.
template <int W>
bool has_aromatic_triple(const Molecule& m, const Bits<W>& ring_bonds, const Bits<W>& aromatic) {
  bool found = false;
  for_each(ring_bonds, [&](unsigned b) {
    found = found || (m.order[b] == kTriple && aromatic.test(m.begin[b]) && aromatic.test(m.end[b]));
  });
  return found;
}

}  // namespace
}  // namespace catalase
