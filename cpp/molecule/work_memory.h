// The source of the work space of molecules that do not fit on the stack.
#pragma once

#include <cstddef>

namespace catalase {

struct WorkMemory {
  void* (*allocate)(std::size_t bytes);  // throws std::bad_alloc
  void (*release)(void* block);
};

}  // namespace catalase
