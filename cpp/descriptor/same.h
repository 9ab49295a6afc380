// Whether a molecule that was read from a SMILES is the one that RDKit holds, which its binary form describes.
//
// RDKit's descriptors ask a `Mol` for what it holds. A molecule that was edited, is not sanitized, or has hydrogens as
// atoms is another one than its SMILES says, and is left to RDKit.
#pragma once

#include "descriptor/descriptor.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"
#include "molecule/rdkit_binary.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

struct HeldWork {
  Molecule molecule;
  BinaryDetails details;
};

// With `in_rings`, the rings are compared too: where smallest rings are not unique, RDKit's choice of them depends on its
// order of atoms and bonds.
template <int W>
bool is_same(const Molecule& m, const Facts<W>& f, Rings<W>& rings, bool in_rings, const HeldMolecule& held,
             HeldWork& work) {
  const Molecule& other = work.molecule;
  const BinaryDetails& d = work.details;
  const u8* place = held.place;
  clear_rings(work.details);
  Bits<4> ring_atoms;
  if (held.atoms != m.atoms ||
      read_rdkit_binary(held.binary, held.length, false, work.molecule, ring_atoms, &work.details) != kNative ||
      other.atoms != m.atoms) {
    return false;
  }
  int ring_count[256] = {};
  u32 ring_sizes[256] = {};
  const auto note = [&](const Bits<W>& bonds, const Bits<W>& atoms) {
    const int size = bonds.count();
    for_each(atoms, [&](unsigned a) {
      ++ring_count[a];
      if (size < 32) ring_sizes[a] |= 1u << size;
    });
    return kNative;
  };
  if (in_rings && candidate_rings(m, rings.atoms, rings, note) != kNative) return false;
  unsigned stereo = 0;
  Bits<4> seen = Bits<4>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    const unsigned b = place[a];
    if (b >= other.atoms || seen.test(b)) return false;
    seen.set(b);
    const Atom &x = m.atom[a], &y = other.atom[b];
    const bool tagged = (x.flags & kTetrahedral) != 0;
    if (x.element != y.element || x.charge != y.charge || x.degree != y.degree || x.hydrogens != y.hydrogens ||
        f.valence[a] != d.valence[b] || f.radicals[a] != d.radicals[b] || f.hybrid[a] != d.hybridization[b] ||
        f.aromatic.test(a) != (d.aromatic[b] != 0) || tagged != (d.tag[b] != 0) || d.isotope[b] != 0) {
      return false;
    }
    if (in_rings && (ring_count[a] != d.rings[b] || ring_sizes[a] != d.ring_sizes[b])) return false;
    for (unsigned i = 0; i < x.degree; ++i) {
      const unsigned bond = m.bond[a][i], there = bond_between(other, b, place[m.neighbour[a][i]]);
      if (there == 255 || m.order[bond] != other.order[there] ||
          f.conjugated.test(bond) != (d.conjugated[there] != 0) || rings.bonds.test(bond) != d.ring_bonds.test(there)) {
        return false;
      }
      stereo += d.stereo[there];
    }
  }
  return (stereo != 0) == (m.directions != 0);
}

}  // namespace
}  // namespace catalase
