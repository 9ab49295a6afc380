// SMILES to atom pairs, topological torsions and RDKit's path fingerprints, equal to RDKit's bit for bit, or left to RDKit.
//
//   molecule/{smiles.h -> valence.h -> perceive.h} -> atom_codes.h or subgraphs.h -> rows.h,  driven by paths_level.cpp
//
// Each molecule gets a status (molecule/status.h): 0 if its row was written, otherwise the reason why not, with a row
// of zeros. Rows are independent: threads never change a bit.
#pragma once

#include "fingerprint/ecfp.h"

namespace catalase {

enum class PathKind : int { kAtomPairs = 0, kTorsions = 1, kSubgraphs = 2 };

struct PathBatch {
  const char* const* text;  // ASCII; nullptr if the item is no text
  const std::int64_t* length;
  Index molecules;
  PathKind kind;
  std::uint32_t size;  // bits
  EcfpOutput output;
  void* rows;            // uint8 (n, size / 8), float32 (n, size) or uint32 (n, size)
  std::uint8_t* status;  // (n,)
  WorkMemory memory;
};

struct PathKernels {
  void (*rows)(const PathBatch& batch, Index begin, Index end);  // molecules [begin, end), on this thread
};
CATALASE_KERNELS(PathKernels, path)

constexpr std::int64_t kMaxSubgraphs = 4'000'000;  // of a molecule: a fifth of a second; RDKit needs gigabytes for more

// On up to `threads` threads of the pool. It uses the caching allocator and ignores batch.memory.
void path_fingerprints(const PathBatch& batch, int threads);

}  // namespace catalase
