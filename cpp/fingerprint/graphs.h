// SMILES to molecular graphs, the input of morgan.h, for a device that does the hashing (cuda/ecfp.cu).
//
// One array of 32-bit words holds the graphs of n molecules, with A atoms and E ends of bonds (two a bond) in all:
//
//   first_atom (n + 1)   the start of each molecule's atoms
//   first_end (A + 1)    the start of each atom's bonds: compressed sparse rows
//   value (A)            the atom's hash of round 0, or its pharmacophoric classes
//   end (E)              neighbour | bond << 8 | hashed bond type << 16: numbers within the molecule, of bonds too
//
// Molecules of more than 255 atoms and ring closures have a status, like those that are left to RDKit: their graph is
// empty, and `ecfp` processes them.
#pragma once

#include "fingerprint/ecfp.h"

namespace catalase {

// The space in which the graphs are written first. The space of molecule i begins at start[i] atoms and twice as many
// ends; its text is no shorter than its atoms and bonds together, so min(length, 255) atoms suffice.
struct GraphRoom {
  const std::int64_t* start;
  std::uint32_t* value;
  std::uint32_t* end;
  std::uint8_t* degree;
  std::int32_t *atoms, *ends;  // of each molecule
};

// Graphs and statuses of a batch (its radius, size and rows are ignored), on up to `threads` threads.
void ecfp_graphs(const EcfpBatch& batch, const GraphRoom& room, int threads);

// Packs the same graphs into the one array; `atoms` is their total number.
void pack_graphs(const GraphRoom& room, Index molecules, Index atoms, std::uint32_t* graphs);

}  // namespace catalase
