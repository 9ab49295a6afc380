// NumPy arrays whose memory comes from the caching allocator, and the Python error when there is no memory left.
#include "common/memory.h"

#include <pybind11/stl.h>

#include <exception>
#include <string>

#include "bindings/arrays.h"

namespace catalase {
namespace {

std::string text_of(PyObject* text) {
  const char* found = text == nullptr ? nullptr : PyUnicode_AsUTF8(text);
  if (found == nullptr) PyErr_Clear();
  return found == nullptr ? std::string() : std::string(found);
}

// The function of the library that a user knows: "matmul", "FingerprintIndex.topk". Among the innermost consecutive
// Python frames of the package whose names have no underscore, this is the outermost.
std::string calling_function() {
  std::string found;
  auto frame = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* const f = reinterpret_cast<PyFrameObject*>(frame.ptr());
    const auto globals = py::reinterpret_steal<py::object>(PyFrame_GetGlobals(f));
    const auto code = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(f)));
    const std::string module = text_of(PyDict_GetItemString(globals.ptr(), "__name__"));
    const std::string name = text_of(reinterpret_cast<PyCodeObject*>(code.ptr())->co_qualname);
    const bool is_private = name.empty() || name[0] == '_' || name.find("._") != std::string::npos ||
                            name.find('<') != std::string::npos || !module.starts_with("catalase.");
    if (is_private && !found.empty()) break;
    if (!is_private) found = name;
    frame = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetBack(f)));
  }
  return found.empty() ? "catalase" : found;
}

std::string with_commas(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

void raise_memory_error(const std::string& what) {
  PyErr_SetString(PyExc_MemoryError, (calling_function() + ": " + what).c_str());
}

void translate(std::exception_ptr thrown) {
  constexpr const char* kAdvice =
      " could not be had; give it less at a time, free memory, or raise the limit of the process";
  constexpr const char* kTooMuch = "this takes more memory than any machine has; ask for less";
  try {
    std::rethrow_exception(thrown);
  } catch (const OutOfMemory& e) {
    raise_memory_error(e.bytes() == SIZE_MAX ? kTooMuch : with_commas(e.bytes()) + " bytes of memory" + kAdvice);
  } catch (const std::bad_alloc&) {
    raise_memory_error(std::string("memory for small objects") + kAdvice);
  } catch (const std::length_error&) {  // a list longer than its maximum
    raise_memory_error(kTooMuch);
  } catch (const std::runtime_error&) {  // pybind11's error for Python objects that could not be made
    if (PyErr_Occurred() == nullptr || !PyErr_ExceptionMatches(PyExc_MemoryError)) throw;
  }
}

}  // namespace

CATALASE_BINDING(memory, m) {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      translate(thrown);
    } catch (const std::bad_alloc&) {  // no memory for the message either
      PyErr_NoMemory();
    }
  });
  m.def(
      "empty",
      [](const std::vector<py::ssize_t>& shape, const py::object& dtype) {
        return cached_array(py::dtype::from_args(dtype), shape);
      },
      py::arg("shape"), py::arg("dtype"));
  m.def("cache_stats", [] {
    const CacheStats stats = cache_stats();
    return py::dict(py::arg("cached_bytes") = stats.cached_bytes, py::arg("live_bytes") = stats.live_bytes);
  });
  m.def("release_cached_memory", &release_cached_memory);
  m.def("fail_allocation", &fail_allocation, py::arg("n"));
}

}  // namespace catalase
