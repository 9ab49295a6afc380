// The atoms and bonds in rings, and the smallest rings of an annelated system.
//
// SMILES order is a depth-first tree with parent < child, so the cycle of each closure is found by walking up from both
// of its ends until they meet: a few steps a ring, without a search. The union of these cycles is exactly the set of
// ring bonds.
//
// Only aromaticity needs smallest rings. The cycles that share bonds (a group) are exchanged for sums of cycles until
// no sum is shorter than its longest member: a minimum cycle basis. If every sum is longer, that basis is the only one
// and RDKit's rings must be these. If some sum is as long (a cage), the rings concerned must hold an atom that cannot
// be aromatic; otherwise the molecule is left to RDKit. k cycles have 2^k sums: one for two rings. The sums are kept in
// a table for up to ten cycles and computed one after the other for up to twelve; a larger group is left to RDKit,
// unless no cycle of it could be aromatic.
#pragma once

#include "molecule/bits.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr unsigned kMaxGroup = 10;
constexpr unsigned kMaxLargeGroup = 12;

template <int W>
struct Rings {
  Bits<W> atoms, bonds;          // in any ring
  Bits<W> cycle[kMaxClosures];   // bonds of the cycle of each closure
  Bits<W> sum[1u << kMaxGroup];  // work space: the sums of a group
  u8 longest[1u << kMaxGroup];
};

template <int W>
Status find_ring_bonds(const Molecule& m, Rings<W>& r) {
  r.atoms = r.bonds = Bits<W>::none();
  for (unsigned k = 0; k < m.closures; ++k) {
    Bits<W> cycle = Bits<W>::one(m.atoms + k);
    unsigned a = m.begin[m.atoms + k], b = m.end[m.atoms + k];
    r.atoms.set(a);
    r.atoms.set(b);
    while (a != b) {
      unsigned& lower = a > b ? a : b;
      cycle.set(lower);  // the tree bond has its lower atom's number
      r.atoms.set(lower);
      lower = m.begin[lower];
      if (lower == kNoAtom) return kSyntax;  // the closure joins two parts: no ring at all
    }
    r.atoms.set(a);
    r.bonds |= cycle;
    r.cycle[k] = cycle;
  }
  return kNative;
}

template <int W>
Bits<W> atoms_of(const Molecule& m, const Bits<W>& bonds) {
  Bits<W> atoms = Bits<W>::none();
  for_each(bonds, [&](unsigned bond) {
    atoms.set(m.begin[bond]);
    atoms.set(m.end[bond]);
  });
  return atoms;
}

// Whether some cycle over these bonds has only candidates: it remains after atoms with only one way in are removed.
template <int W>
bool has_cycle_of(const Molecule& m, const Bits<W>& bonds, Bits<W> atoms) {
  for (bool changed = true; changed;) {
    changed = false;
    for_each(atoms, [&](unsigned a) {
      unsigned ways = 0;
      for (unsigned i = 0; i < m.atom[a].degree; ++i) ways += bonds.test(m.bond[a][i]) && atoms.test(m.neighbour[a][i]);
      if (ways < 2) {
        atoms.clear(a);
        changed = true;
      }
    });
  }
  return atoms.any();
}

// Sorts cycles by length and examines all sums of two and more, each made of the one before by adding one cycle (a Gray
// code). Returns kNative if all sums are longer than their longest cycle, or as long where no aromatic ring is
// concerned. If a sum is shorter, it replaces that cycle, and `changed` is set.
template <int W>
Status try_sums(const Molecule& m, const Bits<W>& candidates, Bits<W>* cycle, u8* length, unsigned n, bool& changed) {
  for (unsigned i = 1; i < n; ++i) {
    for (unsigned j = i; j > 0 && length[j - 1] > length[j]; --j) {
      const Bits<W> longer = cycle[j - 1];
      const u8 longer_length = length[j - 1];
      cycle[j - 1] = cycle[j];
      length[j - 1] = length[j];
      cycle[j] = longer;
      length[j] = longer_length;
    }
  }
  changed = false;
  Bits<W> sum = Bits<W>::none();
  unsigned set = 0;
  for (unsigned step = 1; step < (1u << n); ++step) {
    const auto flip = static_cast<unsigned>(__builtin_ctz(step));
    sum ^= cycle[flip];
    set ^= 1u << flip;
    if ((set & (set - 1)) == 0) continue;
    const unsigned last = 31u - static_cast<unsigned>(__builtin_clz(set));
    const int count = sum.count();
    if (count > length[last]) continue;
    if (count < length[last]) {
      cycle[last] = sum;
      length[last] = static_cast<u8>(count);
      changed = true;
      return kNative;
    }
    for (unsigned j = 0; j <= last; ++j) {
      const bool concerned = (set >> j & 1) != 0 && length[j] == length[last];
      if (concerned && !(atoms_of(m, cycle[j]) & ~candidates).any()) return kRings;
    }
    if (!(atoms_of(m, sum) & ~candidates).any()) return kRings;
  }
  return kNative;
}

