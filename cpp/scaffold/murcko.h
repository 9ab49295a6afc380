// The Bemis-Murcko scaffold of a molecule as RDKit's MurckoDecompose cuts it out: ring atoms, the atoms of linkers between
// rings, and atoms that are bound to one of these by a double bond. Ring and linker atoms that lose a neighbour get
// hydrogens for it: an aromatic heteroatom one, any other as many as its valence asks for.
#pragma once

#include "molecule/bits.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

// A graph with a label for each atom. Aromatic bonds have their own order.
struct LabelledGraph {
  unsigned atoms;
  u32 label[256];  // element, charge + 16, hydrogens, aromatic
  u8 degree[256];
  u8 neighbour[256][kMaxDegree];
  u8 order[256][kMaxDegree];
};

template <int W>
Bits<W> rings_and_linkers(const Molecule& m, const Bits<W>& ring_atoms) {
  Bits<W> kept = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) kept.set(a);
  for (bool changed = true; changed;) {
    changed = false;
    for_each(kept & ~ring_atoms, [&](unsigned a) {
      unsigned ways = 0;
      for (unsigned i = 0; i < m.atom[a].degree; ++i) ways += kept.test(m.neighbour[a][i]);
      if (ways > 1) return;
      kept.clear(a);
      changed = true;
    });
  }
  return kept;
}

// The valences that RDKit permits an atom whose hydrogens it adds; 0 ends the list. None for atoms that are not proven.
struct Valences {
  u8 value[4];
};
inline Valences valences_of(unsigned element, int charge) {
  switch (static_cast<int>(element) - charge) {  // an ion binds like the element with as many electrons
    case 6:
      return charge != 0 && element == 6 ? Valences{} : Valences{{4, 0, 0, 0}};
    case 7:
      return {{3, 0, 0, 0}};
    case 8:
      return {{2, 0, 0, 0}};
    case 5:
      return charge == 0 ? Valences{{3, 0, 0, 0}} : Valences{};
    case 14:
      return {{4, 0, 0, 0}};
    case 15:
      return charge == 0 ? Valences{{3, 5, 0, 0}} : Valences{{3, 0, 0, 0}};
    case 16:
      return charge == 0 ? Valences{{2, 4, 6, 0}} : Valences{};
    default:
      return {};
  }
}

// The hydrogens of an atom with bonds of this sum; -1 if they are not proven.
inline int hydrogens_for(const Atom& atom, int bonds) {
  for (const u8 valence : valences_of(atom.element, atom.charge).value) {
    if (valence != 0 && valence >= bonds) return valence - bonds;
  }
  return -1;
}

// kNative and the graph, or the reason why it is not proven to be RDKit's.
template <int W>
Status murcko_graph(const Molecule& m, const Rings<W>& rings, LabelledGraph& g) {
  const Bits<W> kept = rings_and_linkers(m, rings.atoms);
  Bits<W> there = kept;
  for_each(~kept, [&](unsigned a) {
    if (a >= m.atoms) return;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (m.order[m.bond[a][i]] == kDouble && kept.test(m.neighbour[a][i])) there.set(a);
    }
  });
  u8 number[256];
  g.atoms = 0;
  for_each(there, [&](unsigned a) { number[a] = static_cast<u8>(g.atoms++); });
  Status status = kNative;
  for_each(there, [&](unsigned a) {
    const Atom& atom = m.atom[a];
    const unsigned n = number[a];
    int bonds = 0, all_bonds = atom.hydrogens;
    bool aromatic = false, triple = false;
    unsigned degree = 0;
    for (unsigned i = 0; i < atom.degree; ++i) {
      const u8 order = m.order[m.bond[a][i]];
      aromatic |= order == kAromaticOrder;
      triple |= order == kTriple && rings.bonds.test(m.bond[a][i]);
      all_bonds += order;
      if (!there.test(m.neighbour[a][i])) continue;
      g.neighbour[n][degree] = number[m.neighbour[a][i]];
      g.order[n][degree++] = order;
      bonds += order;
    }
    g.degree[n] = static_cast<u8>(degree);
    int hydrogens = atom.hydrogens;
    const bool lost = degree < atom.degree;
    if (lost && aromatic) {
      if (atom.element != 6 && atom.element != 7) status = kAromatic;
      if (atom.element == 6 && atom.charge != 0) status = kAromatic;
      hydrogens = 1;
    } else if (lost && !kept.test(a) && (atom.flags & kBracket) != 0) {
      status = kValence;  // RDKit leaves such an atom as it was written
    } else if (lost) {
      hydrogens = hydrogens_for(atom, bonds);
      // A radical would keep its electrons.
      if (hydrogens < 0 || hydrogens_for(atom, all_bonds) != 0) status = kValence;
    }
    if ((atom.flags & kMapped) != 0) status = kElement;
    if (aromatic && triple) status = kAromatic;
    g.label[n] = atom.element | static_cast<u32>(atom.charge + 16) << 8 | static_cast<u32>(hydrogens) << 16 |
                 static_cast<u32>(aromatic) << 24;
  });
  return status;
}

}  // namespace
}  // namespace catalase
