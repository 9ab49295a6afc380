// Connectivity and shape indices (Hall and Kier, Rev. Comput. Chem. 2 (1991) 367): chi, kappa, alpha, phi.
//
// RDKit's paths may end at an atom that they have passed, and a path of given bonds counts once. So paths of three bonds
// include rings of three, and paths of four bonds rings of four, and rings of three with one more bond. The product of
// such a path has the atom at which it ends twice, but not in a ring.
#pragma once

#include "molecule/element_data.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

// Sums over paths of 0 to 4 bonds of the product of the atoms' values, and the number of paths.
struct PathSums {
  double sum[5];
  double paths[5];
};

inline double inverse_root(double x) {
  return x != 0.0 ? 1.0 / __builtin_sqrt(x) : x;
}

// Valence electrons that do not bind hydrogen; for later rows, divided by those of the inner shells (delta v).
inline double valence_value(const Atom& atom, bool by_row) {
  const int outer = kElements[atom.element].outer;
  const auto free = static_cast<u32>(outer - atom.hydrogens);  // RDKit's number has no sign either ([BH4-])
  if (!by_row) return inverse_root(free);
  if (atom.element <= 1) return 0;
  if (atom.element <= 10) return inverse_root(free);
  return inverse_root(static_cast<double>(free) / (atom.element - outer - 1));
}

template <class F>
inline void each_neighbour(const Molecule& m, unsigned atom, F&& f) {
  for (unsigned i = 0; i < m.atom[atom].degree; ++i) f(unsigned{m.neighbour[atom][i]});
}

inline void sum_paths(const Molecule& m, const double* v, PathSums& s) {
  s = {};
  for (unsigned a = 0; a < m.atoms; ++a) s.sum[0] += v[a];
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] == 0) continue;
    s.sum[1] += v[m.begin[b]] * v[m.end[b]];
    ++s.paths[1];
  }
  const auto add = [&](unsigned bonds, double product) {
    s.sum[bonds] += product;
    ++s.paths[bonds];
  };
  for (unsigned a = 0; a < m.atoms; ++a) {
    each_neighbour(m, a, [&](unsigned b) {
      each_neighbour(m, b, [&](unsigned c) {
        if (c == a) return;
        const double two = v[a] * v[b] * v[c];
        if (a < c) add(2, two);
        each_neighbour(m, c, [&](unsigned d) {
          if (d == b) return;
          if (d == a) {
            if (a < b && b < c) {
              add(3, two);
              each_neighbour(m, a, [&](unsigned tail) {  // one more bond at each corner of the ring
                if (tail != b && tail != c) add(4, two * v[a] * v[tail]);
              });
              each_neighbour(m, b, [&](unsigned tail) {
                if (tail != a && tail != c) add(4, two * v[b] * v[tail]);
              });
              each_neighbour(m, c, [&](unsigned tail) {
                if (tail != a && tail != b) add(4, two * v[c] * v[tail]);
              });
            }
            return;
          }
          const double three = two * v[d];
          if (a < d) add(3, three);
          each_neighbour(m, d, [&](unsigned e) {
            if (e == c || e == b) return;
            if (e == a) {
              if (a < b && a < c && b < d && a < d) add(4, three);
            } else if (a < e) {
              add(4, three * v[e]);
            }
          });
        });
      });
    });
  }
}

inline double alpha_of(unsigned element, u8 hybrid) {
  switch (element) {
    case 1:
      return 0.0;
    case 6:
      return hybrid == kSp ? -0.22 : hybrid == kSp2 ? -0.13 : 0.0;
    case 7:
      return hybrid == kSp ? -0.29 : hybrid == kSp2 ? -0.20 : -0.04;
    case 8:
      return hybrid == kSp2 ? -0.20 : -0.04;
    case 9:
      return -0.07;
    case 15:
      return hybrid == kSp2 ? 0.30 : 0.43;
    case 16:
      return hybrid == kSp2 ? 0.22 : 0.35;
    case 17:
      return 0.29;
    case 35:
      return 0.48;
    case 53:
      return 0.73;
    default:
      return kElements[element].radius / kElements[6].radius - 1.0;
  }
}

struct ShapeIndices {
  double alpha, kappa1, kappa2, kappa3, phi;
};

template <int W>
ShapeIndices shape_indices(const Molecule& m, const Facts<W>& f, const double* paths) {
  ShapeIndices s{};
  int heavy = 0;
  for (unsigned i = 0; i < m.atoms; ++i) {
    s.alpha += alpha_of(m.atom[i].element, f.hybrid[i]);
    heavy += m.atom[i].element != 1;
  }
  const double a = heavy, alpha = s.alpha;
  const double p1 = paths[1] + alpha, p2 = (paths[2] + alpha) * (paths[2] + alpha);
  const double p3 = (paths[3] + alpha) * (paths[3] + alpha);
  if (p1 != 0.0) s.kappa1 = (a + alpha) * (a + alpha - 1) * (a + alpha - 1) / (p1 * p1);
  if (p2 != 0.0) s.kappa2 = (a + alpha - 1) * (a + alpha - 2) * (a + alpha - 2) / p2;
  if (p3 != 0.0) s.kappa3 = (a + alpha - (heavy % 2 == 1 ? 1 : 2)) * (a + alpha - 3) * (a + alpha - 3) / p3;
  s.phi = s.kappa1 * s.kappa2 / a;
  return s;
}

}  // namespace
}  // namespace catalase
