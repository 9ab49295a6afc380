// Rings and aromaticity of a large molecule, ring system by ring system, in linear time.
//
// The cycle of each closure is walked as in rings.h, but atoms that are joined already are passed in one step (a forest
// of disjoint sets), so each tree bond is walked once. The sets are then the ring systems: atoms that stay connected if
// any one bond is cut. No ring leaves its system, and aromaticity needs only the multiple bonds that lead out of it; so
// each system becomes a separate Molecule, and kekulize.h and aromaticity.h do the rest.
//
// A system that is too large for that (the loop of a disulphide bridge) is proven not to be aromatic, or the molecule
// is left to RDKit.
#pragma once

#include "molecule/aromaticity.h"
#include "molecule/kekulize.h"
#include "molecule/large_molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

struct LargeRings {
  LargeRings(const WorkMemory& memory, const LargeMolecule& m) : numbers(memory, 5 * std::size_t{m.room}) {
    top = numbers.get();
    first = top + m.room;
    next = first + m.room;
    first_closure = next + m.room;
    local = first_closure + m.room;
  }
  bool in_ring(unsigned atom) const { return top[atom] != atom || first[atom] != LargeMolecule::kNone; }

  Block<u32> numbers;
  u32* top;                    // for each atom the smallest number of its ring system; itself outside rings
  u32 *first, *first_closure;  // for each system, at its top: the first of its other atoms, of its closures
  u32* next;                   // the next of these
  u32* local;                  // the number in the system's own Molecule
};

inline u32 top_of(u32* top, u32 atom) {
  while (top[atom] != atom) atom = top[atom] = top[top[atom]];
  return atom;
}

inline Status find_ring_systems(const LargeMolecule& m, LargeRings& r) {
  for (u32 a = 0; a < m.atoms; ++a) r.top[a] = a;
  for (u32 b = 0; b < m.bonds(); ++b) r.first[b] = r.first_closure[b] = r.next[b] = LargeMolecule::kNone;
  for (u32 c = m.atoms; c < m.bonds(); ++c) {
    u32 a = top_of(r.top, m.begin[c]), b = top_of(r.top, m.end[c]);
    while (a != b) {
      u32& lower = a > b ? a : b;
      const u32 parent = m.begin[lower];
      if (parent == LargeMolecule::kNone) return kSyntax;  // the closure joins two parts: no ring at all
      r.top[lower] = parent;
      lower = top_of(r.top, parent);
    }
  }
  for (u32 a = 0; a < m.atoms; ++a) r.top[a] = r.top[r.top[a]];
  for (u32 a = m.atoms; a-- > 0;) {  // downwards, so that lists are in ascending order
    const u32 top = r.top[a];
    if (top == a) continue;
    r.next[a] = r.first[top];
    r.first[top] = a;
  }
  for (u32 c = m.bonds(); c-- > m.atoms;) {
    u32& first = r.first_closure[r.top[m.begin[c]]];
    r.next[c] = first;
    first = c;
  }
  return kNative;
}

// Proves that no cycle of the system consists of atoms that could be aromatic, by removing candidates with only one way
// in.
inline Status prove_not_aromatic(const LargeMolecule& m, u32 top, LargeRings& r, List<u32>& queue) {
  const auto is_ring_bond = [&](unsigned bond) { return r.top[m.begin[bond]] == r.top[m.end[bond]]; };
  u32* const ways = r.local;  // 0: no candidate
  std::size_t left = 0;
  for (u32 a = top; a != LargeMolecule::kNone; a = a == top ? r.first[top] : r.next[a]) {
    if ((m.atom[a].flags & kWrittenAromatic) != 0) return kSize;
    const int electrons = electrons_of(m, a, is_ring_bond);
    if (electrons == kUnproven) return kAromatic;
    ways[a] = electrons >= 0;
    left += ways[a];
  }
  queue.shrink(0);
  for (u32 a = top; a != LargeMolecule::kNone; a = a == top ? r.first[top] : r.next[a]) {
    if (ways[a] == 0) continue;
    u32 count = 0;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const u32 b = m.neighbour[a][i];
      count += r.top[b] == top && ways[b] != 0;
    }
    ways[a] = count + 1;
    if (count < 2) queue.push(a);
  }
  for (std::size_t done = 0; done < queue.count(); ++done, --left) {
    const u32 a = queue[done];
    ways[a] = 0;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const u32 b = m.neighbour[a][i];
      if (r.top[b] == top && ways[b] > 1 && --ways[b] == 2) queue.push(b);
    }
  }
  if (queue.full()) return kSize;
  return left == 0 ? kNative : kRings;
}

