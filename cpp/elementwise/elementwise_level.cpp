// Elementwise maps, one thread, one level.
//
// One pass, one vector at a time; the last, short vector is loaded and stored lane by lane. Bound: memory bandwidth for
// ReLU, some 20 instructions a vector for the others.

#include "common/partition.h"
#include "cpu/simd.h"
#include "elementwise/elementwise.h"
#include "elementwise/philox.h"
#include "elementwise/vecmath.h"

namespace catalase {
namespace {

template <class T, class F>
inline void map_vectors(const T* x, T* y, Index n, F f) {
  Index i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) store(y + i, f(load(x + i)));
  const LaneMask<T> rest = first_lanes<T>(n - i);
  if (i < n) store_lanes(y + i, f(load_lanes(x + i, rest)), rest);
}

template <class T>
void map_level(Map f, const T* from, T* to, Index n) {
  switch (f) {
#define CATALASE_CASE(enumerator, name, derivative, value, slope) \
  case Map::enumerator:                                           \
    return map_vectors(from, to, n, [](Vec<T> x) { return value; });
    CATALASE_ACTIVATIONS(CATALASE_CASE)
#undef CATALASE_CASE
    case Map::kExp:
      return map_vectors(from, to, n, [](Vec<T> x) { return exp(x); });
    case Map::kLog:
      return map_vectors(from, to, n, [](Vec<T> x) { return log(x); });
  }
}

template <class T, class F>
inline void map_pairs(const T* a, const T* b, T* y, Index n, F f) {
  Index i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) store(y + i, f(load(a + i), load(b + i)));
  const LaneMask<T> rest = first_lanes<T>(n - i);
  if (i < n) store_lanes(y + i, f(load_lanes(a + i, rest), load_lanes(b + i, rest)), rest);
}

template <class T>
void activation_backward_level(Activation f, const T* dys, const T* saved, T* dxs, Index n) {
  switch (f) {
#define CATALASE_CASE(enumerator, name, derivative, value, slope)                  \
  case Activation::enumerator:                                                     \
    return map_pairs(dys, saved, dxs, n, [](Vec<T> dy, Vec<T> y) {                 \
      [[maybe_unused]] const Vec<T> x = y; /* one of the two, as the table says */ \
      return slope;                                                                \
    });
    CATALASE_ACTIVATIONS(CATALASE_CASE)
#undef CATALASE_CASE
  }
}

// Reads as many words, or bytes, as a vector of T has lanes. (The vectors are written by hand because gcc compiles
// these loops to branches for AVX2, which random masks mispredict: 370 us for 100,000 values instead of 11.)
template <class T>
struct LanesOf;
template <>
struct LanesOf<float> {
  typedef std::uint32_t words __attribute__((vector_size(CATALASE_VECTOR_BYTES)));
  typedef std::uint8_t bytes __attribute__((vector_size(CATALASE_VECTOR_BYTES / 4)));
};
template <>
struct LanesOf<double> {
  typedef std::uint32_t words __attribute__((vector_size(CATALASE_VECTOR_BYTES / 2)));
  typedef std::uint8_t bytes __attribute__((vector_size(CATALASE_VECTOR_BYTES / 8)));
};

template <class T>
void dropout_level(DropoutKey key, Index first, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept,
                   Index n) {
  using Words = typename LanesOf<T>::words;
  using Bytes = typename LanesOf<T>::bytes;
  for (Index i = 0; i < n; i += 128) {
    std::uint32_t words[128];
    philox_two_groups(key, static_cast<std::uint64_t>(first + i) / 64, words);
    const Index count = smaller(n - i, 128);
    Index j = 0;
    for (; j + kWidth<T> <= count; j += kWidth<T>) {
      Words word;
      __builtin_memcpy(&word, words + j, sizeof(word));
      const Mask<T> keep = __builtin_convertvector(word >= threshold, Mask<T>);
      store(y + i + j, select<T>(keep, load(x + i + j) * scale, Vec<T>{}));
      if (kept == nullptr) continue;
      const Bytes flags = __builtin_convertvector(keep, Bytes) & 1;
      __builtin_memcpy(kept + i + j, &flags, sizeof(flags));
    }
    for (; j < count; ++j) {
      y[i + j] = words[j] >= threshold ? x[i + j] * scale : T(0);
      if (kept != nullptr) kept[i + j] = words[j] >= threshold ? 1 : 0;
    }
  }
}

template <class T>
void keep_level(const std::uint8_t* kept, T scale, const T* x, T* y, Index n) {
  Index i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) {
    typename LanesOf<T>::bytes flags;
    __builtin_memcpy(&flags, kept + i, sizeof(flags));
    store(y + i, select<T>(__builtin_convertvector(flags != 0, Mask<T>), load(x + i) * scale, Vec<T>{}));
  }
  for (; i < n; ++i) y[i] = kept[i] != 0 ? x[i] * scale : T(0);
}

template <class T>
constexpr ElementwiseKernels<T> kKernels = {
    map_level<T>,
    activation_backward_level<T>,
    dropout_level<T>,
    keep_level<T>,
};

}  // namespace

extern const BothTypes<ElementwiseKernels> CATALASE_AT_LEVEL(elementwise) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
