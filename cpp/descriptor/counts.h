// Weights and counts of atoms, bonds and rings, after RDKit's documentation of each.
//
// The counts of groups (donors, acceptors, amides, rotatable bonds) are the SMARTS that RDKit's documentation gives, as
// conditions on an atom and its neighbours: an upper-case symbol there is an atom that is not aromatic.
#pragma once

#include "molecule/element_data.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr double kElectronMass = 0.00054857991;

struct AtomCounts {
  double weight, heavy_weight, exact_weight;
  int valence_electrons, radical_electrons, heavy_atoms, hydrogens_on_no, nitrogens_and_oxygens, heteroatoms;
  double sp3_carbons;  // their share
};

template <int W>
AtomCounts count_atoms(const Molecule& m, const Facts<W>& f) {
  AtomCounts c{};
  int carbons = 0, sp3 = 0, hydrogens = 0, charge = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    const Element& e = kElements[atom.element];
    c.weight += e.weight;
    if (atom.element != 1) c.heavy_weight += e.weight;
    c.weight += atom.hydrogens * kElements[1].weight;
    c.exact_weight += e.common_mass;
    hydrogens += atom.hydrogens;
    charge += atom.charge;
    c.valence_electrons += e.outer - atom.charge + atom.hydrogens;
    c.radical_electrons += f.radicals[a];
    c.heavy_atoms += atom.element != 1;
    if (atom.element == 7 || atom.element == 8) {
      ++c.nitrogens_and_oxygens;
      c.hydrogens_on_no += f.hydrogens[a];
    }
    c.heteroatoms += atom.element != 6 && atom.element != 1;
    if (atom.element == 6) {
      ++carbons;
      sp3 += atom.degree + atom.hydrogens == 4;
    }
  }
  c.exact_weight += hydrogens * kElements[1].common_mass - charge * kElectronMass;
  c.sp3_carbons = carbons == 0 ? 0.0 : static_cast<double>(sp3) / carbons;
  return c;
}

struct RingCounts {
  int aromatic_carbo, aromatic_hetero, saturated_carbo, saturated_hetero, aliphatic_carbo, aliphatic_hetero, hetero;
  int spiro, bridgehead;
};

template <int W>
RingCounts count_rings(const Molecule& m, const Facts<W>& f) {
  RingCounts c{};
  const RingSet<W>& rings = f.rings;
  if (rings.count == 0) return c;
  for (unsigned i = 0; i < rings.count; ++i) {
    bool aromatic = true, saturated = true, hetero = false;
    for_each(rings.bonds[i], [&](unsigned b) {
      aromatic = aromatic && m.order[b] == kAromaticOrder;
      saturated = saturated && m.order[b] == kSingle;
    });
    for_each(rings.atoms[i], [&](unsigned a) { hetero = hetero || m.atom[a].element != 6; });
    c.hetero += hetero;
    ++(aromatic ? (hetero ? c.aromatic_hetero : c.aromatic_carbo) : (hetero ? c.aliphatic_hetero : c.aliphatic_carbo));
    if (saturated) ++(hetero ? c.saturated_hetero : c.saturated_carbo);
  }
  Bits<W> spiro = Bits<W>::none(), bridgehead = spiro;
  for (unsigned i = 0; i < rings.count; ++i) {
    for (unsigned j = i + 1; j < rings.count; ++j) {
      const Bits<W> atoms = rings.atoms[i] & rings.atoms[j];
      if (!atoms.any()) continue;
      if (atoms.count() == 1) spiro |= atoms;
      const Bits<W> bonds = rings.bonds[i] & rings.bonds[j];
      if (bonds.count() < 2) continue;
      Bits<W> odd = Bits<W>::none(), several = odd;  // ends of the shared paths
      for_each(bonds, [&](unsigned b) {
        const unsigned ends[] = {m.begin[b], m.end[b]};
        for (const unsigned a : ends) {
          if (odd.test(a)) several.set(a);
          odd.set(a);
        }
      });
      bridgehead |= odd & ~several;
    }
  }
  c.spiro = spiro.count();
  c.bridgehead = bridgehead.count();
  return c;
}

// The conditions of the groups, for one molecule.
template <int W>
struct Groups {
  const Molecule& m;
  const Facts<W>& f;
  const Bits<W>&ring_atoms, ring_bonds;

  bool aromatic(unsigned a) const { return f.aromatic.test(a); }
  bool is(unsigned a, unsigned element) const { return m.atom[a].element == element && !aromatic(a); }
  bool is_nops(unsigned a, bool phosphorus) const {
    const unsigned z = m.atom[a].element;
    return (z == 7 || z == 8 || z == 16 || (z == 15 && phosphorus)) && !aromatic(a);
  }

