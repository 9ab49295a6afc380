// Vectors of one native register, by compiler vector types, which bring + - * / and comparisons. Operations that need
// the level's instructions (fma, sqrt, masked loads and stores) are in simd_<level>.h; cpu/simd.h includes both.
//
// Everything is in an unnamed namespace: each translation unit has its own copy, so the linker can never use an AVX-512
// instance of an inline function for a portable caller. For the same reason kernels use no std:: templates.
#pragma once

#include "common/views.h"
#include "cpu/level.h"

#define CATALASE_BYTES_portable 16
#define CATALASE_BYTES_avx2 32
#define CATALASE_BYTES_avx512 64
#define CATALASE_VECTOR_BYTES CATALASE_AT_LEVEL(CATALASE_BYTES)

namespace catalase {
namespace {

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  typedef float type __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));
  typedef std::int32_t mask __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));
  static constexpr int width = CATALASE_VECTOR_BYTES / 4;
};
template <>
struct VecOf<double> {
  typedef double type __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));
  typedef std::int64_t mask __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));
  static constexpr int width = CATALASE_VECTOR_BYTES / 8;
};

typedef std::uint32_t VecU __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));
typedef std::uint64_t VecU64 __attribute__((vector_size(CATALASE_VECTOR_BYTES), may_alias));

template <class T>
using Vec = typename VecOf<T>::type;
template <class T>
using Mask = typename VecOf<T>::mask;  // all bits of a lane set, or none
template <class T>
constexpr Index kWidth = VecOf<T>::width;

template <class T>
inline Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
inline void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

template <class T>
inline Vec<T> broadcast(T x) {
  return x - Vec<T>{};  // x in every lane, also for x = -0 and NaN
}

template <class T>
inline Vec<T> select(Mask<T> mask, Vec<T> yes, Vec<T> no) {
  return (Vec<T>)((mask & (Mask<T>)yes) | (~mask & (Mask<T>)no));
}

// NaN stays NaN.
template <class T>
inline Vec<T> relu(Vec<T> v) {
  return select<T>(v < Vec<T>{}, Vec<T>{}, v);
}

}  // namespace
}  // namespace catalase
