// SMILES to keys of Bemis-Murcko scaffolds (J. Med. Chem. 39 (1996) 2887): two molecules have equal keys exactly if RDKit
// writes equal SMILES of their scaffolds without stereochemistry; or a molecule is left to RDKit.
//
//   molecule/{smiles.h -> valence.h -> rings.h -> kekulize.h -> aromaticity.h} -> murcko.h -> canonical.h
//
// A key is a sequence of words: the number of atoms, a label for each (element, charge, hydrogens, aromatic), and the
// bonds, in a canonical numbering. A molecule without rings has the empty key.
#pragma once

#include <cstdint>

#include "common/views.h"

namespace catalase {

struct ScaffoldBatch {
  const char* const* text;  // ASCII; nullptr if it is no text
  const std::int64_t* length;
  Index molecules;
  const std::int64_t* start;  // the first word of each molecule's room, which holds scaffold_room(length) words
  std::uint32_t* words;
  std::int32_t* count;   // words of each key
  std::uint8_t* status;  // molecule/status.h: 0, or the reason why the molecule has no key
};

// Words that a key can have: atoms and ring closures are characters of the text.
constexpr std::int64_t scaffold_room(std::int64_t length) {
  return 1 + 2 * (length < 320 ? length : 320);
}

// On up to `threads` threads of the pool.
void scaffold_keys(const ScaffoldBatch& batch, int threads);

}  // namespace catalase
