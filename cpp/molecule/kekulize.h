// Assigns single and double bonds, a Kekule form, to atoms and bonds that were written as aromatic.
//
// An atom needs a double bond if that fills its usual valence. These atoms are matched in pairs along aromatic ring
// bonds: atoms with only one free neighbour left are matched first; if there are none, a pair is tried, and undone if
// it leads to no matching. Aromaticity does not depend on which matching is found, since every such atom gets exactly
// one ring double bond. Single bond orders can depend on it, and is_fixed() tells whether they do.
#pragma once

#include "molecule/bits.h"
#include "molecule/elements.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

template <int W>
struct Kekule {
  Bits<W> written;    // atoms written as aromatic
  Bits<W> need;       // atoms that must get a double bond
  Bits<W> plain;      // neutral carbon and nitrogen among these, with one electron each in any case
  Bits<W> bonds;      // ring bonds written as aromatic
  Bits<W> near[256];  // neighbours by these bonds; for atoms written as aromatic
  u8 partner[256];
  bool choices;  // whether the matching needed a choice; if not, it is the only one
  int patience;  // pairs that may still be tried for this molecule, so that no input takes long
};

// Whether an atom that was written as aromatic needs a double bond: 1, 0, or -1 if that is not proven.
inline int need_of(const Molecule& m, unsigned i) {
  const Atom& atom = m.atom[i];
  int extra = 0;  // the sum of the written orders above one
  for (unsigned k = 0; k < atom.degree; ++k) {
    const u8 order = m.order[m.bond[i][k]];
    if (order != kAromaticOrder) extra += order - 1;
  }
  const int valence = atom.degree + atom.hydrogens + extra;
  const int usual = usual_valence(atom.element, atom.charge);
  if (usual == 0 || atom.charge < -1 || atom.charge > 1) return -1;
  if (valence == usual - 1) return extra == 0 ? 1 : -1;
  if (valence == usual) return atom.element == 6 && atom.charge == 0 && extra == 0 ? -1 : 0;
  if (atom.element == 16 && atom.charge == 0 && extra > 0 && (valence == 4 || valence == 6)) return 0;
  return -1;
}

// Recognizes the usual c (two or three aromatic bonds, or two and a single one) and n (two), which need a double bond.
inline bool is_plain(const Atom& atom) {
  if (atom.kind == kKindAromaticC) return atom.twice_valence == 8 || atom.twice_valence == 9;
  return atom.kind == kKindAromaticN && atom.twice_valence == 6;
}

// Matches all atoms of `free` along k.near. False if there is no matching, or patience has run out.
template <int W>
bool match(Kekule<W>& k, Bits<W> free) {
  Bits<W> forced = Bits<W>::none();  // atoms with one free neighbour, some of them matched in the meantime
  bool possible = true;
  for_each(free, [&](unsigned a) {
    const int ways = (k.near[a] & free).count();
    if (ways == 1) forced.set(a);
    possible = possible && ways != 0;
  });
  while (possible && free.any()) {
    forced &= free;
    if (!forced.any()) {
      k.choices = true;
      const unsigned a = free.first();
      free.clear(a);
      for (Bits<W> partners = k.near[a] & free; partners.any(); partners.drop_first()) {
        if (--k.patience < 0) return false;
        const unsigned b = partners.first();
        k.partner[a] = static_cast<u8>(b);
        k.partner[b] = static_cast<u8>(a);
        Bits<W> rest = free;
        rest.clear(b);
        if (match(k, rest)) return true;
      }
      return false;
    }
    const unsigned a = forced.first();
    const Bits<W> partners = k.near[a] & free;
    if (!partners.any()) return false;
    const unsigned b = partners.first();
    k.partner[a] = static_cast<u8>(b);
    k.partner[b] = static_cast<u8>(a);
    free.clear(a);
    free.clear(b);
    forced.clear(a);
    for_each(k.near[b] & free, [&](unsigned c) {
      const int ways = (k.near[c] & free).count();
      if (ways == 1) forced.set(c);
      possible = possible && ways != 0;
    });
  }
  return possible;
}

template <int W>
Status kekulize(Molecule& m, const Bits<W>& ring_atoms, const Bits<W>& ring_bonds, Kekule<W>& k) {
  k.need = k.plain = Bits<W>::none();
  for (int i = 0; i < W; ++i) k.written.word[i] = m.written_aromatic[i];
  for (int i = 0; i < W; ++i) k.bonds.word[i] = m.aromatic_bonds[i];
  k.choices = false;
  if (!k.written.any()) return kNative;
  if ((k.written & ~ring_atoms).any()) return kAromatic;
  bool proven = true;
  for_each(k.written, [&](unsigned a) {
    k.near[a] = Bits<W>::none();
    if (is_plain(m.atom[a])) {
      k.plain.set(a);
      return;
    }
    const int need = need_of(m, a);
    if (need == 1) k.need.set(a);
    proven = proven && need >= 0;
  });
  if (!proven) return kAromatic;
  k.need |= k.plain;
  for_each(k.bonds & ~ring_bonds, [&](unsigned b) { m.order[b] = kSingle; });  // biphenyl without a '-'
  k.bonds &= ring_bonds;
  for_each(k.bonds, [&](unsigned b) {
    const unsigned a = m.begin[b], c = m.end[b];
    k.near[a].set(c);
    k.near[c].set(a);
  });
  for_each(k.written, [&](unsigned a) { proven = proven && k.near[a].count() > 1; });
  k.patience = 2000;
  if (!proven || !match(k, k.need)) return kAromatic;
  for_each(k.bonds, [&](unsigned b) {
    const unsigned a = m.begin[b], c = m.end[b];
    m.order[b] = k.need.test(a) && k.partner[a] == c ? kDouble : kSingle;
  });
  return kNative;
}

// Whether a bond that was written as aromatic has the same order in every Kekule form. Changes the matching.
template <int W>
bool is_fixed(const Molecule& m, Kekule<W>& k, unsigned bond) {
  const unsigned a = m.begin[bond], b = m.end[bond];
  if (!k.choices || !k.need.test(a) || !k.need.test(b)) return true;
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
