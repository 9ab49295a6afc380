// The Morgan algorithm of morgan.h for molecules of any size and any radius.
//
// A neighbourhood is small although the molecule is large: it is an unordered list of bond numbers in one growing
// block, with a hash that does not depend on the order. Two neighbourhoods are equal if hashes and lengths are equal
// and every bond of the older one is stamped as part of the new one: exact, without sorting. Time and memory are
// proportional to the sum of their lengths; the block has a limit, beyond which the molecule is left to RDKit.
#pragma once

#include "fingerprint/morgan.h"
#include "molecule/large_molecule.h"
#include "molecule/large_rings.h"

namespace catalase {
namespace {

constexpr std::size_t kMaxListed = 1u << 25;  // bond numbers: 128 MiB a thread
constexpr std::size_t kMaxFeatures = 1u << 23;

struct Neighbourhood {
  u64 hash;
  u32 start, length;
};

// The neighbourhoods seen so far, and the atom that each belongs to. Open addressing with at least twice as many slots.
class Seen {
 public:
  explicit Seen(const WorkMemory& memory)
      : memory_(memory), found_(memory, kMaxFeatures), owners_(memory, kMaxFeatures), slots_(memory, kStart) {
    __builtin_memset(slots_.get(), 0, kStart * sizeof(u32));
  }
  bool full() const { return found_.full() || owners_.full(); }
  std::size_t count() const { return found_.count(); }
  u32& owner(std::size_t i) { return owners_[i]; }

  // The number of an equal neighbourhood; if there is none, adds `n` for its atom and returns count() before the
  // addition.
  template <class Equal>
  std::size_t find_or_add(const Neighbourhood& n, u32 atom, Equal&& equal) {
    if (2 * (found_.count() + 1) > size_) grow();
    std::size_t at = n.hash & (size_ - 1);
    for (; slots_.get()[at] != 0; at = (at + 1) & (size_ - 1)) {
      const std::size_t i = slots_.get()[at] - 1;
      if (found_[i].hash == n.hash && found_[i].length == n.length && equal(found_[i])) return i;
    }
    const std::size_t number = found_.count();
    found_.push(n);
    owners_.push(atom);
    slots_.get()[at] = static_cast<u32>(number + 1);
    return number;
  }

 private:
  static constexpr std::size_t kStart = 1024;

  void grow() {
    Block<u32> wider(memory_, 2 * size_);
    slots_.swap(wider);
    size_ *= 2;
    __builtin_memset(slots_.get(), 0, size_ * sizeof(u32));
    for (std::size_t i = 0; i < found_.count(); ++i) {
      std::size_t at = found_[i].hash & (size_ - 1);
      while (slots_.get()[at] != 0) at = (at + 1) & (size_ - 1);
      slots_.get()[at] = static_cast<u32>(i + 1);
    }
  }

  WorkMemory memory_;
  List<Neighbourhood> found_;
  List<u32> owners_;
  Block<u32> slots_;
  std::size_t size_ = kStart;
};

inline u64 hash_of_bond(u32 bond) {
  u64 h = (u64{bond} + 1) * 0x9e3779b97f4a7c15ull;
  h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
  return h ^ h >> 32;
}

struct LargeMorgan {
  LargeMorgan(const WorkMemory& memory, const LargeMolecule& m)
      : values(memory, 2 * std::size_t{m.room}),
        neighbourhoods(memory, 2 * std::size_t{m.room}),
        types(memory, m.room),
        numbers(memory, 2 * std::size_t{m.room}),
        bonds(memory, kMaxListed),
        seen(memory) {
    reach = neighbourhoods.get();
    wider = reach + m.room;
    alive = numbers.get();
    stamp = alive + m.room;
  }
  bool full() const { return bonds.full() || seen.full(); }

