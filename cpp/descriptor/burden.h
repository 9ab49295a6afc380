// The largest and the smallest eigenvalue of Burden's matrix (J. Chem. Inf. Comput. Sci. 29 (1989) 225) as RDKit builds it:
// a property of each atom on the diagonal, one over the root of the order for bonds, 0.001 elsewhere.
//
// Householder's reflections make the matrix tridiagonal. The ends of the spectra are found by bisection with Sturm's
// count, both ends of the matrices of all properties at once, so that divisions overlap.
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr unsigned kProperties = 4, kEnds = 2 * kProperties;

struct BurdenWork {
  double matrix[256][256];
  double p[256];
  double diagonal[256][kEnds],
      square[256][kEnds];  // of the tridiagonal matrices; of their elements beside the diagonal
};

// Reduces w.matrix, of which the rows below are destroyed, to its diagonal and beside[k], the element left of it.
inline void make_tridiagonal(BurdenWork& w, unsigned n, double* beside) {
  beside[0] = 0;
  for (unsigned k = n; k-- > 2;) {  // row k gets one element beside its diagonal
    double* const v = w.matrix[k];
    double square = 0;
    for (unsigned j = 0; j < k; ++j) square += v[j] * v[j];
    const double root = __builtin_sqrt(square), pivot = v[k - 1];
    beside[k] = pivot > 0 ? -root : root;
    const double half = square - pivot * beside[k];  // half of the reflected vector's square
    if (half == 0) continue;
    v[k - 1] = pivot - beside[k];
    for (unsigned j = 0; j < k; ++j) w.p[j] = 0;
    for (unsigned i = 0; i < k; ++i) {
      const double factor = v[i] / half;
      for (unsigned j = 0; j < k; ++j) w.p[j] += factor * w.matrix[i][j];
    }
    double dot = 0;
    for (unsigned i = 0; i < k; ++i) dot += w.p[i] * v[i];
    const double scale = dot / (2 * half);
    for (unsigned i = 0; i < k; ++i) w.p[i] -= scale * v[i];
    for (unsigned i = 0; i < k; ++i) {
      const double vi = v[i], pi = w.p[i];
      for (unsigned j = 0; j < k; ++j) w.matrix[i][j] -= vi * w.p[j] + pi * v[j];
    }
  }
  if (n > 1) beside[1] = w.matrix[1][0];
}

// value[2 p] is the largest and value[2 p + 1] the smallest eigenvalue for property p.
inline void burden_ends(const Molecule& m, const double* const (&property)[kProperties], BurdenWork& w, double* value) {
  static constexpr double off[] = {0, 1.0, 0.7071067811865475, 0.5773502691896258, 0.8164965809277261};
  const unsigned n = m.atoms;
  double low[kEnds], high[kEnds], beside[257];
  for (unsigned p = 0; p < kProperties; ++p) {
    for (unsigned i = 0; i < n; ++i) {
      for (unsigned j = 0; j < n; ++j) w.matrix[i][j] = 0.001;
      w.matrix[i][i] = property[p][i];
    }
    for (unsigned b = 0; b < m.bonds(); ++b) {
      if (m.order[b] == 0) continue;
      w.matrix[m.begin[b]][m.end[b]] = w.matrix[m.end[b]][m.begin[b]] = off[m.order[b]];
    }
    make_tridiagonal(w, n, beside);
    beside[n] = 0;
    double least = 0, most = 0;  // Gershgorin's bounds
    for (unsigned i = 0; i < n; ++i) {
      const double d = w.matrix[i][i], reach = __builtin_fabs(beside[i]) + __builtin_fabs(beside[i + 1]);
      if (i == 0 || d - reach < least) least = d - reach;
      if (i == 0 || d + reach > most) most = d + reach;
      w.diagonal[i][2 * p] = w.diagonal[i][2 * p + 1] = d;
      w.square[i][2 * p] = w.square[i][2 * p + 1] = beside[i] * beside[i];
    }
    const double margin = 1e-12 * (__builtin_fabs(least) + __builtin_fabs(most)) + 1e-300;
    low[2 * p] = low[2 * p + 1] = least - margin;
    high[2 * p] = high[2 * p + 1] = most + margin;
  }
  for (int step = 0; step < 60; ++step) {
    double middle[kEnds], d[kEnds], below[kEnds];
    for (unsigned e = 0; e < kEnds; ++e) {
      middle[e] = 0.5 * (low[e] + high[e]);
      d[e] = 1;
      below[e] = 0;
    }
    for (unsigned i = 0; i < n; ++i) {
      for (unsigned e = 0; e < kEnds; ++e) {
        const double next = w.diagonal[i][e] - middle[e] - w.square[i][e] / d[e];
        d[e] = next == 0 ? 1e-300 : next;
        below[e] += next < 0 ? 1.0 : 0.0;  // eigenvalues below the middle
      }
    }
    for (unsigned e = 0; e < kEnds; ++e) {
      const double wanted = e % 2 == 0 ? n : 1;
      const bool above = below[e] >= wanted;
      high[e] = above ? middle[e] : high[e];
      low[e] = above ? low[e] : middle[e];
    }
  }
  for (unsigned e = 0; e < kEnds; ++e) value[e] = 0.5 * (low[e] + high[e]);
}

}  // namespace
}  // namespace catalase
