// Implicit hydrogens and valences, by RDKit's rules as observed, and the two rewritings of neutral five-valent nitrogen
// (nitro and N-oxide, diazo and azide) that RDKit does before it checks valences.
//
// An atom outside brackets gets its hydrogens from one table look-up: symbol by twice the sum of its bond orders (an
// aromatic bond is one and a half). Atoms in brackets have the written hydrogens, and must not exceed a proven valence.
#pragma once

#include "molecule/elements.h"
#include "molecule/molecule.h"
#include "molecule/periodic.h"

namespace catalase {
namespace {

constexpr u8 kBad = 255;   // refused, or not proven
constexpr u8 kFive = 254;  // nitrogen of valence five: to be rewritten

// Hydrogens to add, by twice the written valence. Aromatic atoms: 6 is two aromatic bonds, 8 one more substituent, 9
// three aromatic bonds, 10 a double bond outside, 14 two of them (sulphone).
constexpr u8 X = kBad;
constexpr u8 kHydrogens[16][16] = {
    // 0  1  2  3  4  5  6  7  8  9  10     11 12 13 14 15
    {3, X, 2, X, 1, X, 0, X, X, X, X, X, X, X, X, X},      // B
    {4, X, 3, X, 2, X, 1, X, 0, X, X, X, X, X, X, X},      // C
    {3, X, 2, X, 1, X, 0, X, X, X, kFive, X, X, X, X, X},  // N
    {2, X, 1, X, 0, X, X, X, X, X, X, X, X, X, X, X},      // O
    {1, X, 0, X, X, X, X, X, X, X, X, X, X, X, X, X},      // F
    {3, X, 2, X, 1, X, 0, X, 1, X, 0, X, X, X, X, X},      // P
    {2, X, 1, X, 0, X, 1, X, 0, X, 1, X, 0, X, X, X},      // S
    {1, X, 0, X, X, X, X, X, X, X, X, X, X, X, X, X},      // Cl
    {1, X, 0, X, X, X, X, X, X, X, X, X, X, X, X, X},      // Br
    {1, X, 0, X, X, X, X, X, X, X, X, X, X, X, X, X},      // I
    {X, X, X, X, X, X, 0, X, 0, X, X, X, X, X, X, X},      // b
    {X, X, X, X, X, X, 1, X, 0, 0, 0, X, X, X, X, X},      // c
    {X, X, X, X, X, X, 0, X, 0, 0, kFive, X, X, X, X, X},  // n
    {X, X, X, X, X, X, 0, X, X, X, X, X, X, X, X, X},      // o
    {X, X, X, X, X, X, 0, X, 0, 0, X, X, X, X, X, X},      // p
    {X, X, X, X, X, X, 0, X, X, X, 0, X, X, X, 0, X},      // s
};

inline bool is_plain_end(const Atom& atom, unsigned element) {
  return atom.element == element && atom.degree == 1 && atom.charge == 0 && atom.hydrogens == 0 &&
         atom.mass_shift == 0 && (atom.flags & kBracket) == 0;
}

// Lowers the order of a bond between two neutral atoms by one, and gives them charges.
template <class M>
inline void split_charges(M& m, unsigned positive, unsigned negative, unsigned bond) {
  --m.order[bond];
  m.atom[positive].charge = 1;
  m.atom[negative].charge = -1;
  m.atom[positive].twice_valence = static_cast<u8>(m.atom[positive].twice_valence - 2);
  m.atom[negative].twice_valence = static_cast<u8>(m.atom[negative].twice_valence - 2);
}

// N(=O)=O, n=O, N=O of valence five -> [N+][O-];  =N#N -> =[N+]=[N-]. False for anything else of valence five.
template <class M>
inline bool rewrite_nitrogen(M& m, unsigned atom) {
  const unsigned degree = m.atom[atom].degree;
  if (m.atom[atom].hydrogens != 0) return false;
  unsigned slot = degree, oxygens = 0, nitrogens = 0;
  for (unsigned i = 0; i < degree; ++i) {
    const Atom& other = m.atom[m.neighbour[atom][i]];
    const u8 order = m.order[m.bond[atom][i]];
    if (order == kDouble && other.element == 8) {
      if (!is_plain_end(other, 8)) return false;
      if (oxygens++ == 0) slot = i;  // RDKit takes the first
    }
    if (order == kTriple && other.element == 7) {
      if (!is_plain_end(other, 7)) return false;
      slot = i;
      ++nitrogens;
    }
  }
  if ((oxygens == 0) == (nitrogens == 0)) return false;  // neither, or both as in O=N#N, which RDKit rewrites twice
  split_charges(m, atom, m.neighbour[atom][slot], m.bond[atom][slot]);
  return true;
}

// False for phosphorus with two double bonds, which RDKit rewrites in some cases.
template <class M>
inline bool is_plain_phosphorus(const M& m, unsigned atom) {
  if (m.atom[atom].twice_valence <= 8) return true;
  unsigned doubles = 0;
  for (unsigned i = 0; i < m.atom[atom].degree; ++i) doubles += m.order[m.bond[atom][i]] == kDouble;
  return doubles <= 1;
}

// Checks atoms in brackets that the short list of elements.h does not know. For some of them RDKit removes an '@'
// together with a single hydrogen ([Na@H]C).
__attribute__((noinline, cold)) inline Status check_rare(const Atom& atom, bool stereo_marks) {
  if (atom.element == 1 || (atom.flags & kWrittenAromatic) != 0) return kElement;
  if (stereo_marks && atom.hydrogens == 1) return kElement;
  if (atom.twice_valence <= 2 * permitted_valence(atom.element, atom.charge)) return kNative;
  return is_metal(atom.element) ? kRefused : kValence;
}

inline Status check_bracket(const Atom& atom, bool stereo_marks) {
  if (atom.degree == 0 && atom.hydrogens == 0) return kNative;
  const int highest = highest_valence(atom.element, atom.charge);
  if (highest < 0) return check_rare(atom, stereo_marks);
  if ((atom.flags & kWrittenAromatic) != 0) return kNative;  // kekulize.h checks further
  return atom.twice_valence <= 2 * highest ? kNative : kValence;
}

// kRefused if everything is right except a metal with more bonds than RDKit permits: the molecule is that of a partial
// sanitization.
template <class M>
inline Status add_hydrogens(M& m) {
  bool rewrite = false;
  Status result = kNative;
  for (unsigned i = 0; i < m.atoms; ++i) {
    Atom& atom = m.atom[i];
    if (atom.kind == kKindBracket) {
      const Status status = check_bracket(atom, m.stereo_marks);
      if (status != kNative) {
        if (status != kRefused) return status;
        result = kRefused;
      }
    } else {
      const u8 add = kHydrogens[atom.kind][atom.twice_valence & 15];
      if (atom.twice_valence > 15 || add == kBad) return kValence;
      if (add == kFive) {
        rewrite = true;
      } else {
        atom.hydrogens = static_cast<u8>(atom.hydrogens + add);
        atom.twice_valence = static_cast<u8>(atom.twice_valence + 2 * add);
      }
    }
    if (atom.element == 15 && !is_plain_phosphorus(m, i)) return kValence;
  }
  if (rewrite) {
    for (unsigned i = 0; i < m.atoms; ++i) {
      const bool nitrogen = m.atom[i].kind == kKindN || m.atom[i].kind == kKindAromaticN;
      const bool five = m.atom[i].twice_valence == 10 && m.atom[i].charge == 0;
      if (nitrogen && five && !rewrite_nitrogen(m, i)) return kValence;
    }
  }
  return result;
}

}  // namespace
}  // namespace catalase
