// Augmentation of batches of images and of masks.
#include "image/image.h"

#include "bindings/codes.h"

namespace catalase {
namespace {

struct Batch {
  Batch(const py::array& x, const py::array& y, const py::array& numbers_in) {
    require(x.ndim() == 4 && y.ndim() == 4 && is_contiguous(x) && is_contiguous(y), "expected contiguous NHWC");
    n = x.shape(0);
    shape = {x.shape(1), x.shape(2), x.shape(3), y.shape(1), y.shape(2)};
    require(y.shape(0) == n && y.shape(3) == x.shape(3), "shapes do not fit");
    require(shape.out_height >= 1 && shape.out_height <= shape.height, "out_height does not fit");
    require(shape.out_width >= 1 && shape.out_width <= shape.width, "out_width does not fit");
    require(numbers_in.ndim() == 1 && numbers_in.shape(0) == n, "numbers do not fit");
    numbers = input<std::uint32_t>(numbers_in);
  }
  Index n;
  AugmentShape shape;
  const std::uint32_t* numbers;
};

}  // namespace

CATALASE_BINDING(image, m) {
  m.attr("BORDERS") =
      codes<Border>({{"constant", Border::kConstant}, {"edge", Border::kEdge}, {"reflect", Border::kReflect}});
  py::class_<AugmentOptions>(m, "AugmentOptions")
      .def(py::init([](double flip_horizontal, double flip_vertical, bool quarter_turns, double rotation,
                       double shift_y, double shift_x, float brightness, float contrast, float noise, float scale,
                       float low, float high, int border, float fill, bool random) {
             return AugmentOptions{flip_horizontal,
                                   flip_vertical,
                                   quarter_turns,
                                   rotation,
                                   shift_y,
                                   shift_x,
                                   brightness,
                                   contrast,
                                   noise,
                                   scale,
                                   low,
                                   high,
                                   code(border, Border::kReflect, "unknown border"),
                                   fill,
                                   random};
           }),
           py::kw_only(), py::arg("flip_horizontal"), py::arg("flip_vertical"), py::arg("quarter_turns"),
           py::arg("rotation"), py::arg("shift_y"), py::arg("shift_x"), py::arg("brightness"), py::arg("contrast"),
           py::arg("noise"), py::arg("scale"), py::arg("low"), py::arg("high"), py::arg("border"), py::arg("fill"),
           py::arg("random"));
  m.def(
      "augment",
      [](const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const py::array& numbers,
         const py::array& x, py::array y) {
        const Batch b(x, y, numbers);
        float* out = output<float>(y);
        if (has_dtype<float>(x)) {
          const float* in = input<float>(x);
          KernelScope scope;
          augment(options, seed, step, b.numbers, b.n, b.shape, in, out);
        } else {
          const auto* in = input<std::uint8_t>(x);
          KernelScope scope;
          augment(options, seed, step, b.numbers, b.n, b.shape, in, out);
        }
      },
      py::arg("options"), py::arg("seed"), py::arg("step"), py::arg("numbers"), py::arg("x"), py::arg("y"));
  m.def(
      "augment_masks",
      [](const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const py::array& numbers,
         const py::array& x, py::array y) {
        const Batch b(x, y, numbers);
        const Index item = x.itemsize();
        require(y.itemsize() == item && (item == 1 || item == 2 || item == 4 || item == 8), "unexpected item size");
        const void* in = x.data();
        void* out = y.mutable_data();
        KernelScope scope;
        augment_masks(options, seed, step, b.numbers, b.n, b.shape, in, out, item);
      },
      py::arg("options"), py::arg("seed"), py::arg("step"), py::arg("numbers"), py::arg("x"), py::arg("y"));
}

}  // namespace catalase
