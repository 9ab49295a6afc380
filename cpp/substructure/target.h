// A molecule as patterns see it: the numbers of query.h for each atom, the state of each bond.
//
// Everything but the numbers of smallest rings follows from what molecule/ perceives. RDKit counts the rings of a
// symmetrized set of smallest rings; where these are not unique (cages), patterns that count rings are left to RDKit. The
// smallest ring of an atom is the same in every such set.
#pragma once

#include "molecule/facts.h"
#include "molecule/molecule.h"
#include "molecule/perceive.h"
#include "molecule/rdkit_binary.h"
#include "molecule/smiles.h"
#include "molecule/valence.h"
#include "substructure/query.h"

namespace catalase {
namespace {

template <int W>
struct TargetPerception {
  Perception<W> rings;
  Facts<W> facts;
};

struct Target {
  Molecule molecule;
  std::int16_t feature[kFeatures][256];
  u32 ring_sizes[256];          // bit n: in a smallest ring of n atoms
  u8 bond_state[256];           // order - 1, plus 4 in a ring; 255 at a root
  std::int32_t aromatic_rings;  // of RDKit's binary form, or -1 if it is not known
  bool rings_counted;
};

inline bool uses(const QueryTables& q, Feature feature) {
  return (q.features >> static_cast<unsigned>(feature) & 1) != 0;
}
inline std::int16_t* values(Target& t, Feature feature) {
  return t.feature[static_cast<unsigned>(feature)];
}

// Whether an isotope is written. The reader keeps its mass only.
inline bool has_isotopes(const char* text, const char* end) {
  for (; text + 1 < end; ++text) {
    if (text[0] == '[' && is_digit(text[1])) return true;
  }
  return false;
}

// Bond orders and hydrogens, of a Kekule form.
inline void count_valences(Target& t) {
  std::int16_t* valence = values(t, Feature::kValence);
  const Molecule& m = t.molecule;
  for (unsigned a = 0; a < m.atoms; ++a) {
    int sum = m.atom[a].hydrogens;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) sum += m.order[m.bond[a][i]];
    valence[a] = static_cast<std::int16_t>(sum);
  }
}

// The length of the shortest cycle over each atom.
template <int W>
void find_smallest_rings(Target& t, const Rings<W>& rings) {
  const Molecule& m = t.molecule;
  std::int16_t* smallest = values(t, Feature::kSmallestRing);
  Bits<W> near[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    smallest[a] = 0;
    near[a] = Bits<W>::none();
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (rings.bonds.test(m.bond[a][i])) near[a].set(m.neighbour[a][i]);
    }
  }
  for_each(rings.bonds, [&](unsigned bond) {
    const unsigned a = m.begin[bond], b = m.end[bond];
    Bits<W> seen = Bits<W>::one(a), border = near[a];
    border.clear(b);
    int size = 2;
    while (!border.test(b)) {
      seen |= border;
      Bits<W> next = Bits<W>::none();
      for_each(border, [&](unsigned c) { next |= near[c]; });
      border = next & ~seen;
      ++size;
    }
    const unsigned ends[2] = {a, b};
    for (const unsigned end : ends) {
      if (smallest[end] == 0 || size < smallest[end]) smallest[end] = static_cast<std::int16_t>(size);
    }
  });
}

template <int W>
void count_rings(Target& t, Rings<W>& rings) {
  const Molecule& m = t.molecule;
  std::int16_t* count = values(t, Feature::kRings);
  for (unsigned a = 0; a < m.atoms; ++a) count[a] = 0, t.ring_sizes[a] = 0;
  t.rings_counted = candidate_rings(m, rings.atoms, rings, [&](const Bits<W>& bonds, const Bits<W>& atoms) {
                      const int size = bonds.count();
                      if (size > static_cast<int>(kMaxRingSizeBit)) return kRings;
                      for_each(atoms, [&](unsigned a) {
                        ++count[a];
                        t.ring_sizes[a] |= 1u << size;
                      });
                      return kNative;
                    }) == kNative;
}

