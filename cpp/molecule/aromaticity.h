// RDKit's aromaticity model, perceived from single and double bonds, for any spelling of the molecule.
//
// After "Aromaticity" in the RDKit Book, and RDKit's observed answers. Each ring atom contributes 0, 1 or 2 electrons,
// or cannot take part. A smallest ring of such atoms is aromatic if it has 4n + 2. Rings that are not aromatic alone
// can be aromatic together: all connected sets of 2 to 6 rings that share one bond each are tried, by rising size,
// until every bond of the annelated system is aromatic. The outline of a set becomes aromatic, and atoms in three of
// its rings do not count. Electrons are counted with two population counts over sets of atoms.
#pragma once

#include "molecule/bits.h"
#include "molecule/elements.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"

namespace catalase {
namespace {

constexpr unsigned kMaxCandidateRings = 12;
constexpr int kMaxRingsTogether = 6;
constexpr int kMaxRingSize = 24;  // larger rings do not fuse in RDKit; none is proven here
constexpr int kMaxMixedRing = 8;  // RDKit refuses oxygen and sulphur in larger rings, by a rule that is not proven

constexpr int kNoDonor = -1;
constexpr int kUnproven = -2;

// The electrons that a ring atom contributes, kNoDonor, or kUnproven.
template <class M, class IsRingBond>
int electrons_of(const M& m, unsigned atom, IsRingBond&& is_ring_bond) {
  const int degree = m.atom[atom].degree + m.atom[atom].hydrogens;
  if (degree > 3) return kNoDonor;  // most ring atoms that are not aromatic
  const unsigned element = m.atom[atom].element;
  const int charge = m.atom[atom].charge;
  int valence = degree, multiple = 0;
  bool in_ring = false;
  unsigned outside = 0;  // element at the far end of a multiple bond that leaves the ring
  for (unsigned i = 0; i < m.atom[atom].degree; ++i) {
    const unsigned bond = m.bond[atom][i];
    if (m.order[bond] < kDouble) continue;
    valence += m.order[bond] - 1;
    ++multiple;
    if (is_ring_bond(bond)) {
      in_ring = true;
    } else {
      outside = m.atom[m.neighbour[atom][i]].element;
    }
  }
  const int usual = usual_valence(element), usual_charged = usual_valence(element, charge);
  const bool allowed = element <= 18 || element == 34 || element == 52;  // the first rows, Se and Te
  if (!allowed) return kNoDonor;
  if (usual_charged == 0 || charge < -1 || charge > 1) return kUnproven;
  if (valence < usual_charged) return kUnproven;  // a radical
  if (usual <= 1 || multiple > 1 || valence > usual_charged) {
    return usual == 0 ? kUnproven : kNoDonor;  // [Be-] and [Mg-] can be aromatic
  }
  int pairs = outer_electrons(element) - usual - charge;  // electrons outside bonds
  if (pairs < 0) pairs = 0;
  int free = usual - degree + pairs;
  if (free > 1 && valence - degree > 1) free = 1;  // a triple bond has one electron for the ring
  if (free < 0) return kNoDonor;
  const int far = outer_electrons(outside), near = outer_electrons(element);
  if (outside != 0 && far == 0) return kUnproven;
  const bool loses = outside != 0 && (far > near || (far == near && outside < element));
  if (free == 0) return outside != 0 ? 0 : (in_ring ? 1 : kNoDonor);
  if (free == 1) {
    if (outside != 0) return loses ? 0 : 1;
    if (in_ring) return 1;
    return charge == 1 ? 0 : kNoDonor;
  }
  if (loses) --free;
  return free % 2 == 1 ? 1 : 2;
}

template <int W>
struct RingSystem {
  unsigned count;
  Bits<W> bonds[kMaxCandidateRings], atoms[kMaxCandidateRings];
  unsigned near[kMaxCandidateRings];  // rings that share one bond, as a mask
};

inline bool obeys_hueckel(int electrons) {
  return electrons == 2 || (electrons >= 6 && electrons % 4 == 2);
}

inline bool is_connected(const unsigned* near, unsigned set) {
  unsigned reached = set & (0u - set), before = 0;
  while (reached != before) {
    before = reached;
    for (unsigned rest = reached; rest != 0; rest &= rest - 1) reached |= near[__builtin_ctz(rest)] & set;
  }
  return reached == set;
}

// The outline of several rings if they are aromatic together, otherwise the empty set.
template <int W>
Bits<W> aromatic_outline(const RingSystem<W>& s, unsigned set, const Bits<W>& one, const Bits<W>& two) {
  Bits<W> seen = Bits<W>::none(), twice = seen, thrice = seen, bonds = seen, shared = seen;
  for (unsigned rest = set; rest != 0; rest &= rest - 1) {
    const unsigned i = static_cast<unsigned>(__builtin_ctz(rest));
    thrice |= twice & s.atoms[i];
    twice |= seen & s.atoms[i];
    seen |= s.atoms[i];
    shared |= bonds & s.bonds[i];
    bonds |= s.bonds[i];
  }
  const Bits<W> counted = seen & ~thrice;
  const bool aromatic = obeys_hueckel((counted & one).count() + 2 * (counted & two).count());
  return aromatic ? bonds & ~shared : Bits<W>::none();
}

// The aromatic bonds of one annelated system, given as a mask of rings.
template <int W>
Bits<W> aromatic_bonds(const RingSystem<W>& s, unsigned system, const Bits<W>& one, const Bits<W>& two) {
  Bits<W> all = Bits<W>::none(), aromatic = all;
  for (unsigned rest = system; rest != 0; rest &= rest - 1) {
    const unsigned i = static_cast<unsigned>(__builtin_ctz(rest));
    all |= s.bonds[i];
    if (obeys_hueckel((s.atoms[i] & one).count() + 2 * (s.atoms[i] & two).count())) aromatic |= s.bonds[i];
  }
  const int rings = __builtin_popcount(system);
  for (int size = 2; size <= rings && size <= kMaxRingsTogether && (all & ~aromatic).any(); ++size) {
    Bits<W> found = Bits<W>::none();
    for (unsigned set = system; set != 0; set = (set - 1) & system) {
      if (__builtin_popcount(set) == size && is_connected(s.near, set)) found |= aromatic_outline(s, set, one, two);
    }
    aromatic |= found;
  }
  return aromatic;
}

template <int W>
bool has_oxygen_or_sulphur(const Molecule& m, const Bits<W>& atoms) {
  bool has = false;
  for_each(atoms, [&](unsigned a) { has = has || m.atom[a].element == 8 || m.atom[a].element == 16; });
  return has;
}

template <int W>
Status perceive_aromaticity(Molecule& m, Rings<W>& rings, Kekule<W>& kekule) {
  Bits<W> one = Bits<W>::none(), two = one, candidates = one;
  bool proven = true;
  one = candidates = kekule.plain;
  for_each(rings.atoms & ~kekule.plain, [&](unsigned atom) {
    const int electrons = electrons_of(m, atom, [&](unsigned bond) { return rings.bonds.test(bond); });
    if (electrons == kUnproven) proven = false;
    if (electrons >= 0) candidates.set(atom);
    if (electrons == 1) one.set(atom);
    if (electrons == 2) two.set(atom);
  });
  if (!proven) return kAromatic;
  RingSystem<W> s;
  s.count = 0;
  const Status status = candidate_rings(m, candidates, rings, [&](const Bits<W>& bonds, const Bits<W>& atoms) {
    if (s.count == kMaxCandidateRings || bonds.count() > kMaxRingSize) return kRings;
    if (bonds.count() > kMaxMixedRing && has_oxygen_or_sulphur(m, atoms)) return kAromatic;
    unsigned near = 0;
    for (unsigned i = 0; i < s.count; ++i) {
      if ((s.bonds[i] & bonds).count() != 1) continue;
      near |= 1u << i;
      s.near[i] |= 1u << s.count;
    }
    s.near[s.count] = near;
    s.bonds[s.count] = bonds;
    s.atoms[s.count++] = atoms;
    return kNative;
  });
  if (status != kNative) return status;
  Bits<W> aromatic = Bits<W>::none();
  for (unsigned left = (1u << s.count) - 1; left != 0;) {
    unsigned system = left & (0u - left), before = 0;
    while (system != before) {
      before = system;
      for (unsigned rest = system; rest != 0; rest &= rest - 1) system |= s.near[__builtin_ctz(rest)];
    }
    left &= ~system;
    aromatic |= aromatic_bonds(s, system, one, two);
  }
  // Bonds that were written as aromatic and are not: their order must not depend on the Kekule form.
  bool fixed = true;
  for_each(kekule.bonds & ~aromatic, [&](unsigned bond) { fixed = fixed && is_fixed(m, kekule, bond); });
  if (!fixed) return kAromatic;
  for_each(aromatic, [&](unsigned bond) {
    if (m.order[bond] != kTriple) m.order[bond] = kAromaticOrder;  // a triple bond stays one (benzyne)
  });
  return kNative;
}

}  // namespace
}  // namespace catalase
