// SMILES to keys of their scaffolds, as bytes.
#include "scaffold/scaffold.h"

#include "bindings/chunks.h"

namespace catalase {
namespace {

// A list of bytes; None where the status is not 0.
py::list scaffold_list(const py::list& smiles, py::array status, int threads) {
  const Index n = static_cast<Index>(smiles.size());
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  auto* reasons = output<std::uint8_t>(status);
  py::list keys;
  Index done = 0;
  while (done < n) {
    const Index count = smaller(n - done, kChunk);
    const auto room = static_cast<std::size_t>(count);
    Scratch<const char*> text(room);
    Scratch<std::int64_t> length(2 * room);  // and the start of each molecule's room
    Scratch<std::int32_t> words_of(room);
    std::int64_t *start = length.get() + count, total = 0;
    for (Index i = 0; i < count; ++i) {
      text.get()[i] = text_of(PyList_GET_ITEM(smiles.ptr(), done + i), false, length.get()[i]);
      start[i] = total;
      total += scaffold_room(length.get()[i]);
    }
    Scratch<std::uint32_t> words(static_cast<std::size_t>(total));
    const ScaffoldBatch batch{text.get(), length.get(), count, start, words.get(), words_of.get(), reasons + done};
    {
      KernelScope scope;
      scaffold_keys(batch, threads);
    }
    for (Index i = 0; i < count; ++i) {
      if (reasons[done + i] != 0) {
        keys.append(py::none());
        continue;
      }
      const auto bytes = static_cast<std::size_t>(words_of.get()[i]) * sizeof(std::uint32_t);
      keys.append(py::bytes(reinterpret_cast<const char*>(words.get() + start[i]), bytes));
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    done += count;
  }
  return keys;
}

}  // namespace

CATALASE_BINDING(scaffold, m) {
  m.def("scaffold_keys", &scaffold_list, py::arg("smiles"), py::arg("status"), py::arg("threads"));
}

}  // namespace catalase
