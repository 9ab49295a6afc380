// Convolution in one, two and three dimensions, channels last, without im2col (geometry: shape.h).
//
// All three passes are products  C[r, :] = sum over s, t of  A[row(r) + segment(s) + t * step] * B[s, t]  whose A is
// read in place, in x or in a copy of a few of its rows with the padding around them:
//
//   pass               rows r      segments s       t                B
//   forward            pixels      (kd, kh)         (kw, c)          weights
//   backward data      pixels      (kd, kh)         (kw, o)          weights, transposed and flipped, one phase of the
//                                                                    stride at a time
//   backward weights   (k.., c)    rows of pixels   pixels           dy
//
// With dilation along W, or with groups, a segment is (kd, kh, kw). Convolution with one input channel and one output
// channel a group (depthwise) is vectorized over channels instead.
//
// Bits. An output is one chain of fused multiply-adds: forward in ascending (kd, kh, kw, c), backward data in
// descending taps and ascending o, backward weights in ascending pixels; cut every kChainLength terms with the parts
// added in order. So forward and backward weights have the bits of matmul on an explicit im2col, for any number of
// threads.
#pragma once

#include "conv/shape.h"
#include "cpu/kernels.h"
#include "elementwise/activations.h"

namespace catalase {

// A run of terms that lie `step` apart in A.
struct Segment {
  Index offset, length;
};

// Rows of a product in memory: row r starts at data + rows[r].
template <class T>
struct RowTable {
  T* data = nullptr;
  const Index* rows = nullptr;
};

// One block of the chain of a product.
template <class T>
struct SegmentProduct {
  RowTable<const T> a;
  Index row_count = 0;
  const Segment* segments = nullptr;
  Index segment_count = 0, step = 1;
  bool single = false;  // every segment is one term
  // Packed by pack_columns: panel after panel, each panel_terms rows of its vectors; the block starts at row `term`.
  const T* b = nullptr;
  Index panel_terms = 0, term = 0;
  Index cols = 0, panel_begin = 0, panel_end = 0;  // the panels to compute
  RowTable<T> c;                                   // receives the sums
  RowTable<const T> start;                         // start of the chain; zeros if null
  RowTable<const T> total;                         // added to the sums (earlier parts), unless null
  const T* bias = nullptr;                         // added last, unless null
  bool relu = false;
};

// Depthwise: y[p, c] = sum over taps of x[pixels[p] + taps[t] + c] * w[t, c].
template <class T>
struct DepthwiseForward {
  RowTable<const T> x;
  Index pixel_count = 0;
  const Index* taps = nullptr;
  Index tap_count = 0;
  const T* w = nullptr;  // rows w_row apart
  Index w_row = 0, channels = 0;
  RowTable<T> y;
  const T* bias = nullptr;
  bool relu = false;
};

// dw[t, c] (+)= sum over pixels of x[pixels[p] + taps[t] + c] * dy[p, c].
template <class T>
struct DepthwiseWeights {
  RowTable<const T> x;
  Index pixel_count = 0;
  const Index* taps = nullptr;
  Index tap_count = 0;
  const T* dy = nullptr;
  Index dy_row = 0, channels = 0;
  T* dw = nullptr;  // (taps, channels)
  bool from_dw = false;
};

// sums[o * sum_row + i] (+)= sum over pixels p of dy[p * dy_row + o] * x[window(p) + i]. The windows of pixels lie in
// x, `step` apart in a segment. Rows of sums are whole vectors; x is read up to `window` elements.
template <class T>
struct WindowSums {
  const T* x = nullptr;
  const Segment* segments = nullptr;
  Index segment_count = 0, step = 1, window = 0;
  const T* dy = nullptr;
  Index dy_row = 0, outputs = 0;
  T* sums = nullptr;
  Index sum_row = 0;
  bool from_sums = false;
};

// The gradient of an input of few channels, in planes. Tap t of `count` pixels is added to each channel's plane:
//   planes[c * plane + places[t] + i * step] += sums[(t * channels + c) * sum_row + i]      taps with places[t] >= 0
template <class T>
struct TapSums {
  const T* sums = nullptr;
  Index sum_row = 0, tap_count = 0, channels = 0, count = 0, step = 1;
  const Index* places = nullptr;
  T* planes = nullptr;
  Index plane = 0;
};

// pixels[i * channels + c] = act(planes[c * plane + i] + bias[c]), channels 1 to 4.
template <class T>
struct PlanesToPixels {
  const T* planes = nullptr;
  Index plane = 0, channels = 0, count = 0;
  const T* bias = nullptr;
  bool relu = false;
  T* pixels = nullptr;
};

// One thread's work, at one level.
template <class T>
struct ConvKernels {
  void (*product)(const SegmentProduct<T>&);
  // Packs a matrix (rows, cols) into panels, with zeros in the columns beyond.
  void (*pack)(MatrixView<const T> source, Index panel_terms, Index term, T* packed);
  void (*depthwise)(const DepthwiseForward<T>&);
  void (*depthwise_weights)(const DepthwiseWeights<T>&);
  void (*windows)(const WindowSums<T>&);
  void (*add_taps)(const TapSums<T>&);
  void (*interleave)(const PlanesToPixels<T>&);
  Index width, panel_vectors;
  Index block_terms;  // terms of a block of the chain: a panel of them stays in L1
};
CATALASE_TYPED_KERNELS(ConvKernels, conv)

// All threads. `flip`: true convolution, with the kernel reversed in every dimension. `exact`: never Winograd's
// algorithm, whose rounding error is larger.
struct ConvOptions {
  bool flip = false, exact = false;
};

// y = act(conv(x, w) + bias)
template <class T>
void conv_forward(const ConvShape& shape, const ConvOptions& options, const T* x, const T* w, const T* bias,
                  Activation activation, T* y);
// dx = act(conv backward(dy, w) + bias): the gradient of x, and the transposed convolution.
template <class T>
void conv_backward_data(const ConvShape& shape, const ConvOptions& options, const T* dy, const T* w, const T* bias,
                        Activation activation, T* dx);
template <class T>
void conv_backward_weights(const ConvShape& shape, const ConvOptions& options, const T* x, const T* dy, T* dw);

}  // namespace catalase
