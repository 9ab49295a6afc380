// The memory of kernels, straight from malloc: a cache of blocks would hide errors from the address sanitizer.
#pragma once

#include <cstddef>
#include <cstdlib>

#include "common/memory.h"

namespace catalase {

const char* OutOfMemory::what() const noexcept {
  return "out of memory";
}
void* cached_alloc(std::size_t bytes) {
  void* block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw OutOfMemory(bytes);
  return block;
}
void* cached_alloc(std::size_t count, std::size_t item_bytes) {
  return cached_alloc(count * item_bytes);
}
void cached_free(void* block) noexcept {
  std::free(block);
}

}  // namespace catalase
