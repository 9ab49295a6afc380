// From NumPy arrays to views. The Python layer has checked kind, shape and dtype; a mismatch here is a bug of the
// library, and raises an error all the same.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "bindings/binding.h"
#include "common/memory.h"
#include "common/views.h"
#include "cpu/fpu.h"

namespace catalase {

namespace py = pybind11;

template <class T>
bool has_dtype(const py::array& a) {
  return py::isinstance<py::array_t<T>>(a);
}

// f.operator()<T>() for the type of an array's elements: double, or else float.
template <class F>
auto by_type(const py::array& a, F&& f) {
  return has_dtype<double>(a) ? f.template operator()<double>() : f.template operator()<float>();
}

inline void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("catalase._core: ") + what);
}

// A 2-D array of any strides; they must be whole elements (the Python layer copies the rare array with other strides).
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
  if (a.size() == 0) return {data, a.shape(0), a.shape(1), a.shape(1), 1};  // empty arrays may have strides of 0
  return {data, a.shape(0), a.shape(1), a.strides(0) / item, a.strides(1) / item};
}

// Whether an object is a NumPy array that kernels can read in place: dtype T in native byte order, aligned, with
// strides of whole elements. The check takes a few nanoseconds; other objects go through the Python layer's checks,
// which explain.
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

// A new array whose memory comes from the caching allocator and returns to it.
inline py::array cached_array(const py::dtype& dtype, const py::array::ShapeContainer& shape) {
  std::size_t items = 1;
  for (const py::ssize_t extent : *shape) {
    require(extent >= 0, "negative extent");
    if (__builtin_mul_overflow(items, static_cast<std::size_t>(extent), &items)) throw OutOfMemory(SIZE_MAX);
  }
  std::unique_ptr<void, void (*)(void*)> block(cached_alloc(items, static_cast<std::size_t>(dtype.itemsize())),
                                               [](void* p) { cached_free(p); });
  const py::capsule owner(block.get(), block.get_deleter());
  return py::array(dtype, shape, block.release(), owner);
}
template <class T>
py::array new_matrix(Index rows, Index cols) {
  static const auto* dtype = new py::dtype(py::dtype::of<T>());  // never destroyed: the interpreter may end first
  return cached_array(*dtype, {rows, cols});
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

// Python's lock is released during the lifetime of this object.
//
// When the interpreter shuts down, CPython before 3.14 ends a daemon thread that asks for the lock by pthread_exit,
// whose unwinding would reach a destructor and abort the process. Such a thread blocks for ever instead, as in CPython
// 3.14; it ends with the process.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() noexcept(false) { take_back(); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  struct StopIfUnwound {
    bool armed = true;
    ~StopIfUnwound() {
      while (armed) pause();
    }
  };
  __attribute__((noinline)) void take_back() {
    StopIfUnwound stop;
    PyEval_RestoreThread(state_);
    stop.armed = false;
  }

  PyThreadState* state_;
};

// The scope of a kernel call: other Python threads may run, and denormals are flushed to zero.
class KernelScope {
 public:
  ~KernelScope() noexcept(false) {}

 private:
  WithoutGil without_gil_;
  FlushToZero flush_;
};

}  // namespace catalase
