// A molecule that was read, with its hydrogens, to rings, Kekule form, aromaticity, conjugation and hybridization.
#pragma once

#include "molecule/aromaticity.h"
#include "molecule/facts.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

// What follows from hydrogens, valences and aromaticity. Aromatic rings with a triple bond are left to RDKit.
template <class M, class Set, class F>
Status find_rest(const M& m, const Set& ring_bonds, F& f) {
  find_aromatic_atoms(m, f);
  for (unsigned b = 0; b < m.bonds(); ++b) {  // benzyne: such a bond is aromatic too
    if (m.order[b] != kTriple || !ring_bonds.test(b)) continue;
    if (f.aromatic.test(m.begin[b]) && f.aromatic.test(m.end[b])) return kAromatic;
  }
  find_hybrids(m, f);
  return kNative;
}

// Everything in f but the ring set.
template <int W>
Status perceive_facts(Molecule& m, Rings<W>& rings, Kekule<W>& kekule, Facts<W>& f) {
  Status status = find_ring_bonds(m, rings);
  if (status == kNative) status = kekulize(m, rings.atoms, rings.bonds, kekule);
  if (status != kNative) return status;
  note_valences(m, f);
  if (m.closures != 0) status = perceive_aromaticity(m, rings, kekule);
  if (status != kNative) return status;
  return find_rest(m, rings.bonds, f);
}

}  // namespace
}  // namespace catalase