  Block<u64> values;
  Block<Neighbourhood> neighbourhoods;
  Block<u8[kMaxDegree]> types;
  Block<u32> numbers;
  List<u32> bonds;  // of all neighbourhoods
  Seen seen;
  Neighbourhood *reach, *wider;  // within the last round and this one
  u32 *alive, *stamp;
  u32 stamps = 0;
};

// Rounds 0 and 1, whose duplicates are known without a look-up. Returns the number of atoms that continue.
inline unsigned first_rounds(LargeMolecule& m, const LargeRings& rings, const EcfpBatch& batch, LargeMorgan& w,
                             u64* value, u64* next, List<u32>& features) {
  if (batch.features) {
    pharmacophores(m, value);
  } else {
    for (u32 a = 0; a < m.atoms; ++a) value[a] = first_value(m, a, rings.in_ring(a));
  }
  for (u32 a = 0; a < m.atoms; ++a) features.push(static_cast<u32>(value[a]));
  if (batch.radius == 0) return 0;
  for (u32 b = 0; b < m.bonds(); ++b) w.stamp[b] = 0;
  unsigned alive = 0;
  for (u32 a = 0; a < m.atoms; ++a) {
    const unsigned degree = m.atom[a].degree;
    w.reach[a] = {0, static_cast<u32>(w.bonds.count()), degree};
    for (unsigned i = 0; i < degree; ++i) {
      const u32 bond = m.bond[a][i];
      w.types.get()[a][i] = batch.use_bond_types ? kHashedOrders[m.order[bond]] : 1;
      w.reach[a].hash += hash_of_bond(bond);
      w.bonds.push(bond);
    }
    next[a] = next_value(m, a, 0, value, w.types.get()[a]);
  }
  for (u32 a = 0; a < m.atoms; ++a) {
    const unsigned degree = m.atom[a].degree;
    if (degree > 1) {
      features.push(static_cast<u32>(next[a]));
      w.alive[alive++] = a;
      continue;
    }
    if (degree == 0) {
      next[a] = 0;
      continue;
    }
    const u32 other = m.neighbour[a][0];
    const bool loses = m.atom[other].degree == 1 && (next[other] < next[a] || (next[other] == next[a] && other < a));
    if (!loses) features.push(static_cast<u32>(next[a]));
  }
  return alive;
}

// The bonds within one more round of an atom; they stay stamped until the next call.
inline Neighbourhood widen(const LargeMolecule& m, u32 atom, LargeMorgan& w) {
  const u32 stamp = ++w.stamps;
  const Neighbourhood own = w.reach[atom];
  for (u32 i = 0; i < own.length; ++i) w.stamp[w.bonds[own.start + i]] = stamp;
  Neighbourhood wider = {own.hash, static_cast<u32>(w.bonds.count()), own.length};
  for (u32 i = 0; i < own.length; ++i) w.bonds.push(w.bonds[own.start + i]);
  for (unsigned k = 0; k < m.atom[atom].degree; ++k) {
    const Neighbourhood other = w.reach[m.neighbour[atom][k]];
    for (u32 i = 0; i < other.length; ++i) {
      const u32 bond = w.bonds[other.start + i];
      if (w.stamp[bond] == stamp) continue;
      w.stamp[bond] = stamp;
      w.bonds.push(bond);
      wider.hash += hash_of_bond(bond);
      ++wider.length;
    }
  }
  if (wider.length != own.length) return wider;
  w.bonds.shrink(wider.start);  // nothing new
  return own;
}

inline Status large_morgan(LargeMolecule& m, const LargeRings& rings, const EcfpBatch& batch, List<u32>& features) {
  LargeMorgan w(batch.memory, m);
  u64 *value = w.values.get(), *next = value + m.room;
  unsigned alive = first_rounds(m, rings, batch, w, value, next, features);
  for (int round = 1; round < batch.radius && alive != 0; ++round) {
    if (w.full()) return kSize;
    u64* const last = value;
    value = next;
    next = last;
    for (u32 a = 0; a < m.atoms; ++a) next[a] = 0;  // atoms that stopped before this round count as 0 from now on
    for (u32 a = 0; a < m.atoms && round == 1; ++a) {
      next[a] = next_value(m, a, static_cast<u32>(round), value, w.types.get()[a]);
    }
    const std::size_t fresh = w.seen.count();
    for (unsigned g = 0; g < alive; ++g) {
      const u32 a = w.alive[g];
      next[a] = next_value(m, a, static_cast<u32>(round), value, w.types.get()[a]);
      w.wider[a] = widen(m, a, w);
      if (w.full()) return kSize;
      if (w.wider[a].length == m.atom[a].degree) continue;
      const std::size_t before = w.seen.count();
      const std::size_t i = w.seen.find_or_add(w.wider[a], a, [&](const Neighbourhood& other) {
        bool equal = true;
        for (u32 k = 0; k < other.length; ++k) equal = equal && w.stamp[w.bonds[other.start + k]] == w.stamps;
        return equal;
      });
      if (w.full()) return kSize;
      if (i == before || i < fresh) continue;
      u32& owner = w.seen.owner(i);
      if (next[a] < next[owner]) owner = a;
    }
    for (std::size_t f = fresh; f < w.seen.count(); ++f) features.push(static_cast<u32>(next[w.seen.owner(f)]));
    for (unsigned g = 0; g < alive; ++g) w.reach[w.alive[g]] = w.wider[w.alive[g]];
    alive = 0;
    for (std::size_t f = fresh; f < w.seen.count(); ++f) w.alive[alive++] = w.seen.owner(f);
  }
  return w.full() ? kSize : kNative;
}

}  // namespace
}  // namespace catalase
