// The Morgan algorithm with RDKit's 32-bit hash (Rogers and Hahn, J. Chem. Inf. Model. 50 (2010) 742):
//
//   round 0:  v[a]  = hash(element, neighbours + hydrogens, hydrogens (also those that are atoms), charge, mass shift,
//                          in a ring or not)
//   round r:  v'[a] = hash(r - 1, v[a], the (bond, v) of its neighbours in ascending order)
//
// Each v of an atom whose neighbourhood (the bonds within r) is new becomes a feature. Among equal neighbourhoods the
// one of an earlier round wins, then the smaller value, then the smaller atom. The other atoms stop there, and from the
// next round on their value counts as 0 for their neighbours.
//
// Values: several atoms are processed at a time (lanes_<level>.h), with up to four neighbours each, as 64-bit keys
// (bond << 32 | value) that are gathered by number, sorted by a network of five comparators and hashed in parallel.
// Empty slots point to atom 255, whose bond sorts last. Atoms of five or more neighbours are recomputed one by one.
//
// Neighbourhoods are sets of bonds. Up to round 2 duplicates are known without a look-up: round 1 has duplicates only
// in fragments of two atoms, and a neighbourhood of round 2 or later equals one of round 1 only for atoms with one
// neighbour and for atoms whose neighbours all have just one. The others go through a table of 2 to 4 slots an atom,
// keyed by a hash of the set.
//
// Bound: latency of the hash chains and mispredicted branches. Including the row's 256 bytes this takes 0.45 us of a
// ZINC molecule's 1.15 (AVX-512; README.md has the other levels).
#pragma once

#include "cpu/level.h"
#include "fingerprint/ecfp.h"
#include "fingerprint/hash.h"
#include "fingerprint/pharmacophore.h"
#include "molecule/bits.h"
#include "molecule/molecule.h"
#include CATALASE_LEVEL_HEADER(lanes)

