// Chooses the algorithm of each pass, and computes the gradient of the input (and so the transposed convolution) by
// forward-like passes, one for each phase of the stride.
#include "conv/conv.h"

#include "common/partition.h"
#include "conv/direct.h"
#include "conv/parts.h"
#include "conv/winograd.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {

enum class Pass { kForward, kBackwardData, kBackwardWeights };
enum class Algorithm { kDirect, kFewChannels, kWinograd };

// The one choice of an algorithm. It does not look at the batch, so an image gets the same bits alone and in any batch.
// float64, `exact`, flipped kernels, strides, dilation, groups and few channels always take the direct sum; `finish`
// stands for the bias and activation of a transposed convolution, which Winograd's gradient of the input cannot apply.
template <class T>
Algorithm choose(Pass pass, const ConvShape& shape, const ConvOptions& options, bool finish = false) {
  if (pass == Pass::kBackwardData && has_few_channels(shape)) return Algorithm::kFewChannels;
  if (sizeof(T) == 4 && !options.exact && !options.flip && !finish && winograd_applies(shape)) {
    return Algorithm::kWinograd;
  }
  return Algorithm::kDirect;
}

// Applies the activations that the kernels do not apply in registers.
template <class T>
void activate(Activation activation, T* y, Index n) {
  if (activation == Activation::kIdentity || activation == Activation::kRelu) return;
  map<T>(static_cast<Map>(activation), y, y, n);
}

template <class T>
void direct_convolution(const ConvShape& s, bool flip, const T* x, const T* w, const T* bias, bool relu, T* y) {
  const Index taps = tap_count(s), channels = s.in_channels / s.groups;
  Scratch<Index> source(static_cast<std::size_t>(taps));
  for (Index t = 0; t < taps; ++t) source.get()[t] = (flip ? taps - 1 - t : t) * channels * s.out_channels;
  Scratch<T> packed(static_cast<std::size_t>(weights_size<T>(s)));
  pack_weights<T>(s, {w, source.get(), s.out_channels / s.groups, s.out_channels, 1}, packed.get());
  DirectForward<T> args{s, x, packed.get(), y, {}, bias, relu};
  args.y_step[3] = s.out_channels;
  for (int i = 2; i >= 0; --i) args.y_step[i] = args.y_step[i + 1] * s.out[i];
  direct_forward(args);
}

// The inputs of one dimension that lie a whole number of strides apart, and the taps that reach them:
//   input i = first + m * stride;  taps t = tap + j * tap_step;  output o = base + m - j * dilation
struct Phase {
  Index first, count, tap, tap_step, taps, dilation, base;
};

Phase phase_of(const ConvShape& s, int i, Index first) {
  const Index stride = s.stride[i], remainder = ((first + s.before[i]) % stride + stride) % stride;
  Phase p{first, first < s.in[i] ? ceil_div(s.in[i] - first, stride) : 0, 0, 1, 0, 1, 0};
  Index common = stride, rest = s.dilation[i];
  while (rest != 0) {
    const Index next = common % rest;
    common = rest, rest = next;
  }
  p.tap_step = stride / common;
  p.dilation = s.dilation[i] / common;
  while (p.tap < s.kernel[i] && p.tap * s.dilation[i] % stride != remainder) ++p.tap;
  if (p.tap < s.kernel[i]) p.taps = (s.kernel[i] - p.tap - 1) / p.tap_step + 1;
  p.base = (first + s.before[i] - p.tap * s.dilation[i]) / stride;  // exact if there are taps, so never rounded
  return p;
}

