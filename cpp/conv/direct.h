// The direct algorithm: conv.h's products, shared out among threads. Used by conv.cpp, which chooses between
// algorithms.
#pragma once

#include "conv/conv.h"

namespace catalase {

// A forward-like pass. Negative `before` crops. Outputs lie where the caller says: backward data of a strided
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

// One input channel a group, several groups: vectorized over channels.
bool is_depthwise(const ConvShape& shape);

// Elements of packed weights: panels, group after group; for depthwise the rows of w.
template <class T>
Index weights_size(const ConvShape& shape);
// Packs weights where row (tap, i) and output j of group g stand at  w[tap_of(tap) + g * group + i * row + j * col].
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

// The gradient of an input of up to 4 channels, with pixels as lanes: one chain over o a tap, then the taps added in
// ascending order.
bool has_few_channels(const ConvShape& shape);
template <class T>
void direct_backward_few(const ConvShape& shape, bool flip, const T* dy, const T* w, const T* bias, bool relu, T* dx);

// dw (taps, C / groups, O): the sum over all pixels; taps written in reverse order where `flip`.
template <class T>
void direct_backward_weights(const ConvShape& shape, bool flip, const T* x, const T* dy, T* dw);

}  // namespace catalase
