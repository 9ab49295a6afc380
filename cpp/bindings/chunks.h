// A Python list of texts, a chunk at a time: pointers into the strings are collected under the GIL, and then the GIL is
// released for the work on the chunk.
#pragma once

#include "bindings/texts.h"
#include "common/memory.h"
#include "common/partition.h"

namespace catalase {

constexpr Index kChunk = 1 << 13;             // molecules: their text is still in cache when it is read
constexpr std::int64_t kChunkText = 1 << 20;  // characters after which a chunk ends: signals are handled between chunks

// Calls work(text, length, start, count) for chunks of the list, which must not change during the call: it keeps the
// strings alive.
template <class Work>
void in_chunks(const py::list& texts, bool binary, Work&& work) {
  const Index n = static_cast<Index>(texts.size());
  const auto held = static_cast<std::size_t>(smaller(n, kChunk));
  Scratch<const char*> text(held);
  Scratch<std::int64_t> length(held);
  for (Index start = 0, count = 0; start < n; start += count) {
    const Index most = smaller(n - start, kChunk);
    std::int64_t characters = 0;
    for (count = 0; count < most && characters < kChunkText; ++count) {
      text.get()[count] = text_of(PyList_GET_ITEM(texts.ptr(), start + count), binary, length.get()[count]);
      characters += length.get()[count];
    }
    {
      KernelScope scope;
      work(text.get(), length.get(), start, count);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

}  // namespace catalase
