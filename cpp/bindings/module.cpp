// The module _core: its functions are in the other files of this folder.
#include <pybind11/pybind11.h>

#include "bindings/binding.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "Catalase's compiled kernels. Private: use catalase.ops.";
  m.attr("__version__") = CATALASE_VERSION;
  catalase::Binding::add_all(m);
}
