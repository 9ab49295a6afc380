// The facts of a large molecule (facts.h), in blocks of memory, and its ring systems, one after the other, as large_rings.h
// has them.
#pragma once

#include "molecule/facts.h"
#include "molecule/large_rings.h"
#include "molecule/perceive_facts.h"

namespace catalase {
namespace {

struct ByteSet {
  u8* member;
  u32 count;
  bool test(u32 i) const { return member[i] != 0; }
  void set(u32 i) { member[i] = 1; }
};

inline void clear_set(ByteSet& set) {
  __builtin_memset(set.member, 0, set.count);
}

struct LargeFacts {
  LargeFacts(const WorkMemory& memory, const LargeMolecule& m) : bytes(memory, 7 * std::size_t{m.room}) {
    valence = bytes.get();
    hydrogens = valence + m.room;
    radicals = hydrogens + m.room;
    hybrid = radicals + m.room;
    aromatic = {hybrid + m.room, m.room};
    conjugated = {hybrid + 2 * std::size_t{m.room}, m.room};
    conjugates = hybrid + 3 * std::size_t{m.room};
    rings.count = 0;
  }

  Block<u8> bytes;
  u8 *valence, *hydrogens, *radicals, *hybrid, *conjugates;
  ByteSet aromatic, conjugated;
  RingSet<1> rings;  // none: ring sizes are not known
};

// Which atoms and bonds of a large molecule are in rings.
struct LargeRingSets {
  LargeRingSets(const LargeMolecule& m, const LargeRings& r) : atoms{r}, bonds{m, r} {}
  struct Atoms {
    const LargeRings& r;
    bool test(u32 a) const { return r.in_ring(a); }
  };
  struct Bonds {
    const LargeMolecule& m;
    const LargeRings& r;
    bool test(u32 b) const { return m.begin[b] != LargeMolecule::kNone && r.top[m.begin[b]] == r.top[m.end[b]]; }
  };
  Atoms atoms;
  Bonds bonds;
};

// One ring system of at most 64 atoms and bonds, or up to 255, as a Molecule in `system`.
template <int W>
Status perceive_large_system(LargeMolecule& m, u32 top, const LargeRings& r, Molecule& system, Rings<W>& rings,
                             Kekule<W>& kekule, LargeFacts& f) {
  Status status = find_ring_bonds(system, rings);
  if (status == kNative) status = kekulize(system, rings.atoms, rings.bonds, kekule);
  if (status != kNative) return status;
  take_orders(m, top, r, system);
  for (u32 a = top; a != LargeMolecule::kNone; a = a == top ? r.first[top] : r.next[a]) note_valence(m, a, f);
  status = perceive_aromaticity(system, rings, kekule);
  if (status == kNative) take_orders(m, top, r, system);
  return status;
}

// As perceive_facts; `system`, and one of the two sets of work space, serve the ring systems.
inline Status perceive_large_facts(const WorkMemory& memory, LargeMolecule& m, LargeRings& r, LargeFacts& f,
                                   Molecule& system, Rings<1>& small_rings, Kekule<1>& small, Rings<4>& large_rings,
                                   Kekule<4>& large) {
  Status status = find_ring_systems(m, r);
  if (status == kNative) status = single_bonds_between_systems(m, r);
  if (status != kNative) return status;
  note_valences(m, f);
  List<u32> queue(memory, m.room);
  for (u32 top = 0; top < m.atoms; ++top) {
    if (r.first[top] == LargeMolecule::kNone) continue;
    if (extract_system(m, top, r, system) != kNative) {
      status = prove_not_aromatic(m, top, r, queue);
    } else if (system.bonds() <= 64) {
      status = perceive_large_system(m, top, r, system, small_rings, small, f);
    } else {
      status = perceive_large_system(m, top, r, system, large_rings, large, f);
    }
    if (status != kNative) return status;
  }
  return find_rest(m, LargeRingSets(m, r).bonds, f);
}

}  // namespace
}  // namespace catalase
