// The pharmacophoric classes of RDKit's feature invariants (FCFP), after the SMARTS of "Feature Definitions Used in the
// Morgan Fingerprints" in RDKit's documentation. Computed once rings and aromaticity are known.
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

// RDKit stops after 1,000 matches of a pattern, or of a part of one, and no part has three matches an atom. Larger
// molecules are left to RDKit.
constexpr unsigned kMaxPharmacophoreAtoms = 333;

constexpr u32 kDonor = 1, kAcceptor = 2, kAromaticAtom = 4, kHalogen = 8, kBasic = 16, kAcidic = 32;

// Whether f(neighbour, order of the bond) holds for some neighbour.
template <class M, class F>
bool any_neighbour(const M& m, unsigned atom, F&& f) {
  for (unsigned i = 0; i < m.atom[atom].degree; ++i) {
    if (f(static_cast<unsigned>(m.neighbour[atom][i]), m.order[m.bond[atom][i]])) return true;
  }
  return false;
}

template <class M>
bool is_aromatic(const M& m, unsigned atom) {
  return (m.atom[atom].flags & kPerceivedAromatic) != 0;
}

template <class M>
bool is_aliphatic(const M& m, unsigned atom, unsigned element) {
  return m.atom[atom].element == element && !is_aromatic(m, atom);
}

// Whether the atom has a double bond to O, N, P or S outside aromatic rings.
template <class M>
bool has_double_bond(const M& m, unsigned atom) {
  return any_neighbour(m, atom, [&](unsigned b, u8 order) {
    const unsigned element = m.atom[b].element;
    return order == kDouble && (element == 7 || element == 8 || element == 15 || element == 16) && !is_aromatic(m, b);
  });
}

template <class M>
bool is_conjugated(const M& m, unsigned atom) {
  return any_neighbour(m, atom, [&](unsigned b, u8 order) { return order == kSingle && has_double_bond(m, b); });
}

template <class M>
bool is_carbonyl(const M& m, unsigned atom) {
  return any_neighbour(m, atom, [&](unsigned b, u8 order) { return order == kDouble && is_aliphatic(m, b, 8); });
}

struct Environment {
  unsigned hydrogens, valence;  // isotopes of hydrogen included
};

template <class M>
Environment environment_of(const M& m, unsigned atom) {
  Environment e{m.atom[atom].hydrogens, m.atom[atom].hydrogens};
  for (unsigned i = 0; i < m.atom[atom].degree; ++i) {
    e.hydrogens += m.atom[m.neighbour[atom][i]].element == 1;
    e.valence += m.order[m.bond[atom][i]];
  }
  return e;
}

template <class M>
u32 nitrogen_classes(const M& m, unsigned atom) {
  const Environment e = environment_of(m, atom);
  const int charge = m.atom[atom].charge;
  u32 classes = charge == 1 ? kBasic : 0;
  if (is_aromatic(m, atom)) {
    if (charge == 0 && e.hydrogens <= 1) classes |= e.hydrogens == 1 ? kDonor : kAcceptor;
    return classes;
  }
  if (e.hydrogens > 0 && (e.valence == 3 || (e.valence == 4 && charge == 1))) classes |= kDonor;
  if (e.valence == 3 && !is_conjugated(m, atom)) classes |= kAcceptor;
  if (charge != 0 || e.hydrogens > 2) return classes;
  unsigned amine = 0;  // neighbours by single bonds that do not take the lone pair
  any_neighbour(m, atom, [&](unsigned b, u8 order) {
    const bool carbon = is_aliphatic(m, b, 6) || (e.hydrogens > 0 && is_aromatic(m, b));
    amine += order == kSingle && carbon && !is_carbonyl(m, b);
    return false;
  });
  return amine + e.hydrogens >= 3 ? classes | kBasic : classes;
}

template <class M>
u32 chalcogen_classes(const M& m, unsigned atom) {
  const int charge = m.atom[atom].charge;
  if (is_aromatic(m, atom)) {
    const bool near_nitrogen = any_neighbour(m, atom, [&](unsigned b, u8 order) {
      if (order != kAromaticOrder) return false;
      if (m.atom[b].element == 7) return true;
      return m.atom[b].element == 6 &&
             any_neighbour(m, b, [&](unsigned c, u8 next) { return next == kAromaticOrder && m.atom[c].element == 7; });
    });
    return charge == 0 && !near_nitrogen ? kAcceptor : 0;
  }
  const Environment e = environment_of(m, atom);
  u32 classes = e.hydrogens == 1 && charge == 0 ? kDonor : 0;
  const bool two = e.valence == 2 && (e.hydrogens == 0 || (e.hydrogens == 1 && !is_conjugated(m, atom)));
  return two || charge == -1 ? classes | kAcceptor : classes;
}

// Whether the atom is C or S with =O, =S or =P and a single bond to OH or O-.
template <class M>
bool is_acid(const M& m, unsigned atom) {
  const bool acceptor = any_neighbour(m, atom, [&](unsigned b, u8 order) {
    const unsigned element = m.atom[b].element;
    return order == kDouble && (element == 8 || element == 16 || element == 15) && !is_aromatic(m, b);
  });
  return acceptor && any_neighbour(m, atom, [&](unsigned b, u8 order) {
           return order == kSingle && is_aliphatic(m, b, 8) &&
                  (m.atom[b].charge == -1 || environment_of(m, b).hydrogens == 1);
         });
}

template <class M>
u32 pharmacophore_of(const M& m, unsigned atom) {
  u32 classes = is_aromatic(m, atom) ? kAromaticAtom : 0;
  switch (m.atom[atom].element) {
    case 6:
      return is_aromatic(m, atom) || !is_acid(m, atom) ? classes : classes | kAcidic;
    case 7:
      return classes | nitrogen_classes(m, atom);
    case 16:
      if (!is_aromatic(m, atom) && is_acid(m, atom)) classes |= kAcidic;
      [[fallthrough]];
    case 8:
      return classes | chalcogen_classes(m, atom);
    case 9:
    case 17:
    case 35:
    case 53:
      return is_aromatic(m, atom) ? classes : classes | kHalogen;  // only an edited Mol has an aromatic halogen
    default:
      return classes;
  }
}

// Round 0 of FCFP.
template <class M>
__attribute__((noinline, cold)) void pharmacophores(M& m, u64* value) {
  for (unsigned a = 0; a < m.atoms; ++a) {
    const bool aromatic = any_neighbour(m, a, [](unsigned, u8 order) { return order == kAromaticOrder; });
    if (aromatic) m.atom[a].flags |= kPerceivedAromatic;
  }
  for (unsigned a = 0; a < m.atoms; ++a) value[a] = pharmacophore_of(m, a);
}

}  // namespace
}  // namespace catalase
