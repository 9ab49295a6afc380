// From NumPy arrays to views. The Python layer has checked kind, shape and dtype; a mismatch here is a bug of ours and
// raises all the same.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

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
  return {data, a.shape(0), a.shape(1), a.strides(0) / item, a.strides(1) / item};
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
