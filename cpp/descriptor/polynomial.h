// Information content of the characteristic polynomial of the bonds' matrix (Bonchev and Trinajstic, J. Chem. Phys. 67
// (1977) 4517), by Le Verrier's, Faddeev's and Frame's method.
//
// Coefficients grow fast, and the method loses digits: RDKit's values are those of its sums in double precision. The same
// sums are made here in the order of NumPy's. From 80 atoms on that does not give the same digits, so molecules of more
// than 64 are left to RDKit.
#pragma once

#include "descriptor/distances.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr unsigned kMaxPolynomial = 64;  // atoms

struct PolynomialWork {
  double power[2][kMaxPolynomial][kMaxPolynomial];
  double coefficient[kMaxPolynomial + 1];
};

// NumPy's sum of up to 128 numbers: eight partial sums.
template <class Value>
inline double numpy_sum(unsigned n, Value&& value) {
  if (n < 8) {
    double sum = 0;
    for (unsigned i = 0; i < n; ++i) sum += value(i);
    return sum;
  }
  double part[8];
  for (unsigned i = 0; i < 8; ++i) part[i] = value(i);
  unsigned i = 8;
  for (; i + 8 <= n; i += 8) {
    for (unsigned j = 0; j < 8; ++j) part[j] += value(i + j);
  }
  double sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  for (; i < n; ++i) sum += value(i);
  return sum;
}

// The sum over coefficients of their entropy, and the entropy alone.
inline void information_content(const Molecule& m, PolynomialWork& w, double& whole, double& mean) {
  const unsigned n = m.atoms;
  u8 near[kMaxPolynomial][kMaxDegree];  // ascending
  for (unsigned a = 0; a < n; ++a) {
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      unsigned j = i;
      for (; j > 0 && near[a][j - 1] > m.neighbour[a][i]; --j) near[a][j] = near[a][j - 1];
      near[a][j] = m.neighbour[a][i];
    }
  }
  double (*now)[kMaxPolynomial] = w.power[0], (*next)[kMaxPolynomial] = w.power[1];
  for (unsigned a = 0; a < n; ++a) {
    for (unsigned b = 0; b < n; ++b) now[a][b] = 0;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) now[a][near[a][i]] = 1;
  }
  w.coefficient[0] = 1;
  for (unsigned k = 1; k <= n; ++k) {
    const double c = 1.0 / k * numpy_sum(n, [&](unsigned i) { return now[i][i]; });
    w.coefficient[k] = c;
    for (unsigned a = 0; a < n; ++a) now[a][a] -= c;
    for (unsigned a = 0; a < n; ++a) {
      for (unsigned b = 0; b < n; ++b) next[a][b] = 0;
      for (unsigned i = 0; i < m.atom[a].degree; ++i) {
        const double* row = now[near[a][i]];
        for (unsigned b = 0; b < n; ++b) next[a][b] += row[b];
      }
    }
    double (*swapped)[kMaxPolynomial] = now;
    now = next;
    next = swapped;
  }
  double total = 0;
  for (unsigned k = 0; k <= n; ++k) {
    w.coefficient[k] = __builtin_fabs(w.coefficient[k]);
    total += w.coefficient[k];
  }
  mean = entropy(n + 1, [&](unsigned k) { return w.coefficient[k]; });
  whole = total * mean;
}

}  // namespace
}  // namespace catalase
