// SMILES to extended-connectivity fingerprints, equal to RDKit's Morgan generator bit for bit, or left to RDKit.
//
//   smiles.h -> valence.h -> rings.h -> kekulize.h -> aromaticity.h -> morgan.h,  driven by ecfp_impl.h
//
// Each molecule gets a status: 0 where its row was written, otherwise why it was not (see molecule.h), and then its row
// is zero. Rows are independent: threads never change a bit.
#pragma once

#include "common/views.h"

namespace catalase {

enum class EcfpOutput : int { kPacked = 0, kDense = 1, kCounts = 2 };

struct EcfpBatch {
  const char* const* text;     // ASCII; nullptr: not text
  const std::int64_t* length;
  Index molecules;
  int radius;
  std::uint32_t size;          // bits
  bool use_bond_types, chirality;
  EcfpOutput output;
  void* rows;                  // uint8 (n, size / 8), float32 (n, size) or uint32 (n, size)
  std::uint8_t* status;        // (n,)
};

// All threads.
void ecfp(const EcfpBatch& batch);

}  // namespace catalase