// A forward-like pass over dy with the phase's taps in reverse, whose outputs lie `stride` apart in dx.
template <class T>
void run_phase(const ConvShape& s, bool flip, const Phase (&p)[3], const T* dy, const T* w, const T* bias, bool relu,
               T* dx) {
  ConvShape f;
  f.batch = s.batch, f.groups = s.groups, f.in_channels = s.out_channels, f.out_channels = s.in_channels;
  for (int i = 0; i < 3; ++i) {
    f.in[i] = s.out[i], f.out[i] = p[i].count, f.kernel[i] = p[i].taps, f.dilation[i] = p[i].dilation;
    f.before[i] = (p[i].taps - 1) * p[i].dilation - p[i].base;
  }
  if (pixel_count(f) == 0) return;
  const Index taps = tap_count(f), channels = s.in_channels / s.groups;
  if (taps == 0) {
    for (int i = 0; i < 3; ++i) f.kernel[i] = 0, f.dilation[i] = 1, f.before[i] = 0;
  }
  Scratch<Index> source(static_cast<std::size_t>(taps));
  for (Index j = 0; j < taps; ++j) {
    const Index at[3] = {j / (f.kernel[1] * f.kernel[2]), j / f.kernel[2] % f.kernel[1], j % f.kernel[2]};
    Index tap = 0;
    for (int i = 0; i < 3; ++i) tap = tap * s.kernel[i] + p[i].tap + (p[i].taps - 1 - at[i]) * p[i].tap_step;
    source.get()[j] = (flip ? tap_count(s) - 1 - tap : tap) * channels * s.out_channels;
  }
  Scratch<T> packed(static_cast<std::size_t>(weights_size<T>(f)));
  pack_weights<T>(f, {w, source.get(), s.out_channels / s.groups, 1, s.out_channels}, packed.get());
  DirectForward<T> args{f, dy, packed.get(), dx, {}, bias, relu};
  Index step = s.in_channels;
  for (int i = 2; i >= 0; --i) {
    args.y += p[i].first * step;
    args.y_step[i + 1] = s.stride[i] * step;
    step *= s.in[i];
  }
  args.y_step[0] = step;
  direct_forward(args);
}

template <class T>
void direct_backward_data(const ConvShape& s, bool flip, const T* dy, const T* w, const T* bias, bool relu, T* dx) {
  Index phases[3];  // for each dimension, the phases that begin inside it
  for (int i = 0; i < 3; ++i) phases[i] = smaller(s.stride[i], s.in[i]);
  for (Index i = 0; i < phases[0] * phases[1] * phases[2]; ++i) {
    const Phase phase[3] = {phase_of(s, 0, i / (phases[1] * phases[2])), phase_of(s, 1, i / phases[2] % phases[1]),
                            phase_of(s, 2, i % phases[2])};
    run_phase(s, flip, phase, dy, w, bias, relu, dx);
  }
}

}  // namespace

template <class T>
void conv_forward(const ConvShape& s, const ConvOptions& options, const T* x, const T* w, const T* bias,
                  Activation activation, T* y) {
  const bool relu = activation == Activation::kRelu;
  if (choose<T>(Pass::kForward, s, options) == Algorithm::kWinograd) {
    if constexpr (sizeof(T) == 4) {
      winograd_forward(s, x, w, bias, relu ? Activation::kRelu : Activation::kIdentity, y);
    }
  } else {
    direct_convolution(s, options.flip, x, w, bias, relu, y);
  }
  activate(activation, y, pixel_count(s) * s.out_channels);
}

template <class T>
void conv_backward_data(const ConvShape& s, const ConvOptions& options, const T* dy, const T* w, const T* bias,
                        Activation activation, T* dx) {
  const bool relu = activation == Activation::kRelu;
  const bool finish = bias != nullptr || activation != Activation::kIdentity;
  const Algorithm algorithm = choose<T>(Pass::kBackwardData, s, options, finish);
  if constexpr (sizeof(T) == 4) {
    if (algorithm == Algorithm::kWinograd) return winograd_backward_data(s, dy, w, dx);
  }
  if (algorithm == Algorithm::kFewChannels) {
    direct_backward_few(s, options.flip, dy, w, bias, relu, dx);
  } else {
    direct_backward_data(s, options.flip, dy, w, bias, relu, dx);
  }
  activate(activation, dx, s.batch * s.in[0] * s.in[1] * s.in[2] * s.in_channels);
}

template <class T>
void conv_backward_weights(const ConvShape& s, const ConvOptions& options, const T* x, const T* dy, T* dw) {
  if constexpr (sizeof(T) == 4) {
    if (choose<T>(Pass::kBackwardWeights, s, options) == Algorithm::kWinograd) {
      return winograd_backward_weights(s, x, dy, dw);
    }
  }
  direct_backward_weights(s, options.flip, x, dy, dw);
}

template void conv_forward<float>(const ConvShape&, const ConvOptions&, const float*, const float*, const float*,
                                  Activation, float*);
template void conv_forward<double>(const ConvShape&, const ConvOptions&, const double*, const double*, const double*,
                                   Activation, double*);
template void conv_backward_data<float>(const ConvShape&, const ConvOptions&, const float*, const float*, const float*,
                                        Activation, float*);
template void conv_backward_data<double>(const ConvShape&, const ConvOptions&, const double*, const double*,
                                         const double*, Activation, double*);
template void conv_backward_weights<float>(const ConvShape&, const ConvOptions&, const float*, const float*, float*);
template void conv_backward_weights<double>(const ConvShape&, const ConvOptions&, const double*, const double*,
                                            double*);

}  // namespace catalase
