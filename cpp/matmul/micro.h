// The micro-kernel: C[R, 2 vectors] (+)= A panel (k, R) @ B panel (k, 2 vectors), all of C in registers.
//
//   for p in 0..k:  b0, b1 = B[p];  for r in 0..R:  c[r] = fma(A[p, r], (b0, b1), c[r])
//
// AVX2: R <= 6 gives 12 accumulators + 2 B vectors + 1 broadcast = 15 of 16 registers. AVX-512: R <= 12 gives
// 24 + 2 + 1 = 27 of 32. 5 and 4 rows run at the full rate too, 2 and 1 do not, so the driver splits M evenly.
// Included by matmul_impl.h, after a simd_<level>.h.
#pragma once

namespace catalase {
namespace {

template <class T>
struct MicroArgs {
  const T* a;  // panel [k][R]
  const T* b;  // panel [k][2 * kWidth]
  Index k;
  T* c;  // row stride ldc
  Index ldc;
  bool from_c;    // start the accumulators from C (a further K block of the same chain)
  const T* bias;  // 2 * kWidth values added last, or null
  bool relu;      // max(., 0) after the bias; NaN stays NaN
};

template <class T, int R>
void micro_kernel(const MicroArgs<T>& args) {
  using V = Vec<T>;
  constexpr Index W = kWidth<T>;
  V c0[R], c1[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    c0[r] = args.from_c ? load(args.c + r * args.ldc) : V{};
    c1[r] = args.from_c ? load(args.c + r * args.ldc + W) : V{};
  }
  const T* a = args.a;
  const T* b = args.b;
#pragma GCC unroll 1
  for (Index p = args.k; p > 0; --p) {
    V b0 = load(b), b1 = load(b + W);
    hold(b0);  // gcc would fold these loads into every FMA and become load-bound
    hold(b1);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      V ar = broadcast(a[r]);
      hold(ar);
      c0[r] = fma(ar, b0, c0[r]);
      c1[r] = fma(ar, b1, c1[r]);
    }
    a += R;
    b += 2 * W;
  }
  if (args.bias != nullptr) {
    const V bias0 = load(args.bias), bias1 = load(args.bias + W);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      c0[r] = c0[r] + bias0;
      c1[r] = c1[r] + bias1;
    }
  }
  if (args.relu) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      c0[r] = select<T>(c0[r] < V{}, V{}, c0[r]);
      c1[r] = select<T>(c1[r] < V{}, V{}, c1[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    store(args.c + r * args.ldc, c0[r]);
    store(args.c + r * args.ldc + W, c1[r]);
  }
}

}  // namespace
}  // namespace catalase
