// SMILES to molecular graphs, for a device that does the hashing (cuda/ecfp.cu): what morgan.h starts from.
//
// One array of 32-bit words holds the graphs of n molecules, with A atoms and E ends of bonds (two a bond) in all:
//
//   first_atom (n + 1)   where a molecule's atoms begin
//   first_end (A + 1)    where an atom's bonds begin: compressed sparse rows
//   value (A)            the atom's hash of round 0, or its pharmacophoric classes
//   end (E)              neighbour | bond << 8 | hashed bond type << 16: numbers within the molecule, of bonds too
//
// Molecules of more than 255 atoms and ring closures have a status, as those that are left to RDKit: their graph is
// empty, and `ecfp` takes them.
#pragma once

#include "fingerprint/ecfp.h"

namespace catalase {

// Where the graphs are written at first. The room of molecule i begins at start[i] atoms and twice as many ends; its
// text is no shorter than its atoms and bonds together, so min(length, 255) atoms suffice.
struct GraphRoom {
  const std::int64_t* start;
  std::uint32_t* value;
  std::uint32_t* end;
  std::uint8_t* degree;
  std::int32_t *atoms, *ends;  // of each molecule
};

// Graphs and statuses of a batch (its radius, size and rows are not asked for), on up to `threads` threads.
void ecfp_graphs(const EcfpBatch& batch, const GraphRoom& room, int threads);

// The same packed into the one array; `atoms` is their sum.
void pack_graphs(const GraphRoom& room, Index molecules, Index atoms, std::uint32_t* graphs);

}  // namespace catalase
