// The Morgan algorithm with RDKit's 32-bit hash (Rogers and Hahn, J. Chem. Inf. Model. 50 (2010) 742):
//
//   round 0:  v[a] = hash(element, neighbours + hydrogens, hydrogens (atoms of it among them), charge, mass shift, in a ring)
//   round r:  v'[a] = hash(r - 1, v[a], the (bond, v) of its neighbours in ascending order)
//
// Each v of an atom whose neighbourhood (the bonds within r) is new becomes a feature. Of equal neighbourhoods the one of
// an earlier round wins, then the smaller value, then the smaller atom; the others stop there, and from
// the next round on their value counts as 0 for their neighbours.
#pragma once

#include "fingerprint/bits.h"
#include "fingerprint/ecfp.h"
#include "fingerprint/molecule.h"

namespace catalase {
namespace {

constexpr int kMaxRadius = kEcfpMaxRadius;

inline u32 mix(u32 seed, u32 value) {
  return seed ^ (value + 0x9e3779b9u + (seed << 6) + (seed >> 2));
}

template <int W>
struct MorganWork {
  u32 value[256], next[256];
  Bits<W> reach[256], wider[256];      // bonds within the last round and this one
  Bits<W> seen[256 * kMaxRadius];      // neighbourhoods that became features
  u8 atoms[256];                       // still growing
  std::uint16_t slot[2 * 256 * kMaxRadius * 2];
  u8 owner[256 * kMaxRadius];
};

template <int W>
u32 hash_of(const Bits<W>& b) {
  u64 h = 0;
  for (int i = 0; i < W; ++i) h = (h ^ b.word[i]) * 0x9e3779b97f4a7c15ull;
  return static_cast<u32>(h >> 40);
}

template <int W>
void first_values(const Molecule& m, const Bits<W>& ring_atoms, u32* value) {
  for (unsigned i = 0; i < m.atoms; ++i) {
    u32 hydrogens = m.hydrogens[i];
    u32 v = mix(0, m.element[i]);
    v = mix(v, m.degree[i] + hydrogens);
    if (m.hydrogen_atoms) {
      for (unsigned k = 0; k < m.degree[i]; ++k) hydrogens += m.element[m.neighbour[i][k]] == 1;
    }
    v = mix(v, hydrogens);
    v = mix(v, static_cast<u32>(static_cast<int>(m.charge[i])));
    v = mix(v, static_cast<u32>(static_cast<int>(m.mass_shift[i])));
    if (ring_atoms.test(i)) v = mix(v, 1);
    value[i] = v;
  }
}

// Calls emit(feature) for each feature of the molecule.
template <int W, class Emit>
void morgan(const Molecule& m, const Bits<W>& ring_atoms, int radius, bool use_bond_types, MorganWork<W>& w, Emit&& emit) {
  static constexpr u32 hashed_order[] = {0, 1, 2, 3, 12};
  const unsigned n = m.atoms;
  first_values(m, ring_atoms, w.value);
  unsigned growing = 0, features = 0;
  for (unsigned i = 0; i < n; ++i) {
    emit(w.value[i]);
    w.reach[i] = w.wider[i] = Bits<W>::none();
    w.next[i] = 0;
    if (m.degree[i] != 0) w.atoms[growing++] = static_cast<u8>(i);
  }
  unsigned slots = 64;
  while (slots < 2 * n * static_cast<unsigned>(radius)) slots *= 2;
  if (radius > 0) __builtin_memset(w.slot, 0, slots * sizeof(w.slot[0]));
  for (int round = 0; round < radius && growing != 0; ++round) {
    for (unsigned g = 0; g < growing; ++g) {
      const unsigned a = w.atoms[g], degree = m.degree[a];
      u64 keys[kMaxDegree];
      Bits<W> wider = w.reach[a];
      for (unsigned i = 0; i < degree; ++i) {
        const unsigned other = m.neighbour[a][i], bond = m.bond[a][i];
        wider.set(bond);
        wider |= w.reach[other];
        const u64 key = static_cast<u64>(use_bond_types ? hashed_order[m.order[bond]] : 1) << 32 | w.value[other];
        unsigned at = i;
        for (; at > 0 && keys[at - 1] > key; --at) keys[at] = keys[at - 1];
        keys[at] = key;
      }
      u32 v = mix(static_cast<u32>(round), w.value[a]);
      for (unsigned i = 0; i < degree; ++i) {
        v = mix(v, mix(mix(0, static_cast<u32>(keys[i] >> 32)), static_cast<u32>(keys[i])));
      }
      w.next[a] = v;
      w.wider[a] = wider;
    }
    // Who is new: slots hold 1 + the index of a neighbourhood; those of this round start at `fresh`.
    const unsigned fresh = features;
    unsigned alive = 0;
    for (unsigned g = 0; g < growing; ++g) {
      const unsigned a = w.atoms[g];
      unsigned at = hash_of(w.wider[a]) & (slots - 1);
      while (w.slot[at] != 0 && !(w.seen[w.slot[at] - 1] == w.wider[a])) at = (at + 1) & (slots - 1);
      if (w.slot[at] == 0) {
        w.seen[features] = w.wider[a];
        w.owner[features++] = static_cast<u8>(a);
        w.slot[at] = static_cast<std::uint16_t>(features);
      } else if (w.slot[at] > fresh) {
        u8& owner = w.owner[w.slot[at] - 1];
        if (w.next[a] < w.next[owner]) owner = static_cast<u8>(a);
      }
    }
    for (unsigned f = fresh; f < features; ++f) {
      emit(w.next[w.owner[f]]);
      w.atoms[alive++] = w.owner[f];
    }
    growing = alive;
    for (unsigned i = 0; i < n; ++i) {
      w.value[i] = w.next[i];
      w.next[i] = 0;
      w.reach[i] = w.wider[i];
    }
  }
}

}  // namespace
}  // namespace catalase
