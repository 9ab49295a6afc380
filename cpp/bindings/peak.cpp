// The machine's ceilings.
#include "peak/peak.h"

#include "bindings/arrays.h"

namespace catalase {

CATALASE_BINDING(peak, m) {
  m.def(
      "fma_peak",
      [](int repeats) {
        KernelScope scope;
        return fma_peak(repeats);
      },
      py::arg("repeats"));
  m.def(
      "copy_peak",
      [](int repeats) {
        KernelScope scope;
        return copy_peak(repeats);
      },
      py::arg("repeats"));
}

}  // namespace catalase