  // Whether g(neighbour, bond) holds for some neighbour.
  template <class G>
  bool any(unsigned a, G&& g) const {
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      if (g(unsigned{m.neighbour[a][i]}, unsigned{m.bond[a][i]})) return true;
    }
    return false;
  }
  template <class G>
  int count(unsigned a, G&& g) const {
    int n = 0;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) n += g(unsigned{m.neighbour[a][i]}, unsigned{m.bond[a][i]});
    return n;
  }

  bool is_donor(unsigned a) const {
    const Atom& atom = m.atom[a];
    const int hydrogens = f.hydrogens[a];
    if (hydrogens == 0) return false;
    if (atom.element == 7) {
      if (aromatic(a)) return hydrogens == 1 && atom.charge == 0;
      return f.valence[a] == 3 || (f.valence[a] == 4 && atom.charge == 1);
    }
    return (is(a, 8) || is(a, 16)) && hydrogens == 1 && atom.charge == 0;
  }

  bool has_double(unsigned a, bool outside_rings) const {
    return any(a, [&](unsigned b, unsigned bond) {
      return m.order[bond] == kDouble && is_nops(b, true) && !(outside_rings && ring_bonds.test(bond));
    });
  }

  bool is_acceptor(unsigned a) const {
    const Atom& atom = m.atom[a];
    const int hydrogens = f.hydrogens[a], valence = f.valence[a];
    if (atom.element != 7 && atom.element != 8 && atom.element != 16) return false;
    if (aromatic(a)) return atom.charge == 0 && (atom.element != 7 || (hydrogens == 0 && atom.degree == 2));
    if (atom.element == 7) {
      return valence == 3 &&
             !any(a, [&](unsigned b, unsigned bond) { return m.order[bond] == kSingle && has_double(b, true); });
    }
    if (atom.charge == -1 || (hydrogens == 0 && valence == 2)) return true;
    return hydrogens == 1 && valence == 2 &&
           any(a, [&](unsigned b, unsigned bond) { return m.order[bond] == kSingle && !has_double(b, false); });
  }

  int amides(unsigned a) const {
    if (!is(a, 6)) return 0;
    const int oxygens = count(
        a, [&](unsigned b, unsigned bond) { return m.order[bond] == kDouble && is(b, 8) && !ring_atoms.test(b); });
    if (oxygens == 0) return 0;
    return oxygens * count(a, [&](unsigned b, unsigned bond) { return m.order[bond] == kSingle && is(b, 7); });
  }

  // Three equal ends on an aliphatic carbon: CF3, CCl3, CBr3, t-butyl, methyl.
  bool is_symmetric(unsigned a) const {
    if (!is(a, 6)) return false;
    if (f.hydrogens[a] == 3) return true;  // RDKit's answer for methyl cations with two bonds
    if (m.atom[a].degree < 3) return false;
    int fluorine = 0, chlorine = 0, bromine = 0, methyl = 0;
    any(a, [&](unsigned b, unsigned bond) {
      if (m.order[bond] != kSingle) return false;
      fluorine += m.atom[b].element == 9;
      chlorine += m.atom[b].element == 17;
      bromine += m.atom[b].element == 35;
      methyl += is(b, 6) && f.hydrogens[b] == 3;
      return false;
    });
    return fluorine >= 3 || chlorine >= 3 || bromine >= 3 || methyl >= 3;
  }

  bool is_acyl(unsigned a) const {  // C(=[N,O,S]) with three neighbours
    return is(a, 6) && m.atom[a].degree == 3 &&
           any(a, [&](unsigned b, unsigned bond) { return m.order[bond] == kDouble && is_nops(b, false); });
  }
  bool takes_acyl(unsigned a) const {
    return m.atom[a].element == 7 || is(a, 8) || (is(a, 16) && m.atom[a].degree != 1);
  }
  bool in_amide(unsigned a) const {
    const bool acyl = is_acyl(a), taker = takes_acyl(a);
    return (acyl || taker) && any(a, [&](unsigned b, unsigned bond) {
             if (m.order[bond] != kSingle || ring_bonds.test(bond)) return false;
             return (acyl && takes_acyl(b)) || (taker && is_acyl(b));
           });
  }

  // Single bonds outside rings between atoms that are no ends, and not beside a triple bond; RDKit's strict definition
  // leaves out amides, esters and symmetric ends.
  int rotatable_bonds() const {
    Bits<W> ends = Bits<W>::none(), amides = ends;
    for (unsigned a = 0; a < m.atoms; ++a) {
      const bool triple = any(a, [&](unsigned, unsigned bond) { return m.order[bond] == kTriple; });
      if (m.atom[a].degree == 1 || triple || is_symmetric(a)) {
        ends.set(a);
      } else if (in_amide(a)) {
        amides.set(a);
      }
    }
    int n = 0;
    for (unsigned b = 0; b < m.bonds(); ++b) {
      if (m.order[b] != kSingle || ring_bonds.test(b)) continue;
      const unsigned i = m.begin[b], j = m.end[b];
      n += !ends.test(i) && !ends.test(j) && !(amides.test(i) && amides.test(j));
    }
    return n;
  }
};

struct GroupCounts {
  int donors, acceptors, amides, rotatable;
};

template <int W>
GroupCounts count_groups(const Molecule& m, const Facts<W>& f, const Bits<W>& ring_atoms, const Bits<W>& ring_bonds) {
  const Groups<W> g{m, f, ring_atoms, ring_bonds};
  GroupCounts c{};
  for (unsigned a = 0; a < m.atoms; ++a) {
    c.donors += g.is_donor(a);
    c.acceptors += g.is_acceptor(a);
    c.amides += g.amides(a);
  }
  c.rotatable = g.rotatable_bonds();
  return c;
}

}  // namespace
}  // namespace catalase
