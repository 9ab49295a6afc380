// Maps over arrays, one value at a time: activations, their derivatives, exp, log, and dropout.
#pragma once

#include "common/views.h"

namespace catalase {

// The first five are the activations, with the same numbers.
enum class Map : int { kIdentity = 0, kRelu = 1, kTanh = 2, kSigmoid = 3, kSoftplus = 4, kExp = 5, kLog = 6 };

// Selects the random words of a dropout mask: element i of layer `layer` at step `step` of the run with seed `seed`
// always gets the same word, at any level, on any thread or device.
struct DropoutKey {
  std::uint64_t seed;
  std::uint32_t layer;
  std::uint32_t step;
};

template <class T>
struct ElementwiseKernels {
  // y[i] = map(x[i]); x and y may be the same array.
  void (*map)(Map, const T* x, T* y, Index n);
  // dx[i] = dy[i] * activation'(.), the derivative in terms of the output y. dx may be dy.
  void (*activation_backward)(Activation, const T* dy, const T* y, T* dx, Index n);
  // y[i] = word(first + i) >= threshold ? x[i] * scale : 0. first is a multiple of 64. y may be x. kept, if not null,
  // receives 1 or 0 for each element.
  void (*dropout)(DropoutKey, Index first, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept,
                  Index n);
  // y[i] = kept[i] != 0 ? x[i] * scale : 0, for a mask that was drawn before. y may be x.
  void (*keep)(const std::uint8_t* kept, T scale, const T* x, T* y, Index n);
};

// All threads.
template <class T>
void map(Map f, const T* x, T* y, Index n);
template <class T>
void activation_backward(Activation f, const T* dy, const T* y, T* dx, Index n);
template <class T>
void dropout(DropoutKey key, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept, Index n);
template <class T>
void keep(const std::uint8_t* kept, T scale, const T* x, T* y, Index n);

}  // namespace catalase
