// Maps, activation derivatives and dropout over contiguous arrays of equal size.
#include "elementwise/elementwise.h"

#include "bindings/codes.h"

namespace catalase {
namespace {

template <class T>
void map_into(int f, const py::array& x, py::array& y) {
  const Map function = code(f, Map::kLog, "map: unknown function");
  require(x.size() == y.size(), "map: sizes differ");
  const T* px = input<T>(x);
  T* py_ = output<T>(y);
  const Index n = x.size();
  KernelScope scope;
  map<T>(function, px, py_, n);
}

template <class T>
void backward_into(int f, const py::array& dy, const py::array& saved, py::array& dx) {
  const Activation activation = activation_of(f);
  require(dy.size() == saved.size() && dy.size() == dx.size(), "activation_backward: sizes differ");
  const T *pdy = input<T>(dy), *from = input<T>(saved);
  T* pdx = output<T>(dx);
  const Index n = dy.size();
  KernelScope scope;
  activation_backward<T>(activation, pdy, from, pdx, n);
}

template <class T>
void dropout_into(const py::array& x, py::array& y, DropoutKey key, std::uint32_t threshold, double scale,
                  py::object& kept) {
  require(x.size() == y.size(), "dropout: sizes differ");
  std::uint8_t* mask = nullptr;
  if (!kept.is_none()) {
    auto array = py::cast<py::array>(kept);
    require(array.size() == x.size(), "dropout: kept has another size");
    mask = output<std::uint8_t>(array);
  }
  const T* px = input<T>(x);
  T* py_ = output<T>(y);
  const Index n = x.size();
  KernelScope scope;
  dropout<T>(key, threshold, static_cast<T>(scale), px, py_, mask, n);
}

template <class T>
void keep_into(const py::array& x, py::array& y, const py::array& kept, double scale) {
  require(x.size() == y.size() && x.size() == kept.size(), "keep: sizes differ");
  const T* px = input<T>(x);
  const std::uint8_t* mask = input<std::uint8_t>(kept);
  T* py_ = output<T>(y);
  const Index n = x.size();
  KernelScope scope;
  keep<T>(mask, static_cast<T>(scale), px, py_, n);
}

}  // namespace

CATALASE_BINDING(elementwise, m) {
  py::dict activations;
  py::set of_input;
  for (const ActivationFacts& activation : kActivations) {
    if (activation.derivative == Derivative::kInput) of_input.add(activation.name);
    activations[activation.name] = activations.size();
  }
  py::dict maps = activations.attr("copy")();
  maps["exp"] = static_cast<int>(Map::kExp);
  maps["log"] = static_cast<int>(Map::kLog);
  m.attr("ACTIVATIONS") = activations;
  m.attr("DERIVED_FROM_INPUT") = py::frozenset(of_input);
  m.attr("MAPS") = maps;
  m.def(
      "map",
      [](int f, const py::array& x, py::array y) { by_type(x, [&]<class T>() { return map_into<T>(f, x, y); }); },
      py::arg("function"), py::arg("x"), py::arg("y"));
  m.def(
      "activation_backward",
      [](int f, const py::array& dy, const py::array& saved, py::array dx) {
        by_type(dy, [&]<class T>() { return backward_into<T>(f, dy, saved, dx); });
      },
      py::arg("activation"), py::arg("dy"), py::arg("saved"), py::arg("dx"));
  m.def(
      "dropout",
      [](const py::array& x, py::array y, std::uint64_t seed, std::uint32_t layer, std::uint32_t step,
         std::uint32_t threshold, double scale, py::object kept) {
        const DropoutKey key{seed, layer, step};
        by_type(x, [&]<class T>() { return dropout_into<T>(x, y, key, threshold, scale, kept); });
      },
      py::arg("x"), py::arg("y"), py::arg("seed"), py::arg("layer"), py::arg("step"), py::arg("threshold"),
      py::arg("scale"), py::arg("kept"));
  m.def(
      "keep",
      [](const py::array& x, py::array y, const py::array& kept, double scale) {
        by_type(x, [&]<class T>() { return keep_into<T>(x, y, kept, scale); });
      },
      py::arg("x"), py::arg("y"), py::arg("kept"), py::arg("scale"));
}

}  // namespace catalase
