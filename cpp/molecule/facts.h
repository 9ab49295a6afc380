// What RDKit's sanitization knows of each atom beyond its bonds: valence, radical electrons, conjugation and
// hybridization (the RDKit Book; and RDKit's observed answers, see descriptor/README.md).
#pragma once

#include "molecule/bits.h"
#include "molecule/element_data.h"
#include "molecule/molecule.h"
#include "molecule/ring_set.h"

namespace catalase {
namespace {

enum Hybrid : u8 { kNoHybrid, kS, kSp, kSp2, kSp3, kSp2d, kSp3d, kSp3d2 };  // RDKit's numbers

// Whether an atom is neither sp, sp2 nor sp3.
inline bool is_other_hybrid(unsigned hybrid) {
  return hybrid < kSp || hybrid > kSp3;
}

template <int W>
void clear_set(Bits<W>& set) {
  set = Bits<W>::none();
}

// LargeFacts (large_facts.h) has the same members for molecules of any size.
template <int W>
struct Facts {
  u8 valence[256];    // bond orders of the Kekule form and all hydrogens
  u8 hydrogens[256];  // with neighbours that are hydrogen
  u8 radicals[256];
  u8 hybrid[256];
  u8 conjugates[256];  // whether RDKit counts electrons that the atom can give to a conjugated system
  Bits<W> aromatic;    // atoms
  Bits<W> conjugated;  // bonds
  RingSet<W> rings;
};

// While the bonds still have the orders of the Kekule form.
template <class M, class F>
void note_valence(const M& m, unsigned a, F& f) {
  unsigned valence = m.atom[a].hydrogens, hydrogens = valence;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    valence += m.order[m.bond[a][i]];
    hydrogens += m.atom[m.neighbour[a][i]].element == 1;
  }
  f.valence[a] = static_cast<u8>(valence);
  f.hydrogens[a] = static_cast<u8>(hydrogens);
}

template <class M, class F>
void note_valences(const M& m, F& f) {
  for (unsigned a = 0; a < m.atoms; ++a) note_valence(m, a, f);
}

// Only atoms in brackets can have radical electrons: what is missing to the octet, or to the next higher valence.
inline int radicals_of(const Atom& atom, int valence) {
  if ((atom.flags & kBracket) == 0) return 0;
  const Element& e = kElements[atom.element];
  const int charge = atom.charge;
  if (e.valence < 0) {
    if (atom.degree != 0) return 0;
    const int electrons = e.outer - charge;
    return electrons > 0 && electrons % 2 != 0;
  }
  int missing = (atom.element <= 2 ? 2 : 8) - e.outer - valence + charge;
  if (missing < 0) {
    missing = 0;
    int highest = 0;  // the valences of an element are two apart
    switch (atom.element) {
      case 15:
      case 33:
      case 51:
      case 53:
      case 83:
      case 85:
        highest = 5;
        break;
      case 16:
      case 34:
      case 52:
      case 54:
      case 84:
        highest = 6;
        break;
      case 50:
      case 82:
        highest = 4;
        break;
      default:
        break;
    }
    for (int v = e.valence; v <= highest; v += 2) {
      if (v - valence + charge >= 0) {
        missing = v - valence + charge;
        break;
      }
    }
  }
  const int left = e.outer - valence - charge;
  return left >= 0 && left < missing ? left : missing;
}

// Whether RDKit counts electrons that the atom can give to a conjugated system.
inline bool can_conjugate(const Atom& atom, int radicals) {
  const Element& e = kElements[atom.element];
  const int degree = atom.degree + atom.hydrogens;
  const bool early = atom.element <= 10 || (e.outer != 5 && e.outer != 6) || (e.outer == 6 && degree < 2);
  if (!early || e.valence <= 1 || degree > 3) return false;
  const int pairs = e.outer - e.valence - atom.charge;
  return e.valence - degree + (pairs > 0 ? pairs : 0) - radicals > 0;
}

template <class M, class F>
void find_conjugation(const M& m, F& f) {
  clear_set(f.conjugated);
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] == kAromaticOrder) f.conjugated.set(b);
  }
  for (unsigned a = 0; a < m.atoms; ++a) f.conjugates[a] = can_conjugate(m.atom[a], f.radicals[a]);
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    const int bonds = atom.degree + atom.hydrogens;
    if (f.conjugates[a] == 0 || bonds < 2 || bonds > 3) continue;
    for (unsigned i = 0; i < atom.degree; ++i) {
      if (m.order[m.bond[a][i]] < kDouble || f.conjugates[m.neighbour[a][i]] == 0) continue;
      for (unsigned j = 0; j < atom.degree; ++j) {
        if (i == j) continue;
        const unsigned b = m.neighbour[a][j];
        if (f.conjugates[b] == 0 || m.atom[b].degree + m.atom[b].hydrogens > 3) continue;
        f.conjugated.set(m.bond[a][i]);
        f.conjugated.set(m.bond[a][j]);
      }
    }
  }
}

template <class M, class F>
bool has_conjugated_bond(const M& m, unsigned a, const F& f) {
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (f.conjugated.test(m.bond[a][i])) return true;
  }
  return false;
}

template <class M, class F>
Hybrid hybrid_of(const M& m, unsigned a, const F& f) {
  const Atom& atom = m.atom[a];
  const Element& e = kElements[atom.element];
  const int degree = atom.degree + atom.hydrogens;
  if ((atom.flags & kTetrahedral) != 0 && degree == 4) return kSp3;
  int orbitals = degree;
  if (atom.element > 1 && atom.element < 89) {
    const int free = e.outer - (f.valence[a] + atom.charge);
    if (f.valence[a] + e.outer - atom.charge < 8) {
      orbitals += (free - f.radicals[a]) / 2 + f.radicals[a];
    } else {
      orbitals += free / 2;
    }
  }
  if (orbitals == 4) return degree <= 3 && has_conjugated_bond(m, a, f) ? kSp2 : kSp3;
  static constexpr Hybrid by_orbitals[] = {kS, kS, kSp, kSp2, kSp3, kSp3d, kSp3d2};
  return orbitals >= 0 && orbitals <= 6 ? by_orbitals[orbitals] : kNoHybrid;
}

template <class M, class F>
void find_aromatic_atoms(const M& m, F& f) {
  clear_set(f.aromatic);
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] != kAromaticOrder) continue;
    f.aromatic.set(m.begin[b]);
    f.aromatic.set(m.end[b]);
  }
}

template <class M, class F>
void find_hybrids(const M& m, F& f) {
  for (unsigned a = 0; a < m.atoms; ++a) f.radicals[a] = static_cast<u8>(radicals_of(m.atom[a], f.valence[a]));
  find_conjugation(m, f);
  for (unsigned a = 0; a < m.atoms; ++a) f.hybrid[a] = hybrid_of(m, a, f);
}

}  // namespace
}  // namespace catalase
