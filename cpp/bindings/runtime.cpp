// Threads, CPU levels and build information.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "bindings/binding.h"
#include "common/thread_pool.h"
#include "cpu/dispatch.h"
#include "cpu/features.h"

namespace catalase {
namespace {

namespace py = pybind11;

// CATALASE_NUM_THREADS, or the cores that this process may use.
void threads_from_environment() {
  const char* text = std::getenv("CATALASE_NUM_THREADS");
  if (text == nullptr || *text == '\0') return;
  char* end = nullptr;
  const long count = std::strtol(text, &end, 10);
  if (*end != '\0' || count < 1 || count > 4096) {
    throw std::invalid_argument("CATALASE_NUM_THREADS must be a whole number from 1 to 4096, but is '" +
                                std::string(text) + "'; correct it or unset it");
  }
  set_num_threads(static_cast<int>(count));
}

py::dict build_info() {
  py::dict info;
  info["version"] = CATALASE_VERSION;
  info["compiler"] = CATALASE_COMPILER;
  info["build_type"] = CATALASE_BUILD_TYPE;
  info["cpu"] = cpu_model_name();
  info["cpu_features"] = cpu_feature_names();
  info["cpu_level"] = level().name;
  py::list levels;
  for (const Level& l : built_levels()) {
    if (l.supported(cpu_features())) levels.append(l.name);
  }
  info["cpu_levels"] = levels;
  return info;
}

}  // namespace

// Functions that threadpoolctl calls through ctypes; see python/catalase/_internal/threadpoolctl.py.
extern "C" {
__attribute__((visibility("default"))) int catalase_get_num_threads() {
  return num_threads();
}
__attribute__((visibility("default"))) void catalase_set_num_threads(int count) {
  set_num_threads(count);
}
__attribute__((visibility("default"))) const char* catalase_version() {
  return CATALASE_VERSION;
}
}

CATALASE_BINDING(runtime, m) {
  const char* name = std::getenv("CATALASE_CPU");
  select_level(name == nullptr ? "auto" : name);
  num_threads();  // the pool and the allocator are made now, so that neither can fail to start later
  threads_from_environment();
  m.def("set_num_threads", &set_num_threads, py::arg("count"));
  m.def("get_num_threads", &num_threads);
  m.def("usable_cores", &usable_cores);
  m.def("quota_cores", &quota_cores, py::arg("root"), py::arg("group"));
  m.def("set_cpu_level", &select_level, py::arg("name"));
  m.def("get_cpu_level", [] { return level().name; });
  m.def("build_info", &build_info);
}

}  // namespace catalase