template <int W>
void find_ring_systems(Target& t, const Bits<W>& ring_bonds) {
  const Molecule& m = t.molecule;
  Bits<W> near[256], left = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    near[a] = Bits<W>::none();
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (ring_bonds.test(m.bond[a][i])) near[a].set(m.neighbour[a][i]);
    }
    if (near[a].any()) left.set(a);
    values(t, Feature::kRingSystem)[a] = 0;
  }
  while (left.any()) {
    Bits<W> system = Bits<W>::one(left.first()), border = system;
    while (border.any()) {
      Bits<W> next = Bits<W>::none();
      for_each(border, [&](unsigned a) { next |= near[a]; });
      border = next & ~system;
      system |= border;
    }
    left &= ~system;
    const auto count = static_cast<std::int16_t>(system.count());
    for_each(system, [&](unsigned a) { values(t, Feature::kRingSystem)[a] = count; });
  }
}

// By RDKit's numbers of hybridization, which Hybrid has; 6 where SMARTS has no number for it.
constexpr std::int16_t kSmartsHybridization[] = {6, 0, 1, 2, 3, 6, 4, 5};

// From facts that are known.
template <int W>
void note_hybrids(Target& t, const Facts<W>& f) {
  for (unsigned a = 0; a < t.molecule.atoms; ++a) {
    values(t, Feature::kHybridization)[a] = kSmartsHybridization[f.hybrid[a]];
  }
}

// Everything else that is asked for; kAromatic is known, and kIsotope, kValence, kHybridization and the numbers of rings.
template <int W>
void describe_atoms(Target& t, const QueryTables& q, const Bits<W>& ring_bonds_of_all) {
  const Molecule& m = t.molecule;
  for (unsigned b = 0; b < m.bonds(); ++b) {
    t.bond_state[b] = m.order[b] == 0 ? u8{255} : static_cast<u8>(m.order[b] - 1 + (ring_bonds_of_all.test(b) ? 4 : 0));
  }
  const std::int16_t* aromatic = values(t, Feature::kAromatic);
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    int hydrogen = 0, light = 0, hetero = 0, aliphatic = 0, ring_bonds = 0;
    for (unsigned i = 0; i < atom.degree; ++i) {
      const unsigned other = m.neighbour[a][i];
      const unsigned element = m.atom[other].element;
      hydrogen += element == 1;
      light += element == 1 && m.atom[other].mass_shift == 0;  // RDKit counts deuterium as heavy
      hetero += element != 1 && element != 6;
      aliphatic += element != 1 && element != 6 && aromatic[other] == 0;
      ring_bonds += ring_bonds_of_all.test(m.bond[a][i]);
    }
    const auto put = [&](Feature feature, int value) { values(t, feature)[a] = static_cast<std::int16_t>(value); };
    put(Feature::kElement, atom.element);
    put(Feature::kType, atom.element + 256 * aromatic[a]);
    put(Feature::kCharge, atom.charge);
    put(Feature::kDegree, atom.degree);
    put(Feature::kHeavyDegree, atom.degree - light);
    put(Feature::kConnections, atom.degree + atom.hydrogens);
    put(Feature::kHydrogens, atom.hydrogens + hydrogen);
    put(Feature::kHydrogensWithoutAtoms, atom.hydrogens);
    put(Feature::kRingBonds, ring_bonds);
    put(Feature::kHeteroNeighbours, hetero);
    put(Feature::kAliphaticHeteroNeighbours, aliphatic);
  }
  if (uses(q, Feature::kRingSystem)) find_ring_systems(t, ring_bonds_of_all);
}

// The same for a molecule that was read here: aromatic are the atoms of aromatic bonds.
template <int W>
void describe_atoms(Target& t, const QueryTables& q, Rings<W>& rings) {
  const Molecule& m = t.molecule;
  if (uses(q, Feature::kSmallestRing)) find_smallest_rings(t, rings);
  for (unsigned a = 0; a < m.atoms; ++a) {
    bool aromatic = false;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) aromatic = aromatic || m.order[m.bond[a][i]] == kAromaticOrder;
    values(t, Feature::kAromatic)[a] = aromatic;
    values(t, Feature::kIsotope)[a] = 0;
  }
  describe_atoms(t, q, rings.bonds);
}

