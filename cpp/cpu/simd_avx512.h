// The AVX-512 level: 64-byte vectors, 32 of them.
#pragma once

#include <immintrin.h>

#include "cpu/simd_vec.h"

namespace catalase {
namespace {

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm512_fmadd_pd(a, b, c);
}
inline float fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double fma(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline Vec<float> sqrt(Vec<float> v) {
  return _mm512_sqrt_ps(v);
}
inline Vec<double> sqrt(Vec<double> v) {
  return _mm512_sqrt_pd(v);
}

template <class V>
inline void hold(V& v) {
  asm volatile("" : "+v"(v));
}

// Tells the compiler that v is needed up to here.
template <class V>
inline void keep_alive(const V& v) {
  asm volatile("" : : "v"(v));
}

template <class P>
inline void hold_pointer(P*& p) {
  asm("" : "+r"(p));
}

// The first n lanes, n from 0 to kWidth: loads set the other lanes to zero, stores do not write them.
template <class T>
using LaneMask = __mmask16;
template <class T>
inline LaneMask<T> first_lanes(Index n) {
  return static_cast<__mmask16>((1u << n) - 1);
}
inline Vec<float> load_lanes(const float* p, __mmask16 lanes) {
  return _mm512_maskz_loadu_ps(lanes, p);
}
inline Vec<double> load_lanes(const double* p, __mmask16 lanes) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(lanes), p);
}
inline void store_lanes(float* p, Vec<float> v, __mmask16 lanes) {
  _mm512_mask_storeu_ps(p, lanes, v);
}
inline void store_lanes(double* p, Vec<double> v, __mmask16 lanes) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(lanes), v);
}

// Multiplies the low words of the lanes of a by m.
inline VecU64 multiply_low(VecU64 a, std::uint32_t m) {
  return (VecU64)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(m));
}

// One bit for each lane that is not zero. NaN is not zero.
inline unsigned nonzero_lanes(Vec<float> v) {
  return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
}
inline unsigned nonzero_lanes(Vec<double> v) {
  return _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
}

}  // namespace
}  // namespace catalase
