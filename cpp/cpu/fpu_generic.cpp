// A processor whose control register is unknown: denormals stay as they are; results are right but can be slow.
#include "cpu/fpu.h"

namespace catalase {

std::uint64_t fpu_state() noexcept {
  return 0;
}
void set_fpu_state(std::uint64_t) noexcept {}
void enable_flush_to_zero() noexcept {}

}  // namespace catalase
