// Maps over arrays, one value at a time: activations, their derivatives, exp, log, and dropout.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "elementwise/activations.h"

namespace catalase {

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
  // dx[i] = dy[i] * activation'(.), the derivative in terms of `saved`: the output, or the input of those activations
  // whose derivative the output does not determine. dx may be dy.
  void (*activation_backward)(Activation, const T* dy, const T* saved, T* dx, Index n);
  // y[i] = word(first + i) >= threshold ? x[i] * scale : 0. first is a multiple of 64. y may be x. kept, if not null,
  // receives 1 or 0 for each element.
  void (*dropout)(DropoutKey, Index first, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept,
                  Index n);
  // y[i] = kept[i] != 0 ? x[i] * scale : 0, for a mask that was drawn before. y may be x.
  void (*keep)(const std::uint8_t* kept, T scale, const T* x, T* y, Index n);
};
CATALASE_TYPED_KERNELS(ElementwiseKernels, elementwise)

// All threads.
template <class T>
void map(Map f, const T* x, T* y, Index n);
template <class T>
void activation_backward(Activation f, const T* dy, const T* saved, T* dx, Index n);
template <class T>
void dropout(DropoutKey key, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept, Index n);
template <class T>
void keep(const std::uint8_t* kept, T scale, const T* x, T* y, Index n);

}  // namespace catalase
