// The levels of an x86-64 build, best first.
#include <array>

#include "cpu/dispatch.h"

namespace catalase {

extern const Kernels kernels_avx512, kernels_avx2, kernels_portable;
extern const TanimotoKernels tanimoto_avx512vpopcntdq;

std::span<const Level> built_levels() {
  static const std::array<Level, 3> levels = {{
      {"avx512", [](const CpuFeatures& f) { return f.avx512; }, &kernels_avx512, &tanimoto_avx512vpopcntdq},
      {"avx2", [](const CpuFeatures& f) { return f.avx2_fma; }, &kernels_avx2, nullptr},
      {"portable", [](const CpuFeatures&) { return true; }, &kernels_portable, nullptr},
  }};
  return levels;
}

}  // namespace catalase
