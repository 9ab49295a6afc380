// The distinct environments of a set of molecules, and the batches that compute each of them once.
//
// In message passing along directed bonds (D-MPNN) the hidden vector of a bond at depth t depends on its environment of
// radius t alone, and environments repeat within a batch. Bonds (and atoms) with equal environments form a class:
//
//   kind of an atom    its codes and the bits of its floats
//   bonds, depth 0     (kind of the source atom, codes of the bond)
//   bonds, depth t     (class at depth 0, sorted classes at depth t - 1 of the other bonds into the source)
//   atoms              (kind, sorted classes at the last depth of the bonds into the atom)
//
// or, in message passing along atoms (graph convolutions), which is not told the bonds' codes:
//
//   atoms, depth 0     kind
//   atoms, depth t     (its class at depth t - 1, sorted classes at depth t - 1 of its neighbours)
//
// or along atoms with the bonds (GIN with features of bonds, attention), where each neighbour comes with the codes of the
// bond to it.
//
// "The other bonds into the source" are those without the bond's own reverse. Classes are equal if their content is
// equal: contents are compared, hashes only find them. Besides, each class has a 64-bit hash of its content alone, the
// same in any process and any set of molecules. Sorted means ascending hashes (of two classes with one hash, which has
// not been seen, the one that was found first comes first). So the sums over a class go in an order that depends on
// nothing but the molecule.
//
// Work is linear in the number of bonds times the depth, but for atoms of very many bonds, whose lists are as long as
// the square of that number. One thread. Bound: latency of the tables of classes.
#pragma once

#include "common/memory.h"
#include "common/views.h"

namespace catalase {

// Molecules packed end to end. Bonds 2k and 2k + 1 are the two directions of one bond.
struct PackedGraphs {
  Index molecules, atoms, bonds;
  const Index *atom_offsets, *bond_offsets;  // (molecules + 1,)
  const std::uint8_t* atom_codes;            // (atoms, atom_fields)
  const float* atom_floats;                  // (atoms, atom_numbers)
  const std::uint8_t* bond_codes;            // (bonds, bond_fields)
  const std::int32_t *source, *target;       // (bonds,)
  Index atom_fields, atom_numbers, bond_fields;
};

// The first bond that is not beside its reverse or whose atoms are not of its molecule, or -1.
Index first_bad_bond(const PackedGraphs& graphs);

// Classes by number: class c consists of kind[c] and the classes index[offsets[c]] .. of the depth below.
struct ClassTable {
  ScratchVector<std::int32_t> kind;
  ScratchVector<Index> offsets = {0};
  ScratchVector<std::int32_t> index;
  ScratchVector<std::int32_t> bond;  // along atoms with the bonds: for each of index the kind of its bond; else empty
};

struct Environments {
  ScratchVector<std::int32_t> atom_kinds;    // an atom of each kind
  ScratchVector<std::int32_t> bond_kinds;    // a bond of each class at depth 0; along atoms of each of the bonds' codes
  ScratchVector<ClassTable> bonds;           // depths 1 to depth - 1; kind is the class at depth 0
  ClassTable atoms;                          // kind is the atom's kind
  ScratchVector<std::int32_t> atom_classes;  // (atoms,)
  ScratchVector<std::int32_t> atom_order;    // (atoms,): the atoms of each molecule in ascending order of their classes
};

// depth >= 1; first_bad_bond has found none.
Environments find_environments(const PackedGraphs& graphs, Index depth);

// The classes of message passing along atoms at depths 1 to depth: `bonds` has depths 1 to depth - 1, `atoms` the last;
// kind is the class of the atom itself at the depth below. There are bond_kinds only with_bonds.
Environments find_atom_environments(const PackedGraphs& graphs, Index depth, bool with_bonds);

// Every atom and bond a class of its own: lists and sums ascend by the numbers of bonds and atoms. All depths of bonds
// have one table, bonds[0]. With the bonds, their codes are still counted once.
Environments plain_environments(const PackedGraphs& graphs);
Environments plain_atom_environments(const PackedGraphs& graphs, bool with_bonds);  // one table for all depths, `atoms`

// The distinct rows of a batch at one depth: what each row sums, and the lists of the way back.
struct BatchDepth {
  ScratchVector<std::int32_t> index;  // rows of the depth below
  ScratchVector<Index> offsets;       // (rows + 1,)
  ScratchVector<std::int32_t>
      kind;  // (rows,): rows among the kinds of the batch; along atoms: the atom's own row below
  ScratchVector<std::int32_t> bond;  // as index: rows among the bond kinds of the batch; empty without
};

// The tables of a data set, as `find_environments` made them.
struct ClassView {
  Index classes;
  const std::int32_t* kind;
  const Index* offsets;
  const std::int32_t* index;
  const std::int32_t* bond;  // nullptr without
};
struct EnvironmentsView {
  const Index* atom_offsets;
  const std::int32_t *atom_classes, *atom_order;
  Index atom_kinds, bond_kinds;
  ClassView atoms;
  const ClassView* bonds;  // depths 1 to depth - 1
  Index depth;
  bool along_atoms;  // the tables are those of find_atom_environments
};

struct EnvironmentBatch {
  BatchDepth molecules;                    // lists of rows of `atoms`, atoms in their order; no kinds
  BatchDepth atoms;                        // lists of rows of the last depth of bonds
  ScratchVector<BatchDepth> bonds;         // depths 1 to depth - 1
  ScratchVector<std::int32_t> atom_kinds;  // the kinds of atoms in the batch, by their numbers in the data set
  ScratchVector<std::int32_t> bond_kinds;  // the classes at depth 0
};

// For each class (atoms; bonds from the last depth to 1; kinds of atoms; kinds of bonds, in this order): the batch that
// last met it, and its row there.
struct ClassMark {
  std::uint32_t stamp;
  std::int32_t row;
};
Index marks_needed(const EnvironmentsView& e);

// Rows are numbered in the order in which the walk from the molecules to their atoms, and on to the bonds, meets them.
// No mark has this stamp yet.
EnvironmentBatch environment_batch(const EnvironmentsView& e, const Index* molecules, Index count, ClassMark* marks,
                                   std::uint32_t stamp);

}  // namespace catalase
