// The status of a molecule: read here, or left to RDKit, and why.
#pragma once

#include <cstdint>

namespace catalase {

constexpr std::int64_t kMaxText = 1 << 20;  // characters of a molecule: some 200 bytes of work space each

// The reason why a molecule is left to RDKit. kNative means that it is not.
enum Status : std::uint8_t {
  kNative = 0,
  kNotText = 1,     // set by the binding: not a str
  kSyntax = 2,      // beyond the grammar that is read here; most such texts are no SMILES at all
  kSize = 3,        // more atoms, bonds or neighbours than the workspace holds
  kElement = 4,     // an element, charge or isotope that is not proven
  kValence = 5,     // a valence that RDKit refuses, changes, or that is not proven
  kRings = 6,       // the smallest rings are not unique where that could matter
  kAromatic = 7,    // no Kekule form, more than one where that shows, or an unproven aromatic atom
  kStereo = 8,      // stereo marks, if they are requested
  kRefused = 9,     // RDKit refuses a metal's valence; the row is that of a partial sanitization, or zero
  kSubgraphs = 10,  // more subgraphs than are counted; RDKit would need gigabytes
};

}  // namespace catalase
