// Cholesky's factor, and triangular systems with several right-hand sides.
//
//   A = L L^T, A (n, n) symmetric and positive definite, of which the lower triangle is read; L lower triangular
//   T X = B, T (n, n) triangular, B (n, m)
//
// Both divide their matrices in halves, at multiples of kTriangle, down to blocks of kTriangle rows. All else are products
// (matmul/), which have nearly all of the arithmetic:
//
//   cholesky(A):  L11 = cholesky(A11);  L21 = A21 L11^-T;  A22 -= L21 L21^T;  L22 = cholesky(A22)
//   solve(T, B):  X1 = T11^-1 B1;  B2 -= T21 X1;  X2 = T22^-1 B2          (from the last row, if T is upper triangular)
//
// What is still to be factored or solved is kept negated, so that every update is an addition, as products have it.
//
// Bound: the products' FMAs; 42 to 57% of the peak in float64 at n = 500 to 4000 (README.md).
//
// Every element is a sum whose order follows from n alone, and threads divide rows, columns and outputs of products. So
// the bits do not depend on the number of threads, and are equal at the FMA levels. float32 and float64.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kTriangle = 64;  // rows of a triangle that is not divided: 32 KiB of float64
constexpr Index kSides = 32;     // right-hand sides that are solved together with it

// A triangle of up to kTriangle rows, lower: t[i * kTriangle + k], and -1 / t[i, i].
template <class T>
struct Triangle {
  Index n;
  const T* t;
  const T* scale;
};

template <class T>
struct LinalgKernels {
  // The lower triangle of a holds -A and is replaced by Cholesky's factor; the rest is not touched. Returns the row
  // whose pivot is not above zero, or -1; then *pivot is set. n <= kTriangle.
  Index (*factor)(MatrixView<T> a, T* pivot);
  // x holds -B and is replaced by t^-1 B; its rows are row_stride apart, which may be negative. columns <= kSides.
  void (*solve)(const Triangle<T>& t, T* x, Index row_stride, Index columns);
  // The rows of x hold -B, and are replaced by B t^-T. x.rows <= kSides.
  void (*solve_rows)(const Triangle<T>& t, MatrixView<T> x);
};
CATALASE_TYPED_KERNELS(LinalgKernels, linalg)

template <class T>
struct Pivot {
  Index row = -1;  // of the first that is not above zero or not finite, or -1
  T value = 0;
};

// out (n, n), rows of unit stride, shares no memory with a. Its upper triangle is set to zero. All threads.
template <class T>
Pivot<T> cholesky(MatrixView<const T> a, MatrixView<T> out);

// x (n, m), rows of unit stride, holds B and is replaced by the solution. All threads.
template <class T>
void solve_triangular(MatrixView<const T> t, bool lower, MatrixView<T> x);

}  // namespace catalase
