// A molecule that was read, with its hydrogens, to rings, Kekule form, aromaticity, conjugation and hybridization.
#pragma once

#include "molecule/aromaticity.h"
#include "molecule/facts.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

// Everything in f but the ring set. Aromatic rings with a triple bond are left to RDKit.
template <int W>
Status perceive_facts(Molecule& m, Rings<W>& rings, Kekule<W>& kekule, Facts<W>& f) {
  Status status = find_ring_bonds(m, rings);
  if (status == kNative) status = kekulize(m, rings.atoms, rings.bonds, kekule);
  if (status != kNative) return status;
  note_valences(m, f);
  if (m.closures != 0) status = perceive_aromaticity(m, rings, kekule);
  if (status != kNative) return status;
  find_aromatic_atoms(m, f);
  bool triple = false;  // benzyne: such a bond is aromatic too
  for_each(rings.bonds, [&](unsigned b) {
    triple = triple || (m.order[b] == kTriple && f.aromatic.test(m.begin[b]) && f.aromatic.test(m.end[b]));
  });
  if (triple) return kAromatic;
  find_hybrids(m, f);
  return kNative;
}

}  // namespace
}  // namespace catalase
