// The direct algorithm: conv.h's products, divided among threads. conv.cpp, which chooses among the algorithms, uses
// it.
#pragma once

#include "conv/conv.h"

namespace catalase {

// A forward-like pass. Negative `before` crops. The caller says where the outputs lie, since backward data of a strided
// convolution writes one phase of dx at a time.
template <class T>
struct DirectForward {
  ConvShape shape;
  const T* x = nullptr;
  const T* w = nullptr;  // packed: see weights_size
  T* y = nullptr;        // the first output
  Index y_step[4] = {};  // elements between images, planes, rows, pixels
  const T* bias = nullptr;
  bool relu = false;
};

// Whether each of several groups has one input channel, so that the convolution is vectorized over channels.
bool is_depthwise(const ConvShape& shape);

// Elements of packed weights: panels, group after group; for depthwise the rows of w.
template <class T>
Index weights_size(const ConvShape& shape);
// Packs weights. Row (tap, i) and output j of group g lie at  w[tap_of(tap) + g * group + i * row + j * col].
template <class T>
struct WeightLayout {
  const T* w;
  const Index* taps;
  Index group, row, col;
};
template <class T>
void pack_weights(const ConvShape& shape, const WeightLayout<T>& layout, T* packed);

template <class T>
void direct_forward(const DirectForward<T>& args);

// The gradient of an input of up to 4 channels, with pixels as lanes: one chain over o for each tap, with the taps
// added in ascending order.
bool has_few_channels(const ConvShape& shape);
template <class T>
void direct_backward_few(const ConvShape& shape, bool flip, const T* dy, const T* w, const T* bias, bool relu, T* dx);

// dw (taps, C / groups, O): the sum over all pixels; taps are written in reverse order if `flip`.
template <class T>
void direct_backward_weights(const ConvShape& shape, bool flip, const T* x, const T* dy, T* dw);

}  // namespace catalase
