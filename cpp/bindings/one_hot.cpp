// One-hot DNA: pointers into the str and bytes objects are collected under the GIL, and then the GIL is released.
#include "one_hot/one_hot.h"

#include "bindings/arrays.h"

namespace catalase {
namespace {

const std::int64_t* numbers(const py::array& a, Index n) {
  require(a.ndim() == 1 && a.shape(0) == n, "expected an array of another length");
  return input<std::int64_t>(a);
}

// The caller's list must not change during the call: it keeps the text alive.
void one_hot_list(const py::list& texts, const py::array& which, const py::array& start, const py::array& stop,
                  const py::array& reverse, py::array out, py::array bad) {
  const Index n = which.size(), count = static_cast<Index>(texts.size());
  require(out.ndim() == 3 && out.shape(0) == n && out.shape(2) == 4, "out does not fit");
  Scratch<const unsigned char*> text(static_cast<std::size_t>(count) + 1);
  Scratch<std::int64_t> length(static_cast<std::size_t>(count) + 1);
  for (Index i = 0; i < count; ++i) {
    PyObject* item = PyList_GET_ITEM(texts.ptr(), i);
    Py_ssize_t bytes = 0;
    const char* data;
    if (PyBytes_Check(item)) {
      data = PyBytes_AS_STRING(item);
      bytes = PyBytes_GET_SIZE(item);
    } else {
      require(PyUnicode_Check(item), "expected str or bytes");
      data = PyUnicode_AsUTF8AndSize(item, &bytes);
      if (data == nullptr) throw py::error_already_set();
    }
    text.get()[i] = reinterpret_cast<const unsigned char*>(data);
    length.get()[i] = bytes;
  }
  OneHotBatch batch{};
  batch.text = text.get();
  batch.length = length.get();
  batch.which = numbers(which, n);
  batch.start = numbers(start, n);
  batch.stop = numbers(stop, n);
  require(reverse.ndim() == 1 && reverse.shape(0) == n, "reverse does not fit");
  batch.reverse = input<std::uint8_t>(reverse);
  batch.intervals = n;
  batch.columns = out.shape(1);
  require(bad.ndim() == 1 && bad.shape(0) == n, "bad does not fit");
  batch.bad = output<std::int64_t>(bad);
  for (Index k = 0; k < n; ++k) {
    require(batch.which[k] >= 0 && batch.which[k] < count, "which is out of range");
    require(batch.start[k] <= batch.stop[k] && batch.stop[k] - batch.start[k] <= batch.columns, "interval too long");
  }
  if (has_dtype<float>(out)) {
    float* data = output<float>(out);
    KernelScope scope;
    one_hot_dna(batch, data);
  } else {
    require(has_dtype<std::uint8_t>(out) || has_dtype<std::int8_t>(out), "unexpected dtype");
    require(is_contiguous(out), "expected a contiguous array");
    auto* data = static_cast<std::uint8_t*>(out.mutable_data());  // 0 and 1 are the same bytes in int8
    KernelScope scope;
    one_hot_dna(batch, data);
  }
}

}  // namespace

CATALASE_BINDING(one_hot, m) {
  m.def("one_hot_dna", &one_hot_list, py::arg("texts"), py::arg("which"), py::arg("start"), py::arg("stop"),
        py::arg("reverse"), py::arg("out"), py::arg("bad"));
}

}  // namespace catalase