namespace catalase {
namespace {

typedef u32 HalfLaneVector __attribute__((vector_size(sizeof(LaneVector)), aligned(8), may_alias));

inline HalfLaneVector mix(HalfLaneVector seed, HalfLaneVector value) {
  return seed ^ (value + kGolden + (seed << 6) + (seed >> 2));
}

constexpr u8 kEmptySlot = 127;  // the bond type of an empty slot: larger than any
constexpr u8 kHashedOrders[] = {kEmptySlot, 1, 2, 3, 12};

template <int W>
struct MorganWork {
  u64 values[2][256];                  // of the last round and this one; 32 bits used, gathered in this form
  Bits<W> star[256];                   // an atom's own bonds
  Bits<W> reach[256], wider[256];      // bonds within the last round and this one
  u8 type[256][kMaxDegree];            // hashed bond types, in the order of neighbour[][]
  Bits<W> seen[256 * kEcfpMaxRadius];  // neighbourhoods from round 2 on
  std::uint16_t slot[4096];            // 1 + the number of one of them
  u8 owner[256 * kEcfpMaxRadius];
  u8 alive[256];
};

template <int W>
u32 hash_of(const Bits<W>& b) {
  u64 h = 0;
  for (int i = 0; i < W; ++i) h = (h ^ b.word[i]) * 0x9e3779b97f4a7c15ull;
  return static_cast<u32>(h >> 44);
}

// One atom with any number of neighbours.
template <class M>
u32 first_value(const M& m, unsigned i, bool in_ring) {
  const Atom& atom = m.atom[i];
  u32 hydrogens = atom.hydrogens;
  for (unsigned k = 0; k < atom.degree; ++k) hydrogens += m.atom[m.neighbour[i][k]].element == 1;
  u32 v = mix(mix(0u, atom.element), static_cast<u32>(atom.degree) + atom.hydrogens);
  v = mix(mix(v, hydrogens), static_cast<u32>(static_cast<int>(atom.charge)));
  v = mix(v, static_cast<u32>(static_cast<int>(atom.mass_shift)));
  return in_ring ? mix(v, 1u) : v;
}

// Several atoms at a time: an Atom is a lane.
template <int W>
void first_values(const Molecule& m, const Bits<W>& ring_atoms, u64* value) {
  const LaneVector zero = {};
  for (unsigned a = 0; a < m.atoms; a += kLanes) {
    const LaneVector atom = *reinterpret_cast<const LaneVector*>(m.atom + a);
    const LaneVector element = atom & 255, hydrogens = atom >> 16 & 255;
    const LaneVector total = (atom >> 8 & 255) + hydrogens;
    const LaneVector charge = atom << 32 >> 56, mass_shift = atom << 24 >> 56;  // signed
    HalfLaneVector v = mix((HalfLaneVector)zero, (HalfLaneVector)element);
    v = mix(v, (HalfLaneVector)total);
    v = mix(v, (HalfLaneVector)hydrogens);
    v = mix(v, (HalfLaneVector)charge);
    v = mix(v, (HalfLaneVector)mass_shift);
    const HalfLaneVector in_ring = mix(v, (HalfLaneVector)(zero + 1));
    const auto rings = static_cast<long long>(ring_atoms.word[W == 1 ? 0 : a / 64] >> (a % 64));
    const LaneVector is_in_ring = -(((zero + rings) >> kLaneNumbers) & 1);
    v = (HalfLaneVector)(((LaneVector)in_ring & is_in_ring) | ((LaneVector)v & ~is_in_ring));
    *reinterpret_cast<LaneVector*>(value + a) = (LaneVector)v & 0xffffffffll;
  }
  if (!m.hydrogen_atoms) return;
  for (unsigned i = 0; i < m.atoms; ++i) value[i] = first_value(m, i, ring_atoms.test(i));
}

// One atom of any degree.
template <class M>
inline u32 next_value(const M& m, unsigned atom, u32 round, const u64* value, const u8* type) {
  u64 keys[kMaxDegree];
  const unsigned degree = m.atom[atom].degree;
  for (unsigned i = 0; i < degree; ++i) {
    const u64 key = static_cast<u64>(type[i]) << 32 | value[m.neighbour[atom][i]];
    unsigned at = i;
    for (; at > 0 && keys[at - 1] > key; --at) keys[at] = keys[at - 1];
    keys[at] = key;
  }
  u32 v = mix(round, static_cast<u32>(value[atom]));
  for (unsigned i = 0; i < degree; ++i) {
    v = mix(v, mix(mix(0, static_cast<u32>(keys[i] >> 32)), static_cast<u32>(keys[i])));
  }
  return v;
}

inline void order(LaneVector& a, LaneVector& b) {
  const LaneVector less = a < b, low = less ? a : b;
  b = less ? b : a;
  a = low;
}

inline void next_values(const Molecule& m, u32 round, const u8 (*types)[kMaxDegree], const u64* value, u64* next) {
  if constexpr (kLanes == 1) {
    for (unsigned a = 0; a < m.atoms; ++a) next[a] = next_value(m, a, round, value, types[a]);
  } else {
    const LaneVector zero = {};
    for (unsigned a = 0; a < m.atoms; a += kLanes) {
      const LaneVector slots = *reinterpret_cast<const LaneVector*>(m.neighbour[a]);
      const LaneVector bonds = *reinterpret_cast<const LaneVector*>(types[a]);
      LaneVector key[4];
      for (int k = 0; k < 4; ++k) {
        const LaneVector type = bonds >> (8 * k) & 255;
        key[k] = gather(value, slots >> (8 * k) & 255) | type << 32;
      }
      order(key[0], key[1]);
      order(key[2], key[3]);
      order(key[0], key[2]);
      order(key[1], key[3]);
      order(key[1], key[2]);
      const LaneVector own = *reinterpret_cast<const LaneVector*>(value + a);
      HalfLaneVector v = mix((HalfLaneVector)(zero + round), (HalfLaneVector)own);
      for (int k = 0; k < 4; ++k) {
        const LaneVector type = key[k] >> 32;
        const HalfLaneVector pair =
            mix((HalfLaneVector)type + kGolden, (HalfLaneVector)key[k]);  // mix(0, t) = t + golden
        const HalfLaneVector longer = mix(v, pair);
        v = (HalfLaneVector)(type < kEmptySlot ? (LaneVector)longer : (LaneVector)v);
      }
      *reinterpret_cast<LaneVector*>(next + a) = (LaneVector)v & 0xffffffffll;
    }
    if (!m.wide) return;
    for (unsigned a = 0; a < m.atoms; ++a) {
      if (m.atom[a].degree > 4) next[a] = next_value(m, a, round, value, types[a]);
    }
  }
}

// The bond types in the order of the neighbour lists, and each atom's star.
template <int W>
void fill_slots(const Molecule& m, bool use_bond_types, MorganWork<W>& w) {
  u8 table[256];
  const unsigned bonds = m.bonds(), slots = m.wide ? kMaxDegree : 4;
  for (unsigned b = 0; b < bonds; ++b) table[b] = use_bond_types ? kHashedOrders[m.order[b]] : 1;
  table[kNoAtom] = kEmptySlot;
  for (unsigned a = 0; a < m.atoms; ++a) {
    Bits<W> star = Bits<W>::none();
    for (unsigned i = 0; i < slots; ++i) {
      const unsigned bond = m.bond[a][i];
      w.type[a][i] = table[bond];
      for (unsigned k = 0; k < W; ++k) star.word[k] |= u64{bond / 64 == k} << (bond % 64);
    }
    if constexpr (W == 4) star.clear(kNoAtom);
    w.star[a] = star;
  }
}

// Calls emit(feature) for each feature of the molecule.
template <int W, class Emit>
void morgan(Molecule& m, const Bits<W>& ring_atoms, const EcfpBatch& batch, MorganWork<W>& w, Emit&& emit) {
  const int radius = batch.radius;
  const unsigned n = m.atoms;
  u64 *value = w.values[0], *next = w.values[1];
  value[kNoAtom] = next[kNoAtom] = 0;  // empty slots point here; more than 32 bits would change their bond
  if (batch.features) {
    pharmacophores(m, value);
  } else {
    first_values(m, ring_atoms, value);
  }
  for (unsigned a = 0; a < n; ++a) emit(static_cast<u32>(value[a]));
  if (radius == 0) return;

  fill_slots(m, batch.use_bond_types, w);
  next_values(m, 0, w.type, value, next);
  unsigned alive = 0;
  for (unsigned a = 0; a < n; ++a) {
    if (m.atom[a].degree > 1) {
      emit(static_cast<u32>(next[a]));
      w.alive[alive++] = static_cast<u8>(a);
      continue;
    }
    if (m.atom[a].degree == 0) {
      next[a] = 0;
      continue;
    }
    const unsigned other = m.neighbour[a][0];
    const bool loses = m.atom[other].degree == 1 && (next[other] < next[a] || (next[other] == next[a] && other < a));
    if (!loses) emit(static_cast<u32>(next[a]));
  }
  for (unsigned a = 0; a < n; ++a) w.reach[a] = w.star[a];
  w.reach[kNoAtom] = Bits<W>::none();

  unsigned slots = 64, features = 0;
  while (slots < 2 * alive * static_cast<unsigned>(radius - 1)) slots *= 2;
  if (radius > 1) __builtin_memset(w.slot, 0, slots * sizeof(w.slot[0]));
  for (int round = 1; round < radius && alive != 0; ++round) {
    u64* const last = value;
    value = next;
    next = last;
    next_values(m, static_cast<u32>(round), w.type, value, next);
    const unsigned fresh = features;
    for (unsigned g = 0; g < alive; ++g) {
      const unsigned a = w.alive[g];
      Bits<W> wider = w.reach[a];
      const unsigned degree = m.atom[a].degree > 4 ? m.atom[a].degree : 4;  // empty slots reach nothing
      for (unsigned i = 0; i < degree; ++i) wider |= w.reach[m.neighbour[a][i]];
      w.wider[a] = wider;
      if (wider == w.star[a]) continue;
      unsigned at = hash_of(wider) & (slots - 1);
      while (w.slot[at] != 0 && !(w.seen[w.slot[at] - 1] == wider)) at = (at + 1) & (slots - 1);
      if (w.slot[at] == 0) {
        w.seen[features] = wider;
        w.owner[features++] = static_cast<u8>(a);
        w.slot[at] = static_cast<std::uint16_t>(features);
      } else if (w.slot[at] > fresh) {
        u8& owner = w.owner[w.slot[at] - 1];
        if (next[a] < next[owner]) owner = static_cast<u8>(a);
      }
    }
    for (unsigned f = fresh; f < features; ++f) emit(static_cast<u32>(next[w.owner[f]]));
    if (round + 1 == radius) break;
    // Atoms that stopped before this round count as 0 from now on, and atoms that stop in it from the next round. In
    // round 1 only two-atom fragments have duplicates, and nothing reads them afterwards.
    Bits<4> grown = Bits<4>::none();
    for (unsigned g = 0; g < alive; ++g) {
      grown.set(w.alive[g]);
      w.reach[w.alive[g]] = w.wider[w.alive[g]];
    }
    if (round > 1) {
      for (unsigned a = 0; a < n; ++a) next[a] = grown.test(a) ? next[a] : 0;
    }
    alive = 0;
    for (unsigned f = fresh; f < features; ++f) w.alive[alive++] = w.owner[f];
  }
}

}  // namespace
}  // namespace catalase
