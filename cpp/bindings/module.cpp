// The list of the functions in _core. Each family has its bindings in a separate file.
#include <pybind11/pybind11.h>

#include <cstdlib>

#include "cpu/dispatch.h"

namespace catalase {
void bind_runtime(pybind11::module_& m);
void bind_memory(pybind11::module_& m);
void bind_matmul(pybind11::module_& m);
void bind_elementwise(pybind11::module_& m);
void bind_loss(pybind11::module_& m);
void bind_optim(pybind11::module_& m);
void bind_pool(pybind11::module_& m);
void bind_norm(pybind11::module_& m);
void bind_conv(pybind11::module_& m);
void bind_rnn(pybind11::module_& m);
void bind_embedding(pybind11::module_& m);
void bind_one_hot(pybind11::module_& m);
void bind_image(pybind11::module_& m);
void bind_fingerprint(pybind11::module_& m);
void bind_similarity(pybind11::module_& m);
void bind_peak(pybind11::module_& m);
}  // namespace catalase

PYBIND11_MODULE(_core, m) {
  m.doc() = "Catalase's compiled kernels. Private: use catalase.ops.";
  m.attr("__version__") = CATALASE_VERSION;
  catalase::bind_runtime(m);
  catalase::bind_memory(m);
  catalase::bind_matmul(m);
  catalase::bind_elementwise(m);
  catalase::bind_loss(m);
  catalase::bind_optim(m);
  catalase::bind_pool(m);
  catalase::bind_norm(m);
  catalase::bind_conv(m);
  catalase::bind_rnn(m);
  catalase::bind_embedding(m);
  catalase::bind_one_hot(m);
  catalase::bind_image(m);
  catalase::bind_fingerprint(m);
  catalase::bind_similarity(m);
  catalase::bind_peak(m);
}
