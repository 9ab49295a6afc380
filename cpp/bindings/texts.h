// The text of Python strings, without a copy.
#pragma once

#include "bindings/arrays.h"

namespace catalase {

// The text of a list's item; nullptr if the item has another type.
inline const char* text_of(PyObject* item, bool binary, std::int64_t& length) {
  Py_ssize_t bytes = 0;
  const char* text = nullptr;
  if (binary) {
    if (PyBytes_Check(item)) text = PyBytes_AS_STRING(item), bytes = PyBytes_GET_SIZE(item);
  } else if (PyUnicode_Check(item)) {
    text = PyUnicode_AsUTF8AndSize(item, &bytes);
    if (text == nullptr) {
      if (PyErr_ExceptionMatches(PyExc_MemoryError)) throw py::error_already_set();
      PyErr_Clear();  // lone surrogates: the Python layer reports them
    }
  }
  length = bytes;
  return text;
}

}  // namespace catalase
