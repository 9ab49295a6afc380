// SMILES to extended-connectivity fingerprints, equal to RDKit's Morgan generator bit for bit, or left to RDKit.
//
//   molecule/{smiles.h -> valence.h -> rings.h -> kekulize.h -> aromaticity.h} -> morgan.h,  driven by ecfp_level.cpp
//
// A batch of RDKit's own molecules takes molecule/rdkit_binary.h -> morgan.h: nothing is perceived again.
//
// Each molecule gets a status (molecule/status.h): 0 if its row was written, otherwise the reason why not, with a row
// of zeros. Status 9 means that RDKit refuses a metal's valence; its row is that of a partial sanitization if `partial`
// is set. Rows are independent: threads never change a bit.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "molecule/work_memory.h"

namespace catalase {

enum class EcfpOutput : int { kPacked = 0, kDense = 1, kCounts = 2 };

struct EcfpBatch {
  const char* const* text;  // ASCII, or RDKit's binary form; nullptr if neither
  const std::int64_t* length;
  Index molecules;
  int radius;
  std::uint32_t size;  // bits
  bool use_bond_types, chirality, features;
  EcfpOutput output;
  void* rows;            // uint8 (n, size / 8), float32 (n, size) or uint32 (n, size)
  std::uint8_t* status;  // (n,)
  WorkMemory memory;
  bool binary = false;   // text holds the result of Mol.ToBinary
  bool partial = false;  // write the rows of molecules that are refused for a metal's valence
};

struct GraphRoom;  // graphs.h

struct EcfpKernels {
  // Molecules [begin, end) of a batch, on this thread: their fingerprints, or their molecular graphs.
  void (*rows)(const EcfpBatch& batch, Index begin, Index end);
  void (*graphs)(const EcfpBatch& batch, const GraphRoom& room, Index begin, Index end);
};
CATALASE_KERNELS(EcfpKernels, ecfp)

constexpr int kEcfpMaxRadius = 6;  // of the work space on the stack; a larger radius takes the path of large molecules

// On up to `threads` threads of the pool. It uses the caching allocator and ignores batch.memory.
void ecfp(const EcfpBatch& batch, int threads);

// The set bits of packed rows as compressed sparse rows. count_set_bits gives the number of bits of each row.
void count_set_bits(const std::uint8_t* rows, Index n, Index bytes, std::int64_t* counts);
void list_set_bits(const std::uint8_t* rows, Index n, Index bytes, const std::int64_t* indptr, std::int32_t* indices);

}  // namespace catalase
