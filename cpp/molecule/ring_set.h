// All smallest rings of a molecule, as RDKit's RingInfo has them after sanitization.
//
// The cycles of rings.h that share bonds are exchanged for a minimum basis. If no other basis exists, RDKit's rings must
// be these. In a cage several bases exist: RDKit then adds rings that could replace one of the basis. Here every cycle
// that belongs to some minimum basis is taken (Vismara, Electron. J. Combin. 4 (1997) R9): a sum of basis cycles that is
// as long as the longest of them. That is RDKit's answer for the usual cages (norbornane has two rings, bicyclo-octane
// three, adamantane four, cubane six), whatever the spelling.
#pragma once

#include "molecule/bits.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

constexpr unsigned kMaxRingSet = 64;

template <int W>
struct RingSet {
  unsigned count;
  Bits<W> bonds[kMaxRingSet], atoms[kMaxRingSet];
};

template <int W>
bool add_ring(const Molecule& m, const Bits<W>& bonds, RingSet<W>& set) {
  if (set.count == kMaxRingSet) return false;
  set.bonds[set.count] = bonds;
  set.atoms[set.count++] = atoms_of(m, bonds);
  return true;
}

// Exchanges cycle[0, n) for a minimum basis, which it adds, with the other cycles of all minimum bases.
template <int W>
bool add_group(const Molecule& m, Bits<W>* cycle, unsigned n, Rings<W>& r, RingSet<W>& set) {
  if (n > kMaxGroup) return false;
  u8 length[kMaxGroup];
  for (unsigned i = 0; i < n; ++i) length[i] = static_cast<u8>(cycle[i].count());
  for (bool changed = true; changed;) {
    changed = false;
    r.sum[0] = Bits<W>::none();
    r.longest[0] = 0;
    for (unsigned s = 1; s < (1u << n) && !changed; ++s) {
      const unsigned rest = s & (s - 1), i = static_cast<unsigned>(__builtin_ctz(s));
      r.sum[s] = r.sum[rest] ^ cycle[i];
      r.longest[s] = length[i] > r.longest[rest] ? length[i] : r.longest[rest];
      const int count = r.sum[s].count();
      if (rest == 0 || count >= r.longest[s]) continue;
      for (unsigned j = 0; j < n; ++j) {
        if ((s >> j & 1) == 0 || length[j] != r.longest[s]) continue;
        cycle[j] = r.sum[s];
        length[j] = static_cast<u8>(count);
        changed = true;
        break;
      }
    }
  }
  for (unsigned s = 1; s < (1u << n); ++s) {
    if (r.sum[s].count() == r.longest[s] && !add_ring(m, r.sum[s], set)) return false;
  }
  return true;
}

// False for molecules whose rings are left to RDKit.
template <int W>
bool find_rings(const Molecule& m, Rings<W>& r, RingSet<W>& set) {
  set.count = 0;
  u64 done = 0;
  for (unsigned i = 0; i < m.closures; ++i) {
    if ((done >> i & 1) != 0) continue;
    Bits<W> group[kMaxClosures];
    unsigned n = 1;
    group[0] = r.cycle[i];
    Bits<W> bonds = r.cycle[i];
    done |= u64{1} << i;
    for (bool grown = true; grown;) {
      grown = false;
      for (unsigned j = i + 1; j < m.closures; ++j) {
        if ((done >> j & 1) != 0 || !(r.cycle[j] & bonds).any()) continue;
        done |= u64{1} << j;
        bonds |= r.cycle[j];
        group[n++] = r.cycle[j];
        grown = true;
      }
    }
    if (!(n == 1 ? add_ring(m, group[0], set) : add_group(m, group, n, r, set))) return false;
  }
  return true;
}

}  // namespace
}  // namespace catalase
