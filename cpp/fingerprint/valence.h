// Implicit hydrogens and valences, by RDKit's rules as observed, and the two rewritings of neutral five-valent nitrogen
// (nitro and N-oxide, diazo and azide) that RDKit does before it looks at valences.
//
// An atom outside brackets gets its hydrogens from one table look-up: symbol by twice the sum of its bond orders (an
// aromatic bond is one and a half). Atoms in brackets have what is written, and must not exceed a proven valence.
#pragma once

#include "fingerprint/elements.h"
#include "fingerprint/molecule.h"

namespace catalase {
namespace {

constexpr u8 kBad = 255;    // refused, or not proven
constexpr u8 kFive = 254;   // nitrogen of valence five: to be rewritten

// Hydrogens to add, by twice the valence that is written. Aromatic atoms: 6 is two aromatic bonds, 8 one substituent
// more, 9 three aromatic bonds, 10 a double bond outside, 14 two of them (sulphone).
constexpr u8 X = kBad;
constexpr u8 kHydrogens[16][16] = {
    //0  1  2  3  4  5  6  7  8  9  10     11 12 13 14 15
    {3, X, 2, X, 1, X, 0, X, X, X, X,     X, X, X, X, X},  // B
    {4, X, 3, X, 2, X, 1, X, 0, X, X,     X, X, X, X, X},  // C
    {3, X, 2, X, 1, X, 0, X, X, X, kFive, X, X, X, X, X},  // N
    {2, X, 1, X, 0, X, X, X, X, X, X,     X, X, X, X, X},  // O
    {1, X, 0, X, X, X, X, X, X, X, X,     X, X, X, X, X},  // F
    {3, X, 2, X, 1, X, 0, X, 1, X, 0,     X, X, X, X, X},  // P
    {2, X, 1, X, 0, X, 1, X, 0, X, 1,     X, 0, X, X, X},  // S
    {1, X, 0, X, X, X, X, X, X, X, X,     X, X, X, X, X},  // Cl
    {1, X, 0, X, X, X, X, X, X, X, X,     X, X, X, X, X},  // Br
    {1, X, 0, X, X, X, X, X, X, X, X,     X, X, X, X, X},  // I
    {X, X, X, X, X, X, 0, X, 0, X, X,     X, X, X, X, X},  // b
    {X, X, X, X, X, X, 1, X, 0, 0, 0,     X, X, X, X, X},  // c
    {X, X, X, X, X, X, 0, X, 0, 0, kFive, X, X, X, X, X},  // n
    {X, X, X, X, X, X, 0, X, X, X, X,     X, X, X, X, X},  // o
    {X, X, X, X, X, X, 0, X, 0, 0, X,     X, X, X, X, X},  // p
    {X, X, X, X, X, X, 0, X, X, X, 0,     X, X, X, 0, X},  // s
};

inline bool is_plain_end(const Molecule& m, unsigned atom, unsigned element) {
  return m.element[atom] == element && m.degree[atom] == 1 && m.charge[atom] == 0 && m.hydrogens[atom] == 0 &&
         m.mass_shift[atom] == 0 && (m.flags[atom] & kBracket) == 0;
}

// N(=O)=O, n=O, N=O of valence five -> [N+][O-];  =N#N -> =[N+]=[N-].
inline bool rewrite_nitrogen(Molecule& m, unsigned atom) {
  if (m.hydrogens[atom] != 0) return false;
  for (unsigned i = 0; i < m.degree[atom]; ++i) {  // two oxygens must be alike: which one RDKit takes is its own affair
    const unsigned other = m.neighbour[atom][i];
    if (m.order[m.bond[atom][i]] == kDouble && m.element[other] == 8 && !is_plain_end(m, other, 8)) return false;
  }
  for (unsigned i = 0; i < m.degree[atom]; ++i) {
    const unsigned other = m.neighbour[atom][i], bond = m.bond[atom][i];
    if (m.order[bond] == kDouble && is_plain_end(m, other, 8)) {
      m.order[bond] = kSingle;
      m.charge[atom] = 1;
      m.charge[other] = -1;
      m.twice_valence[atom] = static_cast<u8>(m.twice_valence[atom] - 2);
      m.twice_valence[other] = static_cast<u8>(m.twice_valence[other] - 2);
      return true;
    }
  }
  if (m.degree[atom] != 2) return false;
  for (unsigned i = 0; i < 2; ++i) {
    const unsigned other = m.neighbour[atom][i], bond = m.bond[atom][i];
    if (m.order[bond] == kTriple && is_plain_end(m, other, 7)) {
      m.order[bond] = kDouble;
      m.charge[atom] = 1;
      m.charge[other] = -1;
      m.twice_valence[atom] = static_cast<u8>(m.twice_valence[atom] - 2);
      m.twice_valence[other] = static_cast<u8>(m.twice_valence[other] - 2);
      return true;
    }
  }
  return false;
}

inline bool bracket_is_proven(const Molecule& m, unsigned atom) {
  const unsigned element = m.element[atom];
  if (m.degree[atom] == 0 && m.hydrogens[atom] == 0) return true;
  const int highest = highest_valence(element, m.charge[atom]);
  if ((m.flags[atom] & kWrittenAromatic) != 0) return highest >= 0;  // kekulize.h looks closer
  if (m.twice_valence[atom] > 2 * highest) return false;
  return true;
}

inline bool has_one_double_bond_at_most(const Molecule& m, unsigned atom) {
  unsigned doubles = 0;
  for (unsigned i = 0; i < m.degree[atom]; ++i) doubles += m.order[m.bond[atom][i]] == kDouble;
  return doubles <= 1;
}

inline Status add_hydrogens(Molecule& m) {
  bool rewrite = false;
  for (unsigned i = 0; i < m.atoms; ++i) {
    if (m.kind[i] == kKindBracket) {
      if (!bracket_is_proven(m, i)) return m.degree[i] == 0 || highest_valence(m.element[i], m.charge[i]) < 0 ? kElement : kValence;
    } else {
      const u8 add = kHydrogens[m.kind[i]][m.twice_valence[i] & 15];
      if (m.twice_valence[i] > 15 || add == kBad) return kValence;
      if (add == kFive) {
        rewrite = true;
      } else {
        m.hydrogens[i] = static_cast<u8>(m.hydrogens[i] + add);
        m.twice_valence[i] = static_cast<u8>(m.twice_valence[i] + 2 * add);
      }
    }
    // RDKit rewrites some phosphorus with two double bonds.
    if (m.element[i] == 15 && m.twice_valence[i] > 8 && !has_one_double_bond_at_most(m, i)) return kValence;
  }
  if (rewrite) {
    for (unsigned i = 0; i < m.atoms; ++i) {
      const bool nitrogen = m.kind[i] == kKindN || m.kind[i] == kKindAromaticN;
      if (nitrogen && m.twice_valence[i] == 10 && m.charge[i] == 0 && !rewrite_nitrogen(m, i)) return kValence;
    }
  }
  return kNative;
}

}  // namespace
}  // namespace catalase
