// The one choice among levels. A level is an instruction set, with one set of kernels for every family (kernels.h). The
// best level that the CPU supports is chosen once, when the module is imported; CATALASE_CPU names another.
#pragma once

#include <span>
#include <string>

#include "cpu/features.h"

namespace catalase {

struct Level {
  const char* name;
  bool (*supported)(const CpuFeatures&);
};

// All levels built into this library, best first.
std::span<const Level> built_levels();

// The level in use. select_level throws std::invalid_argument with an explanation for names that are unknown or that
// this machine lacks; "auto" and "" mean the best level.
const Level& level();
void select_level(const std::string& name);

}  // namespace catalase
