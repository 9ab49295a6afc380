// Labute's approximate surface area of each atom (J. Mol. Graph. Model. 18 (2000) 464), and Ertl's polar surface area
// (J. Med. Chem. 43 (2000) 3714), of nitrogen and oxygen.
#pragma once

#include "molecule/element_data.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr double kPi = 3.14159265358979323846;

inline double bond_length(double ri, double rj, u8 order) {
  static constexpr double shorter[] = {0, 0, 0.2, 0.3, 0.1};  // by order; the last is aromatic
  const double sum = ri + rj, length = sum - shorter[order], least = ri > rj ? ri - rj : rj - ri;
  const double d = least > length ? least : length;
  return d < sum ? d : sum;
}

// What the sphere of radius rj takes from that of radius ri.
inline double overlap(double ri, double rj, double d) {
  return rj * rj - (ri - d) * (ri - d) / d;
}

// area[a] of each atom; each atom is taken to have one hydrogen. Returns the total, with the share of the hydrogens.
inline double labute_surface(const Molecule& m, double* area) {
  for (unsigned a = 0; a < m.atoms; ++a) area[a] = 0;
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] == 0) continue;
    const unsigned i = m.begin[b], j = m.end[b];
    const double ri = kElements[m.atom[i].element].radius, rj = kElements[m.atom[j].element].radius;
    const double d = bond_length(ri, rj, m.order[b]);
    area[i] += overlap(ri, rj, d);
    area[j] += overlap(rj, ri, d);
  }
  const double rh = kElements[1].radius;
  double hydrogens = 0, total = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const double r = kElements[m.atom[a].element].radius, d = bond_length(r, rh, kSingle);
    area[a] += overlap(r, rh, d);
    hydrogens += overlap(rh, r, d);
  }
  for (unsigned a = 0; a < m.atoms; ++a) {
    const double r = kElements[m.atom[a].element].radius;
    area[a] = kPi * r * (4.0 * r - area[a]);
    total += area[a];
  }
  return total + kPi * rh * (4.0 * rh - hydrogens);
}

// The environment of a nitrogen or oxygen, as one number: neighbours that are not hydrogen, hydrogens, charge, and single,
// double, triple and aromatic bonds.
constexpr u32 polar_key(int neighbours, int hydrogens, int charge, int singles, int doubles, int triples,
                        int aromatic) {
  const int digits[] = {neighbours, hydrogens, charge + 4, singles, doubles, triples, aromatic};
  u32 key = 0;
  for (const int digit : digits) key = key * 16 + static_cast<u32>(digit & 15);
  return key;
}

// Ertl's contributions, Table 1; -1 for environments that are not in it. `three` is a ring of three atoms.
inline double polar_nitrogen(u32 key, bool three) {
  switch (key) {
    case polar_key(1, 0, 0, 0, 0, 1, 0):
      return 23.79;
    case polar_key(1, 1, 0, 0, 1, 0, 0):
      return 23.85;
    case polar_key(1, 2, 0, 1, 0, 0, 0):
      return 26.02;
    case polar_key(1, 2, 1, 0, 1, 0, 0):
      return 25.59;
    case polar_key(1, 3, 1, 1, 0, 0, 0):
      return 27.64;
    case polar_key(2, 0, 0, 1, 1, 0, 0):
      return 12.36;
    case polar_key(2, 0, 0, 0, 1, 1, 0):
      return 13.60;
    case polar_key(2, 1, 0, 2, 0, 0, 0):
      return three ? 21.94 : 12.03;
    case polar_key(2, 0, 1, 1, 0, 1, 0):
      return 4.36;
    case polar_key(2, 1, 1, 1, 1, 0, 0):
      return 13.97;
    case polar_key(2, 2, 1, 2, 0, 0, 0):
      return 16.61;
    case polar_key(2, 0, 0, 0, 0, 0, 2):
      return 12.89;
    case polar_key(2, 1, 0, 0, 0, 0, 2):
      return 15.79;
    case polar_key(2, 1, 1, 0, 0, 0, 2):
      return 14.14;
    case polar_key(3, 0, 0, 3, 0, 0, 0):
      return three ? 3.01 : 3.24;
    case polar_key(3, 0, 0, 1, 2, 0, 0):
      return 11.68;
    case polar_key(3, 0, 1, 2, 1, 0, 0):
      return 3.01;
    case polar_key(3, 1, 1, 3, 0, 0, 0):
      return 4.44;
    case polar_key(3, 0, 0, 0, 0, 0, 3):
      return 4.41;
    case polar_key(3, 0, 0, 1, 0, 0, 2):
      return 4.93;
    case polar_key(3, 0, 0, 0, 1, 0, 2):
      return 8.39;
    case polar_key(3, 0, 1, 0, 0, 0, 3):
      return 4.10;
    case polar_key(3, 0, 1, 1, 0, 0, 2):
      return 3.88;
    case polar_key(4, 0, 1, 4, 0, 0, 0):
      return 0.0;
    default:
      return -1.0;
  }
}

inline double polar_oxygen(u32 key, bool three) {
  switch (key) {
    case polar_key(1, 0, 0, 0, 1, 0, 0):
      return 17.07;
    case polar_key(1, 1, 0, 1, 0, 0, 0):
      return 20.23;
    case polar_key(1, 0, -1, 1, 0, 0, 0):
      return 23.06;
    case polar_key(2, 0, 0, 2, 0, 0, 0):
      return three ? 12.53 : 9.23;
    case polar_key(2, 0, 0, 0, 0, 0, 2):
      return 13.14;
    default:
      return -1.0;
  }
}

template <int W>
double polar_surface(const Molecule& m, const Facts<W>& f) {
  Bits<W> three = Bits<W>::none();
  for (unsigned i = 0; i < f.rings.count; ++i) {
    if (f.rings.bonds[i].count() == 3) three |= f.rings.atoms[i];
  }
  double total = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    if (atom.element != 7 && atom.element != 8) continue;
    int bonds[5] = {0, 0, 0, 0, 0}, neighbours = 0;
    for (unsigned i = 0; i < atom.degree; ++i) {
      if (m.atom[m.neighbour[a][i]].element == 1) continue;
      ++neighbours;
      ++bonds[m.order[m.bond[a][i]]];
    }
    const int hydrogens = f.hydrogens[a];
    const bool nitrogen = atom.element == 7;
    const u32 key = polar_key(neighbours, hydrogens, atom.charge, bonds[1], bonds[2], bonds[3], bonds[4]);
    double part = nitrogen ? polar_nitrogen(key, three.test(a)) : polar_oxygen(key, three.test(a));
    if (part < 0.0) {  // Ertl's formula for other environments
      part = (nitrogen ? 30.5 - neighbours * 8.2 : 28.5 - neighbours * 8.6) + hydrogens * 1.5;
      if (part < 0.0) part = 0.0;
    }
    total += part;
  }
  return total;
}

// Adds each share to the bin of its value: bins[0] is the upper end of the first. NaN belongs to the last.
template <unsigned N>
inline void fill_bins(unsigned atoms, const double* value, const double* share, const double (&ends)[N], double* bin) {
  for (unsigned i = 0; i <= N; ++i) bin[i] = 0;
  std::int64_t place[256];  // the ends that are not above the value: as wide as a value, for vectors
  for (unsigned a = 0; a < atoms; ++a) {
    std::int64_t i = 0;
    for (const double end : ends) i += !(value[a] < end);
    place[a] = i;
  }
  for (unsigned a = 0; a < atoms; ++a) bin[place[a]] += share[a];
}

}  // namespace
}  // namespace catalase
