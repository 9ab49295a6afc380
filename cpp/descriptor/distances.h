// Indices from distances that count a bond as one over its order: Balaban's J (Chem. Phys. Lett. 89 (1982) 399), and
// Bertz's complexity (J. Am. Chem. Soc. 103 (1981) 3599).
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr std::uint16_t kApart = 0x7fff;     // no path; sums of two fit
constexpr double kRdkitApart = 100000000.0;  // RDKit's distance of atoms without a path

// The length of a bond in sixths: one over its order.
inline std::uint16_t sixths(u8 order) {
  static constexpr std::uint16_t lengths[] = {0, 6, 3, 2, 4};
  return lengths[order];
}

struct DistanceWork {
  std::uint16_t distance[256][256];
  u8 symmetry[256];
  struct Connection {
    u32 classes;
    double count;
  };
  Connection connection[8192];
};

// Lengths of all shortest paths; kApart where there is none. Atoms come in the order of a tree, so the paths to an atom lead
// over its parent; each bond that closes a ring may then shorten the paths of all pairs.
template <class Length>
void find_distances(const Molecule& m, DistanceWork& w, Length&& length) {
  const unsigned n = m.atoms;
  for (unsigned a = 0; a < n; ++a) {
    std::uint16_t* row = w.distance[a];
    const unsigned parent = m.begin[a];
    if (parent == kNoAtom) {
      for (unsigned b = 0; b < a; ++b) row[b] = kApart;
    } else {
      const std::uint16_t *via = w.distance[parent], own = length(a);
      for (unsigned b = 0; b < a; ++b) row[b] = via[b] == kApart ? kApart : static_cast<std::uint16_t>(via[b] + own);
    }
    row[a] = 0;
    for (unsigned b = 0; b < a; ++b) w.distance[b][a] = row[b];
  }
  for (unsigned k = n; k < m.bonds(); ++k) {
    std::uint16_t ends[2][256];
    const std::uint16_t own = length(k);
    __builtin_memcpy(ends[0], w.distance[m.begin[k]], n * sizeof(std::uint16_t));
    __builtin_memcpy(ends[1], w.distance[m.end[k]], n * sizeof(std::uint16_t));
    for (unsigned a = 0; a < n; ++a) {
      if (ends[0][a] == kApart && ends[1][a] == kApart) continue;
      std::uint16_t* row = w.distance[a];
      const auto first = static_cast<std::uint16_t>(ends[0][a] == kApart ? kApart : ends[0][a] + own);
      const auto second = static_cast<std::uint16_t>(ends[1][a] == kApart ? kApart : ends[1][a] + own);
      for (unsigned b = 0; b < n; ++b) {
        const auto one = static_cast<std::uint16_t>(first + ends[1][b]);
        const auto two = static_cast<std::uint16_t>(second + ends[0][b]);
        const std::uint16_t shorter = one < two ? one : two;
        row[b] = shorter < row[b] ? shorter : row[b];
      }
    }
  }
}

inline double real_distance(std::uint16_t sixth) {
  return sixth == kApart ? kRdkitApart : sixth / 6.0;
}

inline double balaban(const Molecule& m, const DistanceWork& w) {
  double sum_of[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    sum_of[a] = 0;
    for (unsigned b = 0; b < m.atoms; ++b) sum_of[a] += real_distance(w.distance[a][b]);
  }
  double sum = 0;
  int bonds = 0;
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] == 0) continue;
    sum += 1.0 / __builtin_sqrt(sum_of[m.begin[b]] * sum_of[m.end[b]]);
    ++bonds;
  }
  const int rings = bonds - static_cast<int>(m.atoms) + 2;
  return rings == 0 ? 0.0 : static_cast<double>(bonds) / rings * sum;
}

// Shannon's entropy of counts, in bits.
template <class Count>
inline double entropy(unsigned n, Count&& count) {
  double total = 0, sum = 0;
  for (unsigned i = 0; i < n; ++i) total += count(i);
  if (total == 0) return 0;
  for (unsigned i = 0; i < n; ++i) {
    const double share = count(i) / total;
    if (share != 0) sum -= share * __builtin_log(share);
  }
  return sum / __builtin_log(2.0);
}

// Atoms are of one class if their 100 smallest distances are equal.
inline void find_symmetry(const Molecule& m, DistanceWork& w) {
  const unsigned n = m.atoms, kept = n < 100 ? n : 100;
  for (unsigned a = 0; a < n; ++a) {  // sorts the rows, which are not needed otherwise any more
    std::uint16_t* row = w.distance[a];
    for (unsigned i = 1; i < n; ++i) {
      const std::uint16_t value = row[i];
      unsigned j = i;
      for (; j > 0 && row[j - 1] > value; --j) row[j] = row[j - 1];
      row[j] = value;
    }
  }
  unsigned classes = 0;
  for (unsigned a = 0; a < n; ++a) {
    unsigned b = 0;
    while (b < a && __builtin_memcmp(w.distance[a], w.distance[b], kept * sizeof(std::uint16_t)) != 0) ++b;
    w.symmetry[a] = b == a ? static_cast<u8>(classes++) : w.symmetry[b];
  }
}

// Changes the distances. False if the molecule has too many pairs of bonds.
inline bool bertz(const Molecule& m, DistanceWork& w, double& complexity) {
  complexity = 0;
  if (m.atoms < 2) return true;
  find_symmetry(m, w);
  static constexpr double orders[] = {0, 1, 2, 3, 1.5};
  unsigned n = 0;
  bool room = true;
  const auto add = [&](u32 classes, double count) {
    if (n == 8192) {
      room = false;
      return;
    }
    unsigned i = n++;
    for (; i > 0 && w.connection[i - 1].classes > classes; --i) w.connection[i] = w.connection[i - 1];
    w.connection[i] = {classes, count};
  };
  const auto pair = [](u32 x, u32 y) { return x < y ? x << 8 | y : y << 8 | x; };
  for (unsigned a = 0; a < m.atoms; ++a) {
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const unsigned b = m.neighbour[a][i];
      const double first = orders[m.order[m.bond[a][i]]];
      if (first > 1 && b > a) add(1u << 24 | pair(w.symmetry[a], w.symmetry[b]), first * (first - 1) / 2);
      for (unsigned j = i + 1; j < m.atom[a].degree; ++j) {
        const double second = orders[m.order[m.bond[a][j]]];
        const u32 ends = pair(w.symmetry[b], w.symmetry[m.neighbour[a][j]]);
        add(u32{w.symmetry[a]} << 16 | ends, first * second);
      }
    }
  }
  if (!room) return false;
  if (n == 0) add(0, 1);
  unsigned kinds = 0;
  for (unsigned i = 1; i < n; ++i) {
    if (w.connection[i].classes == w.connection[kinds].classes) {
      w.connection[kinds].count += w.connection[i].count;
    } else {
      w.connection[++kinds] = w.connection[i];
    }
  }
  ++kinds;
  double total = 0, elements[119] = {};
  for (unsigned i = 0; i < kinds; ++i) total += w.connection[i].count;
  for (unsigned a = 0; a < m.atoms; ++a) ++elements[m.atom[a].element];
  const double connections = total * (entropy(kinds, [&](unsigned i) { return w.connection[i].count; }) +
                                      __builtin_log(total) / __builtin_log(2.0));
  complexity = m.atoms * entropy(119, [&](unsigned i) { return elements[i]; }) + connections;
  return true;
}

}  // namespace
}  // namespace catalase
