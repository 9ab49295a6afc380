// Which atoms bind more than RDKit permits, for its words about a molecule that the kernels call refused.
#pragma once

#include <cstdint>

#include "molecule/work_memory.h"

namespace catalase {

struct ValenceProblem {
  std::int64_t atom;
  char symbol[3];
  int valence;
};

// The first `room` of those of a molecule with status kRefused, and how many there are; -1 for any other molecule.
std::int64_t valence_problems(const char* text, std::int64_t length, const WorkMemory& memory, ValenceProblem* problems,
                              std::int64_t room);

}  // namespace catalase
