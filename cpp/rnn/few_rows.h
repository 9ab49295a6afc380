// One or two rows times packed panels: several panels at once, so that enough sums run in parallel to hide the latency
// of FMA. Bound: reading the panels from L2.
#pragma once

#include "common/views.h"
#include "cpu/simd.h"
#include "matmul/blocks.h"

namespace catalase {
namespace {

constexpr Index kFewRows = 2;

// C[R, K panels] (+)= A[R, k] @ B: K panels at once, panel_size apart.
template <class T, int R, int NV, int K>
void few_rows(const T* a, Index a_row, Index k, const T* b, Index panel_size, T* c, Index ldc, bool from_c) {
  constexpr Index W = kWidth<T>;
  Vec<T> sums[R][K][NV];
#pragma GCC unroll 64
  for (int i = 0; i < R * K * NV; ++i) {
    const int r = i / (K * NV), q = i / NV % K, v = i % NV;
    sums[r][q][v] = from_c ? load(c + r * ldc + (q * NV + v) * W) : Vec<T>{};
  }
  for (Index p = 0; p < k; ++p) {
    Vec<T> x[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) x[r] = broadcast(a[r * a_row + p]);
#pragma GCC unroll 16
    for (int i = 0; i < K * NV; ++i) {
      Vec<T> w = load(b + i / NV * panel_size + i % NV * W);
      if (R > 1) hold(w);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sums[r][i / NV][i % NV] = fma(x[r], w, sums[r][i / NV][i % NV]);
    }
    b += NV * W;
  }
#pragma GCC unroll 64
  for (int i = 0; i < R * K * NV; ++i) {
    const int r = i / (K * NV), q = i / NV % K, v = i % NV;
    store(c + r * ldc + (q * NV + v) * W, sums[r][q][v]);
  }
}

template <class T, int R, int NV>
void few_rows_all(const T* a, Index a_row, Index k, const T* b, Index panels, T* c, Index ldc, bool from_c) {
  constexpr int most = (R == 1 || CATALASE_VECTOR_BYTES == 64 ? 8 : 4) / NV, K = most < 1 ? 1 : most;
  const Index panel_size = k * NV * kWidth<T>, width = NV * kWidth<T>;
  Index q = 0;
  for (; q + K <= panels; q += K)
    few_rows<T, R, NV, K>(a, a_row, k, b + q * panel_size, panel_size, c + q * width, ldc, from_c);
  for (; q < panels; ++q)
    few_rows<T, R, NV, 1>(a, a_row, k, b + q * panel_size, panel_size, c + q * width, ldc, from_c);
}

template <class T>
void few_rows_product(Index rows, Index vectors, const T* a, Index a_row, Index k, const T* b, Index panels, T* c,
                      Index ldc, bool from_c) {
  const auto run = [&]<int NV>() {
    rows == 1 ? few_rows_all<T, 1, NV>(a, a_row, k, b, panels, c, ldc, from_c)
              : few_rows_all<T, 2, NV>(a, a_row, k, b, panels, c, ldc, from_c);
  };
  if constexpr (kPanelVectors<T> > 2) {
    if (vectors == 3) return run.template operator()<3>();
    if (vectors == 4) return run.template operator()<4>();
  }
  vectors == 1 ? run.template operator()<1>() : run.template operator()<2>();
}

}  // namespace
}  // namespace catalase
