// RDKit's path fingerprint: each connected set of 1 to 7 bonds is a feature, which sets two bits.
//
//   bond    = hash(its neighbours in the set, its order, then for both ends: 2 * element + aromatic, bonds in the set),
//             the larger end first
//   feature = hash(the bonds in ascending order, the number of atoms); that of one bond is the bond's
//   bits      the feature, and the first number below 2^31 of a small Mersenne twister (4 words, shift 2, upper 1 bit)
//             that is seeded with it
//
// Sets are enumerated without repetition: each bond beside the set is added or excluded for good.
//
// Bound: sorting and hashing, some 40 ns a set, of which a molecule of ZINC has 1,300.
#pragma once

#include "fingerprint/hash.h"
#include "fingerprint/paths.h"
#include "molecule/perceive.h"

namespace catalase {
namespace {

constexpr unsigned kMaxPath = 7;  // bonds

template <int W>
struct SubgraphWork {
  Bits<W> near[256];                      // bonds that share an atom with a bond
  u32 hash[256][kMaxDegree][kMaxDegree];  // of a bond, for the bonds in the set at its beginning and end, minus 1
  u8 bonds_at[256];                       // of the set, at each atom
  u8 set[kMaxPath];
};

// The first number of the twister, halved.
inline u32 second_feature(u32 seed) {
  u32 state[3] = {seed};
  for (u32 i = 1; i < 3; ++i) state[i] = 1812433253u * (state[i - 1] ^ state[i - 1] >> 30) + i;
  const u32 joined = (state[0] & 0x80000000u) | (state[1] & 0x7fffffffu);
  u32 x = state[2] ^ joined >> 1 ^ ((joined & 1) != 0 ? 0x9908b0dfu : 0);
  x ^= x >> 11;
  x ^= x << 7 & 0x9d2c5680u;
  x ^= x << 15 & 0xefc60000u;
  return (x ^ x >> 18) >> 1;
}

template <int W, class Emit>
class Subgraphs {
 public:
  Subgraphs(const Molecule& m, SubgraphWork<W>& w, Emit& emit) : m_(m), w_(w), emit_(emit) {}

  Status run(const Bits<W>& aromatic) {
    Bits<W> bonds = Bits<W>::none();
    for (unsigned b = 0; b < m_.bonds(); ++b) {
      if (m_.order[b] == 0) continue;
      bonds.set(b);
      hash_bond(b, aromatic);
    }
    __builtin_memset(w_.bonds_at, 0, sizeof(w_.bonds_at));
    return grow(0, 0, bonds, Bits<W>::none());
  }

 private:
  void hash_bond(unsigned b, const Bits<W>& aromatic) {
    const unsigned ends[2] = {m_.begin[b], m_.end[b]};
    Bits<W> near = Bits<W>::none();
    u32 kind[2];
    for (unsigned side = 0; side < 2; ++side) {
      const unsigned a = ends[side];
      kind[side] = u32{m_.atom[a].element} << 1 | u32{aromatic.test(a)};
      for (unsigned i = 0; i < m_.atom[a].degree; ++i) near.set(m_.bond[a][i]);
    }
    near.clear(b);
    w_.near[b] = near;
    const u32 order = m_.order[b] == kAromaticOrder ? 12 : m_.order[b];
    for (u32 p = 1; p <= m_.atom[ends[0]].degree; ++p) {
      for (u32 q = 1; q <= m_.atom[ends[1]].degree; ++q) {
        const bool turned = kind[0] < kind[1] || (kind[0] == kind[1] && p < q);
        u32 hash = mix(p + q - 2, order);
        hash = mix(mix(hash, kind[turned]), turned ? q : p);
        w_.hash[b][p - 1][q - 1] = mix(mix(hash, kind[!turned]), turned ? p : q);
      }
    }
  }

  // All sets that extend the current one by bonds of `open`. Bonds of `closed` are in the set, were in `open`, or are
  // excluded.
  Status grow(unsigned count, unsigned atoms, Bits<W> open, Bits<W> closed) {
    while (open.any()) {
      const unsigned b = open.first();
      open.drop_first();
      closed.set(b);
      if (++sets_ > kMaxSubgraphs) return kSubgraphs;
      u8 &p = w_.bonds_at[m_.begin[b]], &q = w_.bonds_at[m_.end[b]];
      const unsigned more = unsigned{p == 0} + unsigned{q == 0};
      ++p;
      ++q;
      w_.set[count] = static_cast<u8>(b);
      emit_set(count + 1, atoms + more);
      if (count + 1 < kMaxPath) {
        const Bits<W> near = w_.near[b] & ~closed;
        const Bits<W> next = count == 0 ? near : open | near;
        const Status status = grow(count + 1, atoms + more, next, closed);
        if (status != kNative) return status;
      }
      --p;
      --q;
    }
    return kNative;
  }

  void emit_set(unsigned count, unsigned atoms) {
    u32 hashes[kMaxPath], feature = hash_in_set(0);
    if (count > 1) {
      hashes[0] = feature;
      for (unsigned k = 1; k < count; ++k) {
        const u32 hash = hash_in_set(k);
        unsigned at = k;
        for (; at > 0 && hashes[at - 1] > hash; --at) hashes[at] = hashes[at - 1];
        hashes[at] = hash;
      }
      feature = 0;
      for (unsigned k = 0; k < count; ++k) feature = mix(feature, hashes[k]);
      feature = mix(feature, atoms);
    }
    emit_(feature);
    emit_(second_feature(feature));
  }

  u32 hash_in_set(unsigned k) const {
    const unsigned b = w_.set[k];
    return w_.hash[b][w_.bonds_at[m_.begin[b]] - 1][w_.bonds_at[m_.end[b]] - 1];
  }

  const Molecule& m_;
  SubgraphWork<W>& w_;
  Emit& emit_;
  std::int64_t sets_ = 0;
};

}  // namespace
}  // namespace catalase
