// Atoms that are stereo centres, or could be: RDKit's rules for tetrahedral atoms whose neighbours all differ.
//
// Neighbours differ if refinement tells them apart: an atom's class is its element, and then again and again its class
// with those of its neighbours (twice the bond order times each) and its hydrogens. Classes are 64-bit hashes. RDKit's
// ranks refine the same way until nothing changes, so equal classes there are equal classes here.
//
// RDKit ranks again with the labels R, S, E and Z while some centre is labelled and another is not, since a label can
// part atoms of one class. R or S needs an order of the neighbours; to see whether two atoms of one class have the same
// label, any order of classes does: that of the hashes. E, Z and the labels of atoms whose neighbours are in a doubtful
// order are not known here: if giving each such atom a class of its own would part neighbours of a possible centre, the
// molecule is left to RDKit.
#pragma once

#include "molecule/facts.h"
#include "molecule/molecule.h"
#include "molecule/stereo_centre.h"

namespace catalase {
namespace {

struct StereoCounts {
  int centres, unspecified;
};

inline u64 mix(u64 x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 29;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

inline bool neighbours_differ(const Molecule& m, unsigned a, const u64* colour) {
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    for (unsigned j = 0; j < i; ++j) {
      if (colour[m.neighbour[a][i]] == colour[m.neighbour[a][j]]) return false;
    }
  }
  return true;
}

inline unsigned count_classes(unsigned n, const u64* colour) {
  u64 table[512];
  unsigned slots = 64, classes = 0;
  while (slots < 2 * n) slots *= 2;
  __builtin_memset(table, 0, slots * sizeof(u64));
  for (unsigned a = 0; a < n; ++a) {
    const u64 c = colour[a] | 1;  // 0 is an empty slot
    u64 at = c >> 20 & (slots - 1);
    while (table[at] != 0 && table[at] != c) at = (at + 1) & (slots - 1);
    classes += table[at] == 0;
    table[at] = c;
  }
  return classes;
}

// RDKit counts the neighbour in a bond as often as twice the bond's order, but phosphorus at a double bond once.
inline u64 weight_of(const Molecule& m, unsigned bond, unsigned b) {
  static constexpr u8 twice[] = {0, 2, 4, 6, 3};
  const bool phosphorus = m.order[bond] == kDouble && m.atom[b].element == 15 && m.atom[b].degree >= 3;
  return phosphorus && m.atom[b].degree <= 4 ? 1 : twice[m.order[bond]];
}

struct Classes {
  u64 colour[256], next[256];
  unsigned count;
};

inline void refine_once(const Molecule& m, Classes& c) {
  for (unsigned a = 0; a < m.atoms; ++a) {
    u64 sum = m.atom[a].hydrogens * 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const unsigned b = m.neighbour[a][i];
      sum += weight_of(m, m.bond[a][i], b) * mix(c.colour[b] + 1);
    }
    c.next[a] = mix(c.colour[a] + 0x632be59bd9b4e019u * mix(sum));
  }
  __builtin_memcpy(c.colour, c.next, m.atoms * sizeof(u64));
  c.count = count_classes(m.atoms, c.colour);
}

// Until nothing changes.
inline void refine(const Molecule& m, Classes& c) {
  for (unsigned before = ~0u; c.count != before;) {
    before = c.count;
    refine_once(m, c);
  }
}

// The sense of a marked centre when its neighbours are ordered by class: 1 or 2, or 0 if their written order is doubtful.
inline unsigned sense_of(const Molecule& m, unsigned a, const u64* colour) {
  const Atom& atom = m.atom[a];
  if (atom.degree + atom.hydrogens != 4 || atom.hydrogens > 1 || (atom.flags & kTaken) != 0) return 0;
  u64 order[4];
  unsigned n = 0, closures = 0;
  const bool first = m.begin[a] == kNoAtom;
  if (!first) order[n++] = colour[m.begin[a]];
  if (atom.hydrogens == 1) order[n++] = 0;
  for (unsigned i = 0; i < atom.degree; ++i) {
    if (m.bond[a][i] < m.atoms) continue;
    order[n++] = colour[m.neighbour[a][i]];
    ++closures;
  }
  if (closures > 1) return 0;
  for (unsigned i = 0; i < atom.degree; ++i) {
    if (m.bond[a][i] < m.atoms && m.bond[a][i] != a) order[n++] = colour[m.neighbour[a][i]];
  }
  bool odd = (atom.flags & kClockwise) != 0;
  for (unsigned i = 0; i < 4; ++i) {
    for (unsigned j = 0; j < i; ++j) odd ^= order[j] > order[i];
  }
  return odd ? 1 : 2;
}

// kStereo for molecules that are left to RDKit.
template <int W>
Status count_stereo(const Molecule& m, const Facts<W>& f, StereoCounts& counts) {
  counts = {};
  u8 left[256];  // candidates whose neighbours do not all differ
  unsigned n = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if ((m.atom[a].flags & kMapped) != 0) return kStereo;  // numbers are part of RDKit's classes
    if (could_be_centre(m, a, f)) left[n++] = static_cast<u8>(a);
  }
  if (n == 0) return kNative;
  Classes c;
  const auto take_centres = [&] {
    unsigned kept = 0;
    for (unsigned i = 0; i < n; ++i) {
      const unsigned a = left[i];
      if (neighbours_differ(m, a, c.colour)) {
        ++counts.centres;
        counts.unspecified += (m.atom[a].flags & kTetrahedral) == 0;
      } else {
        left[kept++] = static_cast<u8>(a);
      }
    }
    n = kept;
  };
  for (unsigned a = 0; a < m.atoms; ++a) c.colour[a] = mix(m.atom[a].element);
  c.count = 0;
  for (unsigned before = ~0u; n != 0 && c.count != before;) {
    take_centres();
    before = c.count;
    if (n != 0) refine_once(m, c);
  }
  if (n == 0 || !m.stereo_marks) return kNative;
  u8 label[256], taken[256];  // taken: it is part of the colour
  __builtin_memset(label, 0, m.atoms);
  __builtin_memset(taken, 0, m.atoms);
  for (bool labelled = true; labelled && n != 0;) {
    labelled = false;
    for (unsigned a = 0; a < m.atoms; ++a) {
      if ((m.atom[a].flags & kTetrahedral) == 0 || label[a] != 0) continue;
      if (!could_be_centre(m, a, f) || !neighbours_differ(m, a, c.colour)) continue;
      label[a] = static_cast<u8>(sense_of(m, a, c.colour));
      labelled |= label[a] != 0;
    }
    if (!labelled) break;
    labelled = false;
    for (unsigned a = 0; a < m.atoms; ++a) {
      bool whole = label[a] != 0 && taken[a] == 0;
      for (unsigned b = 0; b < m.atoms && whole; ++b) {  // all of a class can be labelled, or none is
        whole = (m.atom[b].flags & kTetrahedral) == 0 || label[b] != 0 || c.colour[b] != c.colour[a];
      }
      c.next[a] = c.colour[a];
      if (!whole) continue;
      c.next[a] += 0xa0761d6478bd642fu * label[a];
      taken[a] = 1;
      labelled = true;
    }
    __builtin_memcpy(c.colour, c.next, m.atoms * sizeof(u64));
    if (!labelled) break;
    c.count = 0;
    refine(m, c);
    take_centres();
  }
  if (n == 0) return kNative;
  bool doubtful = false;
  for (unsigned a = 0; a < m.atoms; ++a) {
    bool labelled = (m.atom[a].flags & kTetrahedral) != 0 && taken[a] == 0 && neighbours_differ(m, a, c.colour);
    for (unsigned i = 0; i < m.atom[a].degree && !labelled; ++i) {
      labelled = m.order[m.bond[a][i]] == kDouble && m.atom[a].degree > 1 && m.atom[m.neighbour[a][i]].degree > 1;
    }
    if (labelled) c.colour[a] += mix(a + 1);
    doubtful |= labelled;
  }
  if (!doubtful) return kNative;
  c.count = 0;
  refine(m, c);
  for (unsigned i = 0; i < n; ++i) {
    if (neighbours_differ(m, left[i], c.colour)) return kStereo;
  }
  return kNative;
}

}  // namespace
}  // namespace catalase
