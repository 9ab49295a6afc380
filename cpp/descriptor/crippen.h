// Crippen's contributions to logP and molar refractivity (Wildman and Crippen, J. Chem. Inf. Comput. Sci. 39 (1999) 868),
// by patterns: an atom has the type of the first pattern that starts with it.
//
// Hydrogens are no atoms here. A hydrogen's pattern is that of the atom which it is bound to, and the hydrogens of an atom
// have one type. Only in water could the second atom of a pattern be another hydrogen; the caller says which patterns
// hold there.
#pragma once

#include "descriptor/descriptor.h"
#include "descriptor/stereo.h"
#include "descriptor/type_cache.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"
#include "substructure/match.h"

namespace catalase {
namespace {

constexpr std::uint16_t kNoType = 0xffff;

// RDKit stops after 1,000 matches of a pattern. An atom has at most so many matches of a pattern that starts with it.
inline int matches_of_one(unsigned atoms) {
  return atoms == 1 ? 1 : atoms == 2 ? 4 : atoms == 3 ? 12 : 24;
}

// False if the molecule is left to RDKit. type[a] is that of each atom, hydrogen[a] that of its hydrogens.
template <int W>
bool find_types(const Molecule& m, const Facts<W>& f, const DescriptorPatterns& p, Matcher<W>& matcher,
                std::uint16_t* type, std::uint16_t* hydrogen) {
  Bits<W> all = Bits<W>::none(), with_hydrogens = all, water = all;
  for (unsigned a = 0; a < m.atoms; ++a) {
    type[a] = hydrogen[a] = kNoType;
    all.set(a);
    if (m.atom[a].hydrogens > 0) with_hydrogens.set(a);
    if (m.atom[a].hydrogens > 1 && m.atom[a].element == 8) water.set(a);
  }
  const bool many = 24 * m.atoms > 1000;
  Bits<W> left = all, of_kind[kAtomKinds];
  u32 kinds = 0;  // of the atoms that are left
  for (Bits<W>& set : of_kind) set = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    const unsigned kind = kind_of(m.atom[a].element, f.aromatic.test(a));
    of_kind[kind].set(a);
    kinds |= 1u << kind;
  }
  for (std::uint32_t i = 0; i < p.types && kinds != 0; ++i) {
    const PatternRoot root = p.type[i];
    if ((root.kinds & kinds) == 0) continue;
    const Bits<W> asked = many && root.atoms > 1 ? all : left;
    Bits<W> found = matcher.first_atoms(root.pattern, asked);
    if (matcher.outcome() != Outcome::kDone) return false;
    if (many && found.count() * matches_of_one(root.atoms) > 1000) return false;
    found &= left;
    if (!found.any()) continue;
    for_each(found, [&](unsigned a) { type[a] = static_cast<std::uint16_t>(i); });
    left &= ~found;
    for (u32 asked_kinds = root.kinds & kinds; asked_kinds != 0; asked_kinds &= asked_kinds - 1) {
      const auto kind = static_cast<unsigned>(__builtin_ctz(asked_kinds));
      if (!(of_kind[kind] & left).any()) kinds &= ~(1u << kind);
    }
  }
  left = with_hydrogens;
  for (std::uint32_t k = 0; k < p.hydrogen_types && left.any(); ++k) {
    const HydrogenPattern& h = p.hydrogen[k];
    Bits<W> found = left;
    if (!h.any) {
      found = matcher.first_atoms(h.neighbour.pattern, left);
      if (matcher.outcome() != Outcome::kDone) return false;
      if (h.water) found |= water & left;
    }
    for_each(found, [&](unsigned a) { hydrogen[a] = static_cast<std::uint16_t>(h.type); });
    left &= ~found;
  }
  return true;
}

// Up to so many atoms, no pattern has more than 1,000 matches.
constexpr unsigned kMaxCachedAtoms = 1000 / 24;

// The keys of the atoms' surroundings: the neighbours, and those of an only neighbour. False with hydrogens that are atoms, which others count among their hydrogens.
template <int W>
bool hash_surroundings(const Molecule& m, const Facts<W>& f, const Bits<W>& ring_bonds, u64* key) {
  u64 own[256], near[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    if (atom.element == 1) return false;
    own[a] = mix(1 + (u64{atom.element} | u64{static_cast<u8>(atom.charge)} << 8 | u64{atom.degree} << 16 |
                      u64{atom.hydrogens} << 24 | u64{f.aromatic.test(a)} << 32));
  }
  for (unsigned a = 0; a < m.atoms; ++a) {
    u64 sum = 0;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const unsigned bond = m.bond[a][i];
      sum += mix(own[m.neighbour[a][i]] + 0x9e3779b97f4a7c15u * (m.order[bond] + 8u * ring_bonds.test(bond)));
    }
    near[a] = mix(own[a] + 0x632be59bd9b4e019u * sum);
  }
  for (unsigned a = 0; a < m.atoms; ++a) {
    key[a] = m.atom[a].degree == 1 ? mix(near[a] + 0xa0761d6478bd642fu * near[m.neighbour[a][0]]) : near[a];
  }
  return true;
}

// The types of all atoms, or false if those of some are not known.
inline bool recall_types(unsigned atoms, const u64* cache, const u64* key, std::uint16_t* type,
                         std::uint16_t* hydrogen) {
  for (unsigned a = 0; a < atoms; ++a) {
    const u64 entry = __atomic_load_n(cache + key[a] % kTypeEntries, __ATOMIC_RELAXED);
    if (((entry ^ key[a]) / kTypeEntries) != 0 || entry % kTypeEntries == 0) return false;
    type[a] = static_cast<std::uint16_t>((entry & 255) - 1);  // kNoType is kept as 0
    hydrogen[a] = static_cast<std::uint16_t>((entry >> 8 & 255) - 1);
  }
  return true;
}

// But for those that a pattern of two bonds' depth could concern which see more than the key has.
template <int W>
void remember_types(const Molecule& m, const DescriptorPatterns& p, Matcher<W>& matcher, const u64* key,
                    const std::uint16_t* type, const std::uint16_t* hydrogen) {
  Bits<W> deep = Bits<W>::none(), deep_hydrogen = deep;
  for (std::uint32_t i = 0; i < p.deep_patterns; ++i) {
    (i < p.deep_types ? deep : deep_hydrogen) |= matcher.first_candidates(p.deep[i]);
  }
  for (unsigned a = 0; a < m.atoms; ++a) {
    const bool concerned = deep.test(a) || (m.atom[a].hydrogens != 0 && deep_hydrogen.test(a));
    if (concerned && m.atom[a].degree > 1) continue;
    const u64 types = ((type[a] + 1u) & 255) | ((hydrogen[a] + 1u) & 255) << 8;
    __atomic_store_n(p.type_cache + key[a] % kTypeEntries, key[a] / kTypeEntries * kTypeEntries | types,
                     __ATOMIC_RELAXED);
  }
}

// The sum over atoms, and then over hydrogens.
inline double sum_of_types(const Molecule& m, const double* value, const std::uint16_t* type,
                           const std::uint16_t* hydrogen) {
  double sum = 0;
  for (unsigned a = 0; a < m.atoms; ++a) sum += type[a] == kNoType ? 0.0 : value[type[a]];
  for (unsigned a = 0; a < m.atoms; ++a) {
    const double part = hydrogen[a] == kNoType ? 0.0 : value[hydrogen[a]];
    for (unsigned i = 0; i < m.atom[a].hydrogens; ++i) sum += part;
  }
  return sum;
}

}  // namespace
}  // namespace catalase