// Rings, Kekule form, aromaticity, and the numbers of all atoms.
template <int W>
Status perceive_target(Target& t, const QueryTables& q, TargetPerception<W>& target) {
  Molecule& m = t.molecule;
  Perception<W>& p = target.rings;
  Status status = find_ring_bonds(m, p.rings);
  if (status == kNative) status = kekulize(m, p.rings.atoms, p.rings.bonds, p.kekule);
  if (status != kNative) return status;
  if (uses(q, Feature::kValence)) count_valences(t);
  const bool hybrids = uses(q, Feature::kHybridization);
  if (hybrids) note_valences(m, target.facts);
  if (m.closures != 0) status = perceive_aromaticity(m, p.rings, p.kekule);
  if (status != kNative) return status;
  if (hybrids) {
    if (has_aromatic_triple(m, p.rings.bonds, aromatic_atoms<W>(m))) return kAromatic;
    find_hybrids(m, target.facts);
    note_hybrids(t, target.facts);
  }
  t.rings_counted = true;
  if (uses(q, Feature::kRings) || q.ring_sizes) count_rings(t, p.rings);
  describe_atoms(t, q, p.rings);
  return kNative;
}

// Whether every bond of a ring is among these. Stored rings of a molecule that was edited since may be others.
inline bool are_all_ring_bonds(const Molecule& m, const Bits<4>& ring_bonds) {
  u8 top[256];
  const auto top_of = [&](unsigned a) {
    while (top[a] != a) a = top[a] = top[top[a]];
    return a;
  };
  for (unsigned a = 0; a < m.atoms; ++a) top[a] = static_cast<u8>(a);
  const bool passes[] = {true, false};
  for (const bool in_rings : passes) {
    for (unsigned a = 0; a < m.atoms; ++a) {
      for (unsigned i = 0; i < m.atom[a].degree; ++i) {
        if (m.neighbour[a][i] < a || ring_bonds.test(m.bond[a][i]) != in_rings) continue;
        const unsigned x = top_of(a), y = top_of(m.neighbour[a][i]);
        if (!in_rings && x == y) return false;
        top[x] = static_cast<u8>(y);
      }
    }
  }
  return true;
}

// The molecule of RDKit's binary form, with the valences and rings that RDKit has computed.
inline Status read_binary_target(const char* data, std::int64_t length, const QueryTables& q, Target& t) {
  Molecule& m = t.molecule;
  BinaryDetails details;
  clear_rings(details);
  Bits<4> ring_atoms;
  const Status status = read_rdkit_binary(data, length, false, m, ring_atoms, &details);
  if (status != kNative) return status;
  if (!are_all_ring_bonds(m, details.ring_bonds)) return kRings;
  t.rings_counted = true;
  t.aromatic_rings = details.aromatic_rings;
  for (unsigned a = 0; a < m.atoms; ++a) {
    values(t, Feature::kAromatic)[a] = details.aromatic[a];
    values(t, Feature::kIsotope)[a] = details.isotope[a];
    values(t, Feature::kValence)[a] = details.valence[a];
    values(t, Feature::kHybridization)[a] =
        details.hybridization[a] < 8 ? kSmartsHybridization[details.hybridization[a]] : 6;
    values(t, Feature::kRings)[a] = details.rings[a];
    values(t, Feature::kSmallestRing)[a] = details.smallest_ring[a];
    t.ring_sizes[a] = details.ring_sizes[a];
  }
  describe_atoms(t, q, details.ring_bonds);
  return kNative;
}

// RDKit lists an atom's bonds in this order: as read, then those that close rings, by ring number. It decides which
// matches come first.
inline void order_neighbours(Molecule& m) {
  if (m.closures == 0) return;
  const auto place = [&](unsigned bond) {
    return bond < m.atoms ? bond : 256 + 256u * m.closure[bond - m.atoms].ring + (bond - m.atoms);
  };
  for (unsigned k = 0; k < m.closures; ++k) {
    const unsigned ends[2] = {m.begin[m.atoms + k], m.end[m.atoms + k]};
    for (const unsigned a : ends) {
      for (unsigned i = 1; i < m.atom[a].degree; ++i) {
        const u8 bond = m.bond[a][i], neighbour = m.neighbour[a][i];
        unsigned j = i;
        for (; j > 0 && place(m.bond[a][j - 1]) > place(bond); --j) {
          m.bond[a][j] = m.bond[a][j - 1];
          m.neighbour[a][j] = m.neighbour[a][j - 1];
        }
        m.bond[a][j] = bond;
        m.neighbour[a][j] = neighbour;
      }
    }
  }
}

}  // namespace
}  // namespace catalase
