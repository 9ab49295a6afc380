// Atom pairs (Carhart, Smith and Venkataraghavan, J. Chem. Inf. Comput. Sci. 25 (1985) 64) and topological torsions
// (Nilakantan et al., J. Chem. Inf. Comput. Sci. 27 (1987) 82), with RDKit's codes:
//
//   code(a)        = neighbours, up to 7 | pi electrons modulo 3 << 3 | kind of element << 5
//   pair (a, b)    = hash(smaller code, bonds between, larger code), up to 30 bonds
//   torsion (abcd) = hash(code(a) - 1, code(b) - 2, code(c) - 2, code(d) - 1), in the direction that is smaller
//
// A ring of three is a torsion too, from its first atom around to it; hydrogens are in no torsion. The pi electrons of an atom are 1 if it is aromatic,
// or else what its bonds count beyond one each, unless the atom is sp3. They are proven for carbon, nitrogen, oxygen,
// sulphur and phosphorus with full shells; other atoms with multiple bonds are left to RDKit.
#pragma once

#include "fingerprint/hash.h"
#include "molecule/perceive.h"

namespace catalase {
namespace {

constexpr unsigned kMaxPairDistance = 30;

template <int W>
struct AtomCodes {
  u32 code[256];
  Bits<W> near[256];
};

inline u32 kind_of_element(unsigned element) {
  constexpr u8 elements[] = {5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 51, 52, 53};
  for (u32 i = 0; i < sizeof(elements); ++i) {
    if (elements[i] == element) return i;
  }
  return sizeof(elements);
}

// The pi electrons of an atom that is not aromatic, or -1 if they are not proven.
inline int pi_electrons(const Molecule& m, unsigned a) {
  const Atom& atom = m.atom[a];
  int extra = 0;
  for (unsigned i = 0; i < atom.degree; ++i) extra += m.order[m.bond[a][i]] - 1;
  if (extra == 0) return 0;
  const int connections = atom.degree + atom.hydrogens, valence = connections + extra;
  switch (atom.charge == 0 ? atom.element : atom.element == 7 && atom.charge == 1 ? 6 : 0) {
    case 6:  // [N+] too
      return valence == 4 ? extra : -1;
    case 7:
      return valence == 3 ? extra : -1;
    case 8:
      return valence == 2 ? extra : -1;
    case 16:
      if (valence == 2) return extra;
      return (valence == 4 && connections == 3) || (valence == 6 && connections == 4) ? 0 : -1;
    case 15:
      return valence == 5 && connections == 4 ? 0 : -1;
    default:
      return -1;
  }
}

template <int W>
Status find_atom_codes(const Molecule& m, AtomCodes<W>& c) {
  const Bits<W> aromatic = aromatic_atoms<W>(m);
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    const int pi = aromatic.test(a) ? 1 : pi_electrons(m, a);
    if (pi < 0) return kValence;
    if (atom.degree > 7) return kSize;
    c.code[a] = atom.degree | static_cast<u32>(pi % 3) << 3 | kind_of_element(atom.element) << 5;
    c.near[a] = Bits<W>::none();
    for (unsigned i = 0; i < atom.degree; ++i) c.near[a].set(m.neighbour[a][i]);
  }
  return kNative;
}

template <int W, class Emit>
void atom_pairs(const Molecule& m, const AtomCodes<W>& c, Emit&& emit) {
  for (unsigned a = 0; a < m.atoms; ++a) {
    Bits<W> seen = Bits<W>::one(a), border = c.near[a];
    for (unsigned distance = 1; distance <= kMaxPairDistance && border.any(); ++distance) {
      seen |= border;
      Bits<W> next = Bits<W>::none();
      for_each(border, [&](unsigned b) {
        next |= c.near[b];
        if (b < a) return;
        const u32 x = c.code[a], y = c.code[b];
        emit(mix(mix(mix(0, x < y ? x : y), distance), x < y ? y : x));
      });
      border = next & ~seen;
    }
  }
}

inline u32 torsion(u32 a, u32 b, u32 c, u32 d) {
  const bool turned = a != d ? a > d : b > c;
  const u32 codes[4] = {(turned ? d : a) - 1, (turned ? c : b) - 2, (turned ? b : c) - 2, (turned ? a : d) - 1};
  u32 hash = 0;
  for (const u32 code : codes) hash = mix(hash, code);
  return hash;
}

template <int W, class Emit>
void torsions(const Molecule& m, AtomCodes<W>& c, Emit&& emit) {
  for (unsigned a = 0; a < m.atoms && m.hydrogen_atoms; ++a) {
    if (m.atom[a].element != 1) continue;
    for (unsigned b = 0; b < m.atoms; ++b) c.near[b].clear(a);
    c.near[a] = Bits<W>::none();
  }
  for (unsigned y = 0; y < m.atoms; ++y) {
    for_each(c.near[y], [&](unsigned x) {
      if (x > y) return;
      for_each(c.near[x], [&](unsigned a) {
        if (a == y) return;
        for_each(c.near[y], [&](unsigned b) {
          if (b == x) return;
          if (a != b) {
            emit(torsion(c.code[a], c.code[x], c.code[y], c.code[b]));
          } else if (a < x) {
            emit(torsion(c.code[a], c.code[x], c.code[y], c.code[a]));
          }
        });
      });
    });
  }
}

}  // namespace
}  // namespace catalase
