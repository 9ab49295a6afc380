// The one choice among levels. A level is an instruction set, with one set of kernels for every family. The best level
// that the CPU supports is chosen once, when the module is imported; CATALASE_CPU names another.
#pragma once

#include <span>
#include <string>

#include "cpu/features.h"
#include "cpu/kernels.h"

namespace catalase {

struct Level {
  const char* name;
  bool (*supported)(const CpuFeatures&);
  const Kernels* kernels;
  const TanimotoKernels* tanimoto_vpopcntdq;  // for CPUs with VPOPCNTDQ, which the level does not imply; or null
};

// All levels built into this library, best first. levels_x86.cpp or levels_portable.cpp defines it.
std::span<const Level> built_levels();

// The level in use. select_level throws std::invalid_argument with an explanation for names that are unknown or that
// this machine lacks; "auto" and "" mean the best level.
const Level& level();
void select_level(const std::string& name);

// The kernels in use.
inline const Kernels& kernels() {
  return *level().kernels;
}
template <class T>
const TypedKernels<T>& kernels() {
  if constexpr (sizeof(T) == 4) {
    return kernels().f32;
  } else {
    return kernels().f64;
  }
}

}  // namespace catalase
