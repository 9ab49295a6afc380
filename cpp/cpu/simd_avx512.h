// The AVX-512 level: 64-byte vectors, 32 of them.
#pragma once

#include <immintrin.h>

#define CATALASE_VECTOR_BYTES 64
#include "cpu/simd_vec.h"

namespace catalase {
namespace {

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm512_fmadd_pd(a, b, c); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline Vec<float> sqrt(Vec<float> v) { return _mm512_sqrt_ps(v); }
inline Vec<double> sqrt(Vec<double> v) { return _mm512_sqrt_pd(v); }

template <class V>
inline void hold(V& v) {
  asm("" : "+v"(v));
}

}  // namespace
}  // namespace catalase