// The ring system as a Molecule. Atoms outside are at its end: one for all single bonds, then one for each multiple
// bond.
inline Status extract_system(const LargeMolecule& m, u32 top, LargeRings& r, Molecule& system) {
  u32 atoms = 0, outside = 1, closures = 0;
  for (u32 a = top; a != LargeMolecule::kNone; a = a == top ? r.first[top] : r.next[a]) {
    r.local[a] = atoms++;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      outside += r.top[m.neighbour[a][i]] != top && m.order[m.bond[a][i]] != kSingle;
    }
    if (atoms + outside > kMaxAtoms) return kSize;
  }
  for (u32 c = r.first_closure[top]; c != LargeMolecule::kNone; c = r.next[c]) {
    r.local[c] = atoms + outside + closures++;
    if (atoms + outside + closures > kMaxBonds || closures > kMaxClosures) return kSize;
  }
  const auto add = [&](u32 number, const Atom& atom, u32 parent, u8 order) {
    system.atom[number] = atom;
    __builtin_memset(system.neighbour[number], kNoAtom, kMaxDegree);
    __builtin_memset(system.bond[number], kNoAtom, kMaxDegree);
    system.begin[number] = static_cast<u8>(parent);
    system.end[number] = static_cast<u8>(number);
    system.order[number] = order;
  };
  for (int i = 0; i < 4; ++i) system.written_aromatic[i] = system.aromatic_bonds[i] = 0;
  system.atoms = atoms + outside;
  system.closures = closures;
  system.stereo_marks = system.wide = system.hydrogen_atoms = false;
  u32 far = atoms;
  add(far++, Atom{}, kNoAtom, kSingle);
  for (u32 c = r.first_closure[top]; c != LargeMolecule::kNone; c = r.next[c]) {
    const u32 number = r.local[c];
    system.begin[number] = static_cast<u8>(r.local[m.begin[c]]);
    system.end[number] = static_cast<u8>(r.local[m.end[c]]);
    system.order[number] = m.order[c];
    if (m.order[c] == kAromaticOrder) system.aromatic_bonds[number / 64] |= u64{1} << (number % 64);
  }
  for (u32 a = top; a != LargeMolecule::kNone; a = a == top ? r.first[top] : r.next[a]) {
    const u32 i = r.local[a];
    add(i, m.atom[a], a == top ? u32{kNoAtom} : r.local[m.begin[a]], a == top ? u8{0} : m.order[a]);
    if ((m.atom[a].flags & kWrittenAromatic) != 0) system.written_aromatic[i / 64] |= u64{1} << (i % 64);
    if (system.order[i] == kAromaticOrder) system.aromatic_bonds[i / 64] |= u64{1} << (i % 64);
    for (unsigned k = 0; k < m.atom[a].degree; ++k) {
      const u32 other = m.neighbour[a][k], bond = m.bond[a][k];
      u32 number = atoms;  // the one atom for all single bonds
      if (r.top[other] == top) {
        number = r.local[other];
      } else if (m.order[bond] != kSingle) {
        add(number = far++, m.atom[other], i, m.order[bond]);
      }
      system.neighbour[i][k] = static_cast<u8>(number);
      system.bond[i][k] = static_cast<u8>(r.top[other] == top ? r.local[bond] : number);
    }
  }
  return kNative;
}

// Copies the orders of its ring bonds back to the whole molecule.
inline void take_orders(LargeMolecule& m, u32 top, const LargeRings& r, const Molecule& system) {
  for (u32 a = r.first[top]; a != LargeMolecule::kNone; a = r.next[a]) m.order[a] = system.order[r.local[a]];
  for (u32 c = r.first_closure[top]; c != LargeMolecule::kNone; c = r.next[c]) {
    m.order[c] = system.order[r.local[c]];
  }
}

// Handles biphenyl without a '-'. Atoms written as aromatic must be in rings.
inline Status single_bonds_between_systems(LargeMolecule& m, const LargeRings& r) {
  for (u32 a = 0; a < m.atoms; ++a) {
    if ((m.atom[a].flags & kWrittenAromatic) != 0 && !r.in_ring(a)) return kAromatic;
    if (m.order[a] == kAromaticOrder && r.top[m.begin[a]] != r.top[a]) m.order[a] = kSingle;
  }
  return kNative;
}

template <int W>
Status perceive_system(Molecule& system, Rings<W>& rings, Kekule<W>& kekule) {
  Status status = find_ring_bonds(system, rings);
  if (status == kNative) status = kekulize(system, rings.atoms, rings.bonds, kekule);
  if (status == kNative) status = perceive_aromaticity(system, rings, kekule);
  return status;
}

}  // namespace
}  // namespace catalase
