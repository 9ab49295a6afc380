// The AVX2 level: 32-byte vectors and fused multiply-add.
#pragma once

#include <immintrin.h>

#include "cpu/simd_vec.h"

namespace catalase {
namespace {

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return _mm256_fmadd_pd(a, b, c);
}
inline float fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double fma(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline Vec<float> sqrt(Vec<float> v) {
  return _mm256_sqrt_ps(v);
}
inline Vec<double> sqrt(Vec<double> v) {
  return _mm256_sqrt_pd(v);
}

template <class V>
inline void hold(V& v) {
  asm volatile("" : "+x"(v));
}

// Tells the compiler that v is needed up to here.
template <class V>
inline void keep_alive(const V& v) {
  asm volatile("" : : "x"(v));
}

template <class P>
inline void hold_pointer(P*& p) {
  asm("" : "+r"(p));
}

// The first n lanes, n from 0 to kWidth: loads set the other lanes to zero, stores do not write them.
template <class T>
using LaneMask = __m256i;
template <class T>
inline LaneMask<T> first_lanes(Index n) {
  static constexpr std::int32_t table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table + 8 - n * (static_cast<Index>(sizeof(T)) / 4)));
}
inline Vec<float> load_lanes(const float* p, __m256i lanes) {
  return _mm256_maskload_ps(p, lanes);
}
inline Vec<double> load_lanes(const double* p, __m256i lanes) {
  return _mm256_maskload_pd(p, lanes);
}
inline void store_lanes(float* p, Vec<float> v, __m256i lanes) {
  _mm256_maskstore_ps(p, lanes, v);
}
inline void store_lanes(double* p, Vec<double> v, __m256i lanes) {
  _mm256_maskstore_pd(p, lanes, v);
}

// Multiplies the low words of the lanes of a by m.
inline VecU64 multiply_low(VecU64 a, std::uint32_t m) {
  return (VecU64)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m));
}

// One bit for each lane that is not zero. NaN is not zero.
inline unsigned nonzero_lanes(Vec<float> v) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ)));
}
inline unsigned nonzero_lanes(Vec<double> v) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_NEQ_UQ)));
}

}  // namespace
}  // namespace catalase
