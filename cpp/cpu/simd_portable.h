// The portable level: 16-byte vectors, which every 64-bit processor has. A product and a sum are rounded separately
// here, so its bits differ from those of the FMA levels (docs/numerics.md).
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "cpu/simd_vec.h"

namespace catalase {
namespace {

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return a * b + c;
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return a * b + c;
}
inline float fma(float a, float b, float c) {
  return a * b + c;
}
inline double fma(double a, double b, double c) {
  return a * b + c;
}

inline Vec<float> sqrt(Vec<float> v) {
  for (int i = 0; i < kWidth<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
}
inline Vec<double> sqrt(Vec<double> v) {
  for (int i = 0; i < kWidth<double>; ++i) v[i] = __builtin_sqrt(v[i]);
  return v;
}

// Keeps the compiler from folding a load into every use of it.
template <class V>
inline void hold(V& v) {
#if defined(__x86_64__)
  asm("" : "+x"(v));
#else
  (void)v;
#endif
}

template <class V>
inline void keep_alive(const V&) {}

template <class P>
inline void hold_pointer(P*&) {}

// The first n lanes, n from 0 to kWidth: loads set the other lanes to zero, stores do not write them.
template <class T>
using LaneMask = Index;
template <class T>
inline LaneMask<T> first_lanes(Index n) {
  return n;
}
template <class T>
inline Vec<T> load_lanes(const T* p, Index lanes) {
  Vec<T> v = {};
  for (Index i = 0; i < lanes; ++i) v[i] = p[i];
  return v;
}
template <class T>
inline void store_lanes(T* p, Vec<T> v, Index lanes) {
  for (Index i = 0; i < lanes; ++i) p[i] = v[i];
}

// Multiplies the low words of the lanes of a by m.
inline VecU64 multiply_low(VecU64 a, std::uint32_t m) {
#if defined(__SSE2__)
  return (VecU64)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(m));
#else
  return (a & 0xFFFFFFFFu) * m;
#endif
}

// One bit for each lane that is not zero. NaN is not zero.
template <class T, class V>
inline unsigned nonzero_lanes_of(V v) {
  unsigned bits = 0;
  for (int i = 0; i < kWidth<T>; ++i) bits |= static_cast<unsigned>(v[i] != T(0)) << i;
  return bits;
}
inline unsigned nonzero_lanes(Vec<float> v) {
  return nonzero_lanes_of<float>(v);
}
inline unsigned nonzero_lanes(Vec<double> v) {
  return nonzero_lanes_of<double>(v);
}

}  // namespace
}  // namespace catalase
