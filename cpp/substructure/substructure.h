// SMARTS patterns in a batch of SMILES: equal to RDKit's matches, or left to RDKit.
//
//   smarts.cpp compiles patterns (query.h); molecule/ -> target.h -> match.h,  driven by substructure_level.cpp
//
// Each molecule gets a status (molecule/status.h): 0 if its row was written, otherwise the reason why not, with a row of
// zeros. A single entry can also be left to RDKit (the pattern counts smallest rings, and these are not unique), or be
// given up after too many steps. Rows are independent: threads never change a result.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "molecule/work_memory.h"
#include "substructure/query.h"

namespace catalase {

// Columns that count something else than the matches of a pattern: smallest rings whose bonds are all aromatic, and parts
// of the molecule that are not connected.
constexpr std::uint32_t kAromaticRings = 0xffffffff, kParts = 0xfffffffe;

// A column of the result: 1 if the number of matches is in [low, high], which is counted only as far as need be.
struct SubstructureColumn {
  std::uint32_t pattern;  // or one of the numbers above
  std::int32_t low, high;
};

constexpr std::int32_t kNoHighest = 0x7fffffff;

// Entries of a row that are no result.
constexpr std::uint8_t kMatchLeft = 2, kMatchGivenUp = 3;
constexpr std::int32_t kCountLeft = -1, kCountGivenUp = -2;

struct SubstructureBatch {
  const char* const* text;  // ASCII, or RDKit's binary form; nullptr if it is neither
  const std::int64_t* length;
  Index molecules;
  QueryTables tables;
  const SubstructureColumn* column;
  Index columns;
  std::uint8_t* matches;  // (n, columns), or nullptr
  std::int32_t* counts;   // (n, columns): the numbers of matches instead
  std::uint8_t* status;   // (n,)
  WorkMemory memory;
  void (*emit)(void* sink, const std::uint8_t* atoms, unsigned count);  // each match that is counted, or nullptr
  bool binary;                                                          // text holds the result of Mol.ToBinary
};

struct SubstructureKernels {
  // Molecules [begin, end) of a batch, on this thread.
  void (*rows)(const SubstructureBatch& batch, Index begin, Index end, void* sink);
};
CATALASE_KERNELS(SubstructureKernels, substructure)

}  // namespace catalase
