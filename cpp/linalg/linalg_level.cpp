// Triangles of up to 64 rows. Both the factor and the solution are computed in tiles of kTile rows by kVectors vectors,
// which stay in registers over all rows before them; the tile's own triangle follows. The factor is computed as U = L^T
// in a buffer, whose rows are contiguous. Bound: FMAs, and for the factor half of the time the kTile rows of each step.

#include "cpu/simd.h"
#include "linalg/linalg.h"

namespace catalase {
namespace {

constexpr Index kTile = 4;
#if defined(__AVX512F__)
constexpr Index kVectors = 4;
#else
constexpr Index kVectors = 2;
#endif

// sums[r][v] (+)= sum over k < n of a(k, r) * x[k, v], in ascending k.
template <class T, Index kRows, Index kV, class At>
inline void add_products(Index n, At a, const T* x, Index row_stride, Vec<T> (*sums)[kV]) {
  for (Index k = 0; k < n; ++k) {
    Vec<T> row[kV];
    for (Index v = 0; v < kV; ++v) row[v] = load(x + k * row_stride + v * kWidth<T>);
    for (Index r = 0; r < kRows; ++r) {
      const Vec<T> factor = broadcast<T>(a(k, r));
      for (Index v = 0; v < kV; ++v) sums[r][v] = fma(factor, row[v], sums[r][v]);
    }
  }
}

template <class T, Index kRows, Index kV>
inline void solve_tile(const Triangle<T>& t, Index i, T* x, Index row_stride) {
  Vec<T> sums[kRows][kV];
  for (Index r = 0; r < kRows; ++r) {
    for (Index v = 0; v < kV; ++v) sums[r][v] = load(x + (i + r) * row_stride + v * kWidth<T>);
  }
  const T* own = t.t + i * kTriangle;
  add_products<T, kRows, kV>(i, [&](Index k, Index r) { return own[r * kTriangle + k]; }, x, row_stride, sums);
  for (Index r = 0; r < kRows; ++r) {
    for (Index q = 0; q < r; ++q) {
      const Vec<T> factor = broadcast<T>(own[r * kTriangle + i + q]);
      for (Index v = 0; v < kV; ++v) sums[r][v] = fma(factor, sums[q][v], sums[r][v]);
    }
    const Vec<T> scale = broadcast<T>(t.scale[i + r]);
    for (Index v = 0; v < kV; ++v) {
      sums[r][v] *= scale;
      store(x + (i + r) * row_stride + v * kWidth<T>, sums[r][v]);
    }
  }
}

template <class T, Index kV>
inline void solve_vectors(const Triangle<T>& t, T* x, Index row_stride) {
  Index i = 0;
  for (; i + kTile <= t.n; i += kTile) solve_tile<T, kTile, kV>(t, i, x, row_stride);
  for (; i < t.n; ++i) solve_tile<T, 1, kV>(t, i, x, row_stride);
}

template <class T>
void solve(const Triangle<T>& t, T* x, Index row_stride, Index columns) {
  Index j = 0;
  for (; j + kVectors * kWidth<T> <= columns; j += kVectors * kWidth<T>)
    solve_vectors<T, kVectors>(t, x + j, row_stride);
  for (; j + kWidth<T> <= columns; j += kWidth<T>) solve_vectors<T, 1>(t, x + j, row_stride);
  if (j == columns) return;
  alignas(64) T some[kTriangle * kWidth<T>] = {};  // the last columns, filled up with zeros
  for (Index i = 0; i < t.n; ++i) {
    for (Index c = j; c < columns; ++c) some[i * kWidth<T> + c - j] = x[i * row_stride + c];
  }
  solve_vectors<T, 1>(t, some, kWidth<T>);
  for (Index i = 0; i < t.n; ++i) {
    for (Index c = j; c < columns; ++c) x[i * row_stride + c] = some[i * kWidth<T> + c - j];
  }
}

template <class T>
void solve_rows(const Triangle<T>& t, MatrixView<T> x) {
  alignas(64) T turned[kTriangle * kSides];
  for (Index r = 0; r < x.rows; ++r) {
    for (Index k = 0; k < t.n; ++k) turned[k * kSides + r] = *x.at(r, k);
  }
  solve(t, turned, kSides, x.rows);
  for (Index r = 0; r < x.rows; ++r) {
    for (Index k = 0; k < t.n; ++k) *x.at(r, k) = turned[k * kSides + r];
  }
}

// Rows i to i + kRows of U: what is left of them after the rows before. u holds -A^T, so products are added.
template <class T, Index kRows>
inline void subtract_rows(T* u, Index i) {
  for (Index j = i / kWidth<T> * kWidth<T>; j < kTriangle; j += kWidth<T>) {
    Vec<T> sums[kRows][1];
    for (Index r = 0; r < kRows; ++r) sums[r][0] = load(u + (i + r) * kTriangle + j);
    add_products<T, kRows, 1>(i, [&](Index k, Index r) { return u[k * kTriangle + i + r]; }, u + j, kTriangle, sums);
    for (Index r = 0; r < kRows; ++r) store(u + (i + r) * kTriangle + j, sums[r][0]);
  }
}

template <class T>
Index factor(MatrixView<T> a, T* pivot) {
  alignas(64) T u[kTriangle * kTriangle] = {};
  const Index n = a.rows;
  for (Index j = 0; j < n; ++j) {
    for (Index k = 0; k <= j; ++k) u[k * kTriangle + j] = *a.at(j, k);
  }
  for (Index j = n; j < kTriangle; ++j)
    u[j * kTriangle + j] = -1;  // the last tile is filled up with rows of the unit matrix
  for (Index i = 0; i < n; i += kTile) {
    subtract_rows<T, kTile>(u, i);
    for (Index r = 0; r < kTile; ++r) {
      T* row = u + (i + r) * kTriangle;
      const Index first = (i + r) / kWidth<T> * kWidth<T>;
      for (Index q = 0; q < r; ++q) {
        const T* other = u + (i + q) * kTriangle;
        const Vec<T> factor = broadcast<T>(other[i + r]);
        for (Index j = first; j < kTriangle; j += kWidth<T>)
          store(row + j, fma(factor, load(other + j), load(row + j)));
      }
      const T left = T{0} - row[i + r];
      if (!(left > 0 && left - left == 0)) {  // also NaN and infinity
        *pivot = left;
        return i + r;
      }
      const T root = sqrt(broadcast<T>(left))[0];
      const Vec<T> scale = broadcast<T>(T{-1} / root);
      for (Index j = first; j < kTriangle; j += kWidth<T>) store(row + j, load(row + j) * scale);
      row[i + r] = root;
    }
  }
  for (Index j = 0; j < n; ++j) {
    for (Index k = 0; k <= j; ++k) *a.at(j, k) = u[k * kTriangle + j];
  }
  return -1;
}

template <class T>
constexpr LinalgKernels<T> kKernels = {factor<T>, solve<T>, solve_rows<T>};

}  // namespace

extern const BothTypes<LinalgKernels> CATALASE_AT_LEVEL(linalg) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
