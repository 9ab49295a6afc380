// All simple cycles of a molecule, as sets of atoms, for patterns that are a ring of any atoms.
//
// The cycles of a block (closures whose cycles share bonds) are among the sums of its k closures' cycles: 2^k - 1 of them.
// A molecule with a block of more than kMaxSummed closures, or too many cycles, is searched instead.
#pragma once

#include "molecule/rings.h"

namespace catalase {
namespace {

constexpr unsigned kMaxSummed = 5, kMaxCycles = 64;

template <int W>
struct Cycles {
  unsigned count;
  Bits<W> atoms[kMaxCycles];
  u8 size[kMaxCycles];
  bool repeated[kMaxCycles];  // an earlier cycle has the same atoms

  // The atoms of all cycles of size n.
  Bits<W> atoms_of_size(unsigned n) const {
    Bits<W> set = Bits<W>::none();
    for (unsigned i = 0; i < count; ++i) {
      if (size[i] == n) set |= atoms[i];
    }
    return set;
  }

  // The number of sets of `n` atoms with one of `within`, or -1 if a search would meet more than `most` matches of a ring
  // of `n`.
  std::int32_t of_size(unsigned n, unsigned most, const Bits<W>& within) const {
    unsigned cycles = 0;
    std::int32_t sets = 0;
    for (unsigned i = 0; i < count; ++i) {
      cycles += size[i] == n;
      sets += size[i] == n && !repeated[i] && (atoms[i] & within).any();
    }
    return 2 * n * cycles > most ? -1 : sets;
  }
};

// Whether bonds with as many atoms, two at each, are one cycle.
template <int W>
bool is_one_cycle(const Molecule& m, const Bits<W>& bonds, int size) {
  const unsigned start = m.begin[bonds.first()];
  unsigned atom = start, last = kNoAtom;
  int steps = 0;
  do {
    unsigned next = kNoAtom;
    for (unsigned i = 0; i < m.atom[atom].degree; ++i) {
      if (m.neighbour[atom][i] != last && bonds.test(m.bond[atom][i])) next = m.neighbour[atom][i];
    }
    if (next == kNoAtom) return false;
    last = atom;
    atom = next;
  } while (++steps < size && atom != start);
  return steps == size && atom == start;
}

// Returns false if the molecule must be searched.
template <int W>
bool find_cycles(const Molecule& m, const Rings<W>& r, Cycles<W>& found) {
  found.count = 0;
  u64 left = m.closures == 64 ? ~u64{0} : (u64{1} << m.closures) - 1;
  while (left != 0) {
    Bits<W> block[kMaxSummed], bonds = Bits<W>::none();
    unsigned n = 0;
    for (bool grown = true; grown;) {
      grown = false;
      for (u64 rest = left; rest != 0; rest &= rest - 1) {
        const auto k = static_cast<unsigned>(__builtin_ctzll(rest));
        if (n != 0 && !(r.cycle[k] & bonds).any()) continue;
        if (n == kMaxSummed) return false;
        block[n++] = r.cycle[k];
        bonds |= r.cycle[k];
        left &= ~(u64{1} << k);
        grown = true;
      }
    }
    Bits<W> sum = Bits<W>::none();
    for (unsigned step = 1; step < (1u << n); ++step) {  // a Gray code
      sum ^= block[__builtin_ctz(step)];
      const Bits<W> atoms = atoms_of(m, sum);
      const int size = sum.count();
      if (atoms.count() != size || !is_one_cycle(m, sum, size)) continue;
      if (found.count == kMaxCycles) return false;
      bool& repeated = found.repeated[found.count] = false;
      for (unsigned i = 0; i < found.count; ++i) repeated = repeated || found.atoms[i] == atoms;
      found.size[found.count] = static_cast<u8>(size);
      found.atoms[found.count++] = atoms;
    }
  }
  return true;
}

// The cycles of one molecule, found when they are first asked for. Without ring bonds (RDKit's binary form) they stay
// unknown.
template <int W>
class LazyCycles {
 public:
  LazyCycles(const Molecule& m, const Rings<W>* rings, Cycles<W>& found) : m_(m), rings_(rings), found_(found) {}

  // Null if the molecule must be searched.
  const Cycles<W>* get() {
    if (!asked_) known_ = rings_ != nullptr && find_cycles(m_, *rings_, found_);
    asked_ = true;
    return known_ ? &found_ : nullptr;
  }
  bool asked() const { return asked_; }

 private:
  const Molecule& m_;
  const Rings<W>* rings_;
  Cycles<W>& found_;
  bool asked_ = false, known_ = false;
};

}  // namespace
}  // namespace catalase