// reduce_group for more cycles than its table can hold.
template <int W>
__attribute__((noinline, cold)) Status reduce_large_group(const Molecule& m, const Bits<W>& candidates, Bits<W>* cycle,
                                                          u8* length, unsigned n) {
  if (n > kMaxLargeGroup) return kRings;
  for (int patience = 32; patience > 0; --patience) {  // each exchange makes the basis shorter
    bool changed = false;
    const Status status = try_sums(m, candidates, cycle, length, n, changed);
    if (status != kNative || !changed) return status;
  }
  return kRings;
}

// Makes cycle[0, n) a minimum basis of its group.
template <int W>
Status reduce_group(const Molecule& m, const Bits<W>& candidates, Bits<W>* cycle, unsigned n, Rings<W>& r) {
  u8 length[kMaxClosures];
  for (unsigned i = 0; i < n; ++i) length[i] = static_cast<u8>(cycle[i].count());
  for (bool changed = true; changed;) {  // pairs first: they are nearly always enough
    changed = false;
    for (unsigned i = 0; i < n; ++i) {
      for (unsigned j = i + 1; j < n; ++j) {
        const Bits<W> sum = cycle[i] ^ cycle[j];
        const int count = sum.count();
        const unsigned longer = length[i] > length[j] ? i : j;
        if (count < length[longer]) {
          cycle[longer] = sum;
          length[longer] = static_cast<u8>(count);
          changed = true;
        }
      }
    }
  }
  if (n > kMaxGroup) return reduce_large_group(m, candidates, cycle, length, n);
  for (bool changed = true; changed;) {
    changed = false;
    r.sum[0] = Bits<W>::none();
    r.longest[0] = 0;
    for (unsigned s = 1; s < (1u << n) && !changed; ++s) {
      const unsigned rest = s & (s - 1), i = static_cast<unsigned>(__builtin_ctz(s));
      r.sum[s] = r.sum[rest] ^ cycle[i];
      r.longest[s] = length[i] > r.longest[rest] ? length[i] : r.longest[rest];
      if (rest == 0) continue;
      const int count = r.sum[s].count();
      if (count > r.longest[s]) continue;
      for (unsigned j = 0; j < n; ++j) {
        if ((s >> j & 1) == 0 || length[j] != r.longest[s]) continue;
        if (count < length[j]) {
          cycle[j] = r.sum[s];
          length[j] = static_cast<u8>(count);
          changed = true;
          break;
        }
        if (!(atoms_of(m, cycle[j]) & ~candidates).any()) return kRings;
      }
      if (!changed && !(atoms_of(m, r.sum[s]) & ~candidates).any()) return kRings;
    }
  }
  return kNative;
}

// Calls found(bonds, atoms) for each smallest ring whose atoms are all candidates.
template <int W, class F>
Status candidate_rings(const Molecule& m, const Bits<W>& candidates, Rings<W>& r, F&& found) {
  const unsigned k = m.closures;
  u64 done = 0;
  for (unsigned i = 0; i < k; ++i) {
    if ((done >> i & 1) != 0) continue;
    Bits<W> group[kMaxClosures];
    unsigned n = 1;
    group[0] = r.cycle[i];
    Bits<W> bonds = r.cycle[i];
    done |= u64{1} << i;
    for (bool grown = true; grown;) {
      grown = false;
      for (unsigned j = i + 1; j < k; ++j) {
        if ((done >> j & 1) != 0 || !(r.cycle[j] & bonds).any()) continue;
        done |= u64{1} << j;
        bonds |= r.cycle[j];
        group[n++] = r.cycle[j];
        grown = true;
      }
    }
    if (n > 1) {
      if (!has_cycle_of(m, bonds, atoms_of(m, bonds) & candidates)) continue;
      const Status status = reduce_group(m, candidates, group, n, r);
      if (status != kNative) return status;
    }
    for (unsigned j = 0; j < n; ++j) {
      const Bits<W> atoms = atoms_of(m, group[j]);
      if ((atoms & ~candidates).any()) continue;
      const Status status = found(group[j], atoms);
      if (status != kNative) return status;
    }
  }
  return kNative;
}

}  // namespace
}  // namespace catalase
