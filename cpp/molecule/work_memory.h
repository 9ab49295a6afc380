// Where the work space of molecules that do not fit on the stack comes from.
#pragma once

#include <cstddef>

namespace catalase {

struct WorkMemory {
  void* (*allocate)(std::size_t bytes);  // throws std::bad_alloc
  void (*release)(void* block);
};

}  // namespace catalase
