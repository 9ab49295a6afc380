// NumPy arrays whose memory comes from the caching allocator and goes back to it.
#include "common/memory.h"

#include <pybind11/stl.h>

#include "bindings/arrays.h"

namespace catalase {

void bind_memory(py::module_& m) {
  m.def(
      "empty",
      [](const std::vector<py::ssize_t>& shape, const py::dtype& dtype) {
        std::size_t bytes = static_cast<std::size_t>(dtype.itemsize());
        for (py::ssize_t extent : shape) {
          require(extent >= 0, "negative extent");
          if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(extent), &bytes)) throw std::bad_alloc();
        }
        void* block = cached_alloc(bytes);
        if (block == nullptr) throw std::bad_alloc();
        return py::array(dtype, shape, block, py::capsule(block, [](void* p) { cached_free(p); }));
      },
      py::arg("shape"), py::arg("dtype"));
  m.def("cache_stats", [] {
    const CacheStats stats = cache_stats();
    return py::dict(py::arg("cached_bytes") = stats.cached_bytes, py::arg("live_bytes") = stats.live_bytes);
  });
  m.def("release_cached_memory", &release_cached_memory);
}

}  // namespace catalase
