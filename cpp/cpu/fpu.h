// Flush-to-zero and denormals-are-zero. Adam's moments of dead units become denormal after some 800 steps, and every
// operation on denormals takes a microcode assist, which slows the step down.
#pragma once

#include <cstdint>

namespace catalase {

std::uint64_t fpu_state() noexcept;
void set_fpu_state(std::uint64_t state) noexcept;
void enable_flush_to_zero() noexcept;

// Sets the mode for one kernel call and restores the caller's mode.
class FlushToZero {
 public:
  FlushToZero() noexcept : saved_(fpu_state()) { enable_flush_to_zero(); }
  ~FlushToZero() { set_fpu_state(saved_); }
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
  std::uint64_t saved_;
};

}  // namespace catalase
