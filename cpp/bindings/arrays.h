// From NumPy arrays to views. The Python layer has checked kind, shape and dtype; a mismatch here is a bug of ours and
// raises all the same.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

#include "common/memory.h"
#include "common/views.h"
#include "cpu/fpu.h"

namespace catalase {

namespace py = pybind11;

template <class T>
bool has_dtype(const py::array& a) {
  return py::isinstance<py::array_t<T>>(a);
}

inline void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("catalase._core: ") + what);
}

// A 2-D array of any strides; they must be whole elements (the Python layer copies the odd array where they are not).
template <class T>
MatrixView<T> matrix_view(const py::array& a) {
  require(a.ndim() == 2, "expected a matrix");
  require(has_dtype<std::remove_const_t<T>>(a), "unexpected dtype");
  constexpr Index item = sizeof(T);
  require(a.strides(0) % item == 0 && a.strides(1) % item == 0, "strides are not whole elements");
  T* data;
  if constexpr (std::is_const_v<T>) {
    data = static_cast<T*>(a.data());
  } else {
    data = static_cast<T*>(const_cast<py::array&>(a).mutable_data());  // raises for read-only arrays
  }
  if (a.size() == 0) return {data, a.shape(0), a.shape(1), a.shape(1), 1};  // some NumPys give nothing strides of 0
  return {data, a.shape(0), a.shape(1), a.strides(0) / item, a.strides(1) / item};
}

// Whether an object is a NumPy array that kernels can read as it stands: dtype T in native byte order, aligned, strides
// of whole elements. A few nanoseconds; whoever answers no gets the Python layer's checks and their sentences.
template <class T>
bool is_plain(py::handle h) {
  if (!py::isinstance<py::array>(h)) return false;
  const auto* array = py::detail::array_proxy(h.ptr());
  const auto* descr = py::detail::array_descriptor_proxy(array->descr);
  if (descr->type_num != py::detail::npy_format_descriptor<T>::value || descr->byteorder != '=') return false;
  if ((array->flags & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) return false;
  for (int i = 0; i < array->nd; ++i) {
    if (array->strides[i] % static_cast<Index>(sizeof(T)) != 0) return false;
  }
  return true;
}
template <class T>
MatrixView<T> plain_view(py::handle h) {
  const auto* array = py::detail::array_proxy(h.ptr());
  constexpr Index item = sizeof(T);
  return {reinterpret_cast<T*>(array->data), array->dimensions[0], array->dimensions[1], array->strides[0] / item,
          array->strides[1] / item};
}
inline int plain_ndim(py::handle h) {
  return py::detail::array_proxy(h.ptr())->nd;
}

// A new array of the caching allocator; raises MemoryError where there is no memory left.
template <class T>
py::array new_matrix(Index rows, Index cols) {
  static const auto* dtype = new py::dtype(py::dtype::of<T>());  // never destroyed: the interpreter may be gone first
  void* block = cached_alloc(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * sizeof(T));
  if (block == nullptr) throw std::bad_alloc();
  return py::array(*dtype, {rows, cols}, block, py::capsule(block, [](void* p) { cached_free(p); }));
}

inline bool is_contiguous(const py::array& a) {
  return (a.flags() & py::array::c_style) != 0;
}

// The data of a C-contiguous array.
template <class T>
const T* input(const py::array& a) {
  require(has_dtype<T>(a), "unexpected dtype");
  require(is_contiguous(a), "expected a contiguous array");
  return static_cast<const T*>(a.data());
}
template <class T>
T* output(py::array& a) {
  require(has_dtype<T>(a), "unexpected dtype");
  require(is_contiguous(a), "expected a contiguous array");
  return static_cast<T*>(a.mutable_data());
}

// What every kernel call does: other Python threads may run, and denormals are flushed.
class KernelScope {
 private:
  py::gil_scoped_release release_;
  FlushToZero flush_;
};

}  // namespace catalase
