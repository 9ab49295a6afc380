// Tanimoto similarity of packed fingerprints.
#include "bindings/arrays.h"
#include "fingerprint/tanimoto.h"

namespace catalase {

void bind_fingerprint(py::module_& m) {
  m.def(
      "tanimoto",
      [](const py::array& a, const py::array& b, py::array out) {
        require(a.ndim() == 2 && b.ndim() == 2 && out.ndim() == 2 && a.shape(1) == b.shape(1), "shapes do not fit");
        require(out.shape(0) == a.shape(0) && out.shape(1) == b.shape(0), "out does not fit");
        const auto* pa = input<std::uint8_t>(a);
        const auto* pb = input<std::uint8_t>(b);
        float* po = output<float>(out);
        const Index n = a.shape(0), k = b.shape(0), bytes = a.shape(1);
        KernelScope scope;
        tanimoto(pa, n, pb, k, bytes, po);
      },
      py::arg("a"), py::arg("b"), py::arg("out"));
}

}  // namespace catalase
