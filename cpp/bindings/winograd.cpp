// The Winograd path by itself, for its tests: it runs whatever the shape, where the convolution would choose.
#include "conv/winograd.h"

#include "bindings/arrays.h"

namespace catalase {
namespace {

using Pair = std::pair<Index, Index>;

// The shape from arrays x (N, H, W, C), w (KH, KW, C, O) and y (N, OH, OW, O), with `before` zeros ahead of x.
ConvShape shape_of(const py::array& x, const py::array& w, const py::array& y, Pair before) {
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

}  // namespace

void bind_winograd(py::module_& m) {
  m.def(
      "winograd_applies",
      [](const py::array& x, const py::array& w, const py::array& y, Pair before) {
        return winograd_applies(shape_of(x, w, y, before));
      },
      py::arg("x"), py::arg("w"), py::arg("y"), py::arg("before"));
  m.def(
      "winograd_forward",
      [](const py::array& x, const py::array& w, const py::object& bias, bool relu, Pair before, py::array y) {
        const ConvShape s = shape_of(x, w, y, before);
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
        const ConvShape s = shape_of(dx, w, dy, before);
        const float *from = input<float>(dy), *filters = input<float>(w);
        float* to = output<float>(dx);
        KernelScope scope;
        winograd_backward_data(s, from, filters, to);
      },
      py::arg("dy"), py::arg("w"), py::arg("before"), py::arg("dx"));
  m.def(
      "winograd_backward_weights",
      [](const py::array& x, const py::array& dy, Pair before, py::array dw) {
        const ConvShape s = shape_of(x, dw, dy, before);
        const float *from = input<float>(x), *gradient = input<float>(dy);
        float* to = output<float>(dw);
        KernelScope scope;
        winograd_backward_weights(s, from, gradient, to);
      },
      py::arg("x"), py::arg("dy"), py::arg("before"), py::arg("dw"));
}

}  // namespace catalase
