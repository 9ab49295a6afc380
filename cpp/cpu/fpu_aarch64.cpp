// The FPCR register: bit 24 flushes denormal operands and results to zero.
#include "cpu/fpu.h"

namespace catalase {

std::uint64_t fpu_state() noexcept {
  std::uint64_t state;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}
void set_fpu_state(std::uint64_t state) noexcept {
  asm volatile("msr fpcr, %0" : : "r"(state));
}
void enable_flush_to_zero() noexcept {
  set_fpu_state(fpu_state() | (std::uint64_t{1} << 24));
}

}  // namespace catalase
