// Convolution. The Python layer has computed the geometry; it is checked once more here, since kernels trust it.
#include "conv/conv.h"

#include <pybind11/stl.h>

#include <array>

#include "bindings/codes.h"
#include "conv/winograd.h"

namespace catalase {
namespace {

using Triple = std::array<Index, ConvShape::kDims>;

struct Geometry {
  Triple stride, before, dilation;
  Index groups;
};

// x (N, D, H, W, C), w (KD, KH, KW, C / groups, O), y (N, OD, OH, OW, O)
ConvShape shape_of(const py::array& x, const py::array& w, const py::array& y, const Geometry& g) {
  require(x.ndim() == 5 && w.ndim() == 5 && y.ndim() == 5, "expected five dimensions");
  ConvShape s;
  s.batch = x.shape(0), s.in_channels = x.shape(4), s.out_channels = w.shape(4), s.groups = g.groups;
  require(g.groups >= 1 && s.in_channels == w.shape(3) * g.groups && s.out_channels % g.groups == 0,
          "groups do not fit");
  require(y.shape(0) == s.batch && y.shape(4) == s.out_channels, "y does not fit");
  for (int i = 0; i < ConvShape::kDims; ++i) {
    const auto u = static_cast<std::size_t>(i);
    s.in[i] = x.shape(i + 1), s.kernel[i] = w.shape(i), s.out[i] = y.shape(i + 1);
    s.stride[i] = g.stride[u], s.dilation[i] = g.dilation[u], s.before[i] = g.before[u];
    require(s.stride[i] >= 1 && s.dilation[i] >= 1 && s.kernel[i] >= 1, "geometry is wrong");
  }
  return s;
}

template <class T>
const T* optional_bias(const py::object& bias, Index n) {
  if (bias.is_none()) return nullptr;
  const auto array = py::cast<py::array>(bias);
  require(array.ndim() == 1 && array.shape(0) == n, "bias does not fit");
  return input<T>(array);
}

template <class T>
void forward(const py::array& x, const py::array& w, const py::object& bias, int activation, const Geometry& g,
             ConvOptions options, py::array y) {
  const ConvShape s = shape_of(x, w, y, g);
  const T* b = optional_bias<T>(bias, s.out_channels);
  const T *source = input<T>(x), *weights = input<T>(w);
  T* target = output<T>(y);
  const Activation act = activation_of(activation);
  KernelScope scope;
  conv_forward<T>(s, options, source, weights, b, act, target);
}

template <class T>
void backward_data(const py::array& dy, const py::array& w, const py::object& bias, int activation, const Geometry& g,
                   ConvOptions options, py::array dx) {
  const ConvShape s = shape_of(dx, w, dy, g);
  const T* b = optional_bias<T>(bias, s.in_channels);
  const T *source = input<T>(dy), *weights = input<T>(w);
  T* target = output<T>(dx);
  const Activation act = activation_of(activation);
  KernelScope scope;
  conv_backward_data<T>(s, options, source, weights, b, act, target);
}

template <class T>
void backward_weights(const py::array& x, const py::array& dy, const Geometry& g, ConvOptions options, py::array dw) {
  const ConvShape s = shape_of(x, dw, dy, g);
  const T *source = input<T>(x), *gradient = input<T>(dy);
  T* target = output<T>(dw);
  KernelScope scope;
  conv_backward_weights<T>(s, options, source, gradient, target);
}

using Pair = std::pair<Index, Index>;

// The Winograd path alone, for its tests: it runs for any shape, without the choice that the convolution makes. The
// shape comes from arrays x (N, H, W, C), w (KH, KW, C, O) and y (N, OH, OW, O), with `before` zeros ahead of x.
ConvShape winograd_shape(const py::array& x, const py::array& w, const py::array& y, Pair before) {
  require(x.ndim() == 4 && w.ndim() == 4 && y.ndim() == 4, "expected x, w and y of four dimensions");
  require(x.shape(0) == y.shape(0) && x.shape(3) == w.shape(2) && y.shape(3) == w.shape(3), "shapes do not fit");
  ConvShape s;
  s.batch = x.shape(0);
  s.in_channels = w.shape(2), s.out_channels = w.shape(3);
  for (int d = 1; d < ConvShape::kDims; ++d) {
    s.in[d] = x.shape(d), s.out[d] = y.shape(d), s.kernel[d] = w.shape(d - 1);
  }
  s.before[1] = before.first, s.before[2] = before.second;
  require(winograd_possible(s), "the Winograd path takes 3x3 and 5x5 kernels and 16 channels or more");
  return s;
}

void bind_winograd(py::module_& m) {
  m.def(
      "winograd_applies",
      [](const py::array& x, const py::array& w, const py::array& y, Pair before) {
        return winograd_applies(winograd_shape(x, w, y, before));
      },
      py::arg("x"), py::arg("w"), py::arg("y"), py::arg("before"));
  m.def(
      "winograd_forward",
      [](const py::array& x, const py::array& w, const py::object& bias, bool relu, Pair before, py::array y) {
        const ConvShape s = winograd_shape(x, w, y, before);
        const float* b = nullptr;
        if (!bias.is_none()) {
          const auto array = py::cast<py::array>(bias);
          require(array.ndim() == 1 && array.shape(0) == s.out_channels, "bias does not fit");
          b = input<float>(array);
        }
        const float *from = input<float>(x), *filters = input<float>(w);
        float* to = output<float>(y);
        KernelScope scope;
        winograd_forward(s, from, filters, b, relu ? Activation::kRelu : Activation::kIdentity, to);
      },
      py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("relu"), py::arg("before"), py::arg("y"));
  m.def(
      "winograd_backward_data",
      [](const py::array& dy, const py::array& w, Pair before, py::array dx) {
        const ConvShape s = winograd_shape(dx, w, dy, before);
        const float *from = input<float>(dy), *filters = input<float>(w);
        float* to = output<float>(dx);
        KernelScope scope;
        winograd_backward_data(s, from, filters, to);
      },
      py::arg("dy"), py::arg("w"), py::arg("before"), py::arg("dx"));
  m.def(
      "winograd_backward_weights",
      [](const py::array& x, const py::array& dy, Pair before, py::array dw) {
        const ConvShape s = winograd_shape(x, dw, dy, before);
        const float *from = input<float>(x), *gradient = input<float>(dy);
        float* to = output<float>(dw);
        KernelScope scope;
        winograd_backward_weights(s, from, gradient, to);
      },
      py::arg("x"), py::arg("dy"), py::arg("before"), py::arg("dw"));
}

}  // namespace

CATALASE_BINDING(conv, m) {
  m.def(
      "conv_forward",
      [](const py::array& x, const py::array& w, const py::object& bias, int activation, Triple stride, Triple before,
         Triple dilation, Index groups, bool flip, bool exact, const py::array& y) {
        by_type(x, [&]<class T>() {
          forward<T>(x, w, bias, activation, {stride, before, dilation, groups}, {flip, exact}, y);
        });
      },
      py::arg("x"), py::arg("w"), py::arg("bias"), py::arg("activation"), py::arg("stride"), py::arg("before"),
      py::arg("dilation"), py::arg("groups"), py::arg("flip"), py::arg("exact"), py::arg("y"));
  m.def(
      "conv_backward_data",
      [](const py::array& dy, const py::array& w, const py::object& bias, int activation, Triple stride, Triple before,
         Triple dilation, Index groups, bool flip, bool exact, const py::array& dx) {
        by_type(dy, [&]<class T>() {
          backward_data<T>(dy, w, bias, activation, {stride, before, dilation, groups}, {flip, exact}, dx);
        });
      },
      py::arg("dy"), py::arg("w"), py::arg("bias"), py::arg("activation"), py::arg("stride"), py::arg("before"),
      py::arg("dilation"), py::arg("groups"), py::arg("flip"), py::arg("exact"), py::arg("dx"));
  m.def(
      "conv_backward_weights",
      [](const py::array& x, const py::array& dy, Triple stride, Triple before, Triple dilation, Index groups,
         bool flip, bool exact, const py::array& dw) {
        by_type(x,
                [&]<class T>() { backward_weights<T>(x, dy, {stride, before, dilation, groups}, {flip, exact}, dw); });
      },
      py::arg("x"), py::arg("dy"), py::arg("stride"), py::arg("before"), py::arg("dilation"), py::arg("groups"),
      py::arg("flip"), py::arg("exact"), py::arg("dw"));
  bind_winograd(m);
}

}  // namespace catalase
