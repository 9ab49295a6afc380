// The MXCSR register: bit 15 flushes denormal results to zero, bit 6 reads denormal operands as zero.
#include <immintrin.h>

#include "cpu/fpu.h"

namespace catalase {

std::uint64_t fpu_state() noexcept {
  return _mm_getcsr();
}
void set_fpu_state(std::uint64_t state) noexcept {
  _mm_setcsr(static_cast<unsigned>(state));
}
void enable_flush_to_zero() noexcept {
  _mm_setcsr(_mm_getcsr() | 0x8040u);
}

}  // namespace catalase
