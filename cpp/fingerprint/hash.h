// The step of RDKit's 32-bit hash.
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr u32 kGolden = 0x9e3779b9u;

inline u32 mix(u32 seed, u32 value) {
  return seed ^ (value + kGolden + (seed << 6) + (seed >> 2));
}

}  // namespace
}  // namespace catalase
