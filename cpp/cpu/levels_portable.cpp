// The levels of a build for any other processor: compiler vectors only.
#include <array>

#include "cpu/dispatch.h"

namespace catalase {

extern const Kernels kernels_portable;

std::span<const Level> built_levels() {
  static const std::array<Level, 1> levels = {
      {{"portable", [](const CpuFeatures&) { return true; }, &kernels_portable, nullptr}}};
  return levels;
}

}  // namespace catalase
