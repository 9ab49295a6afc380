// Gives atoms and bonds that were written aromatic single and double bonds: a Kekule form.
//
// An atom needs a double bond if that fills its usual valence. The atoms in need are matched in pairs along aromatic ring
// bonds: whoever has one free neighbour left is matched first; where nobody has, a pair is tried, and taken back if it
// leads nowhere. Aromaticity does not depend on which matching is found, since every atom in need gets exactly one ring
// double bond; single bond orders can, and is_fixed() tells whether they do.
#pragma once

#include "fingerprint/bits.h"
#include "fingerprint/elements.h"
#include "fingerprint/molecule.h"

namespace catalase {
namespace {

template <int W>
struct Kekule {
  Bits<W> need;            // atoms that must get a double bond
  Bits<W> bonds;           // ring bonds written aromatic
  Bits<W> near[256];       // neighbours in need, by aromatic ring bonds; for atoms in need
  u8 partner[256];
  bool choices;            // whether the matching needed one: if not, it is the only one
  int patience;            // pairs that may still be tried
};

// Whether an atom written aromatic needs a double bond: 1, 0, or -1 where that is not proven.
inline int need_of(const Molecule& m, unsigned atom) {
  int extra = 0;  // orders above one that are written
  for (unsigned i = 0; i < m.degree[atom]; ++i) {
    const u8 order = m.order[m.bond[atom][i]];
    if (order != kAromaticOrder) extra += order - 1;
  }
  const int element = m.element[atom], charge = m.charge[atom];
  const int valence = m.degree[atom] + m.hydrogens[atom] + extra;
  const int usual = usual_valence(static_cast<unsigned>(element), charge);
  if (usual == 0 || charge < -1 || charge > 1) return -1;
  if (valence == usual - 1) return 1;
  if (valence == usual) return element == 6 && charge == 0 && extra == 0 ? -1 : 0;
  if (element == 16 && charge == 0 && extra > 0 && (valence == 4 || valence == 6)) return 0;
  return -1;
}

template <int W>
bool match(Kekule<W>& k, Bits<W> free) {
  while (free.any()) {
    // The free atom with the fewest free neighbours.
    unsigned best = 0;
    int fewest = 1000;
    for (Bits<W> rest = free; rest.any(); rest.drop_first()) {
      const unsigned a = rest.first();
      const int ways = (k.near[a] & free).count();
      if (ways == 0) return false;
      if (ways < fewest) {
        fewest = ways;
        best = a;
        if (ways == 1) break;
      }
    }
    Bits<W> partners = k.near[best] & free;
    free.clear(best);
    if (fewest == 1) {
      const unsigned other = partners.first();
      k.partner[best] = static_cast<u8>(other);
      k.partner[other] = static_cast<u8>(best);
      free.clear(other);
      continue;
    }
    k.choices = true;
    for (; partners.any(); partners.drop_first()) {
      if (--k.patience < 0) return false;
      const unsigned other = partners.first();
      Bits<W> rest = free;
      rest.clear(other);
      k.partner[best] = static_cast<u8>(other);
      k.partner[other] = static_cast<u8>(best);
      if (match(k, rest)) return true;
    }
    return false;
  }
  return true;
}

template <int W>
Status kekulize(Molecule& m, const Bits<W>& ring_atoms, const Bits<W>& ring_bonds, Kekule<W>& k) {
  k.need = k.bonds = Bits<W>::none();
  k.choices = false;
  Bits<W> written = Bits<W>::none();
  for (unsigned i = 0; i < m.atoms; ++i) {
    if ((m.flags[i] & kWrittenAromatic) == 0) continue;
    if (!ring_atoms.test(i)) return kAromatic;
    written.set(i);
    const int need = need_of(m, i);
    if (need < 0) return kAromatic;
    if (need == 1) k.need.set(i);
  }
  if (!written.any()) return kNative;
  bool fits = true;
  for_each(written, [&](unsigned a) {
    Bits<W> near = Bits<W>::none();
    unsigned in_ring = 0;
    for (unsigned i = 0; i < m.degree[a]; ++i) {
      const unsigned bond = m.bond[a][i], other = m.neighbour[a][i];
      if (m.order[bond] != kAromaticOrder) continue;
      if (!ring_bonds.test(bond)) continue;
      ++in_ring;
      k.bonds.set(bond);
      if (k.need.test(other)) near.set(other);
    }
    if (in_ring < 2) fits = false;
    k.near[a] = near;
  });
  if (!fits) return kAromatic;
  k.patience = 1000;
  if (!match(k, k.need)) return kAromatic;
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] != kAromaticOrder) continue;
    const unsigned a = m.begin[b], c = m.end[b];
    const bool paired = k.bonds.test(b) && k.need.test(a) && k.partner[a] == c && k.need.test(c);
    m.order[b] = paired ? kDouble : kSingle;
  }
  return kNative;
}

// Whether a bond written aromatic has the same order in every Kekule form. Changes the matching.
template <int W>
bool is_fixed(const Molecule& m, Kekule<W>& k, unsigned bond) {
  const unsigned a = m.begin[bond], b = m.end[bond];
  if (!k.choices || !k.need.test(a) || !k.need.test(b)) return true;
  k.patience = 1000;
  Bits<W> rest = k.need;
  bool other_exists;
  if (m.order[bond] == kDouble) {  // is there a form without it?
    k.near[a].clear(b);
    k.near[b].clear(a);
    other_exists = match(k, rest);
    k.near[a].set(b);
    k.near[b].set(a);
  } else {  // is there a form with it?
    rest.clear(a);
    rest.clear(b);
    other_exists = match(k, rest);
  }
  return !other_exists && k.patience >= 0;
}

}  // namespace
}  // namespace catalase
