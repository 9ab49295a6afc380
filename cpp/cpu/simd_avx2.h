// The AVX2 level: 32-byte vectors and fused multiply-add.
#pragma once

#include <immintrin.h>

#define CATALASE_VECTOR_BYTES 32
#include "cpu/simd_vec.h"

namespace catalase {
namespace {

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm256_fmadd_pd(a, b, c); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline Vec<float> sqrt(Vec<float> v) { return _mm256_sqrt_ps(v); }
inline Vec<double> sqrt(Vec<double> v) { return _mm256_sqrt_pd(v); }

template <class V>
inline void hold(V& v) {
  asm("" : "+x"(v));
}

}  // namespace
}  // namespace catalase
