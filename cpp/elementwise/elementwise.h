// Maps over arrays, one value at a time: activations, their derivatives, exp, log, and dropout.
#pragma once

#include "common/views.h"

namespace catalase {

// The first five are the activations, with their numbers.
enum class Map : int { kIdentity = 0, kRelu = 1, kTanh = 2, kSigmoid = 3, kSoftplus = 4, kExp = 5, kLog = 6 };

// Which random words a dropout mask is made of: element i of layer `layer` at step `step` of the run seeded `seed`
// always gets the same word, on any level, thread or device.
struct DropoutKey {
  std::uint64_t seed;
  std::uint32_t layer;
  std::uint32_t step;
};

struct ElementwiseKernels {
  // y[i] = map(x[i]); x and y may be the same array.
  void (*map_f32)(Map, const float* x, float* y, Index n);
  void (*map_f64)(Map, const double* x, double* y, Index n);
  // dx[i] = dy[i] * activation'(.), the derivative written from the output y. dx may be dy.
  void (*activation_backward_f32)(Activation, const float* dy, const float* y, float* dx, Index n);
  void (*activation_backward_f64)(Activation, const double* dy, const double* y, double* dx, Index n);
  // y[i] = word(first + i) >= threshold ? x[i] * scale : 0. first is a multiple of 64. y may be x. kept, where given,
  // gets 1 or 0 for each element.
  void (*dropout_f32)(DropoutKey, Index first, std::uint32_t threshold, float scale, const float* x, float* y,
                      std::uint8_t* kept, Index n);
  void (*dropout_f64)(DropoutKey, Index first, std::uint32_t threshold, double scale, const double* x, double* y,
                      std::uint8_t* kept, Index n);
  // y[i] = kept[i] != 0 ? x[i] * scale : 0: a mask drawn before. y may be x.
  void (*keep_f32)(const std::uint8_t* kept, float scale, const float* x, float* y, Index n);
  void (*keep_f64)(const std::uint8_t* kept, double scale, const double* x, double* y, Index n);
};

extern const ElementwiseKernels elementwise_portable, elementwise_avx2, elementwise_avx512;

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
