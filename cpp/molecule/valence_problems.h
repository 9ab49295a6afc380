// The atoms that bind more than RDKit permits, for RDKit's message about a molecule that the kernels refuse.
#pragma once

#include <cstdint>

#include "molecule/work_memory.h"

namespace catalase {

struct ValenceProblem {
  std::int64_t atom;
  char symbol[3];
  int valence;
};

// The first `room` such atoms of a molecule with status kRefused, and their number; -1 for any other molecule.
std::int64_t valence_problems(const char* text, std::int64_t length, const WorkMemory& memory, ValenceProblem* problems,
                              std::int64_t room);

}  // namespace catalase
