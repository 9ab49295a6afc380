// SMILES to packed molecular graphs: small integer codes of atoms and bonds, a few floats of atoms, and who binds whom.
//
//   molecule/{smiles.h -> valence.h -> perceive_facts.h -> stereo.h} -> facts of each atom and bond -> tables -> rows
//
// A feature set is given by tables from facts to codes, so the kernel knows none by name: a row of atom codes is the OR of
// one 64-bit word a fact, one byte a field; a row of bond codes is one word. Rows are at most 8 bytes.
//
// Atoms have RDKit's numbers, bonds RDKit's order, each with the direction from its begin atom to its end atom first.
// Each molecule gets a status (molecule/status.h): 0 if its graph was written, otherwise the reason why not.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "molecule/status.h"
#include "molecule/work_memory.h"

namespace catalase {

// Facts about an atom, each a byte; the charge has 128 added. Tag and hybridization have RDKit's numbers.
#define CATALASE_ATOM_FACTS(f)                                                                                \
  f(element) f(degree) f(total_degree) f(charge) f(tag) f(hydrogens) f(hybridization) f(aromatic) f(implicit) \
      f(radicals)

#define CATALASE_ATOM_FACT_ENTRY(name) name,
enum class AtomFact : int { CATALASE_ATOM_FACTS(CATALASE_ATOM_FACT_ENTRY) kCount };
#undef CATALASE_ATOM_FACT_ENTRY
constexpr int kAtomFacts = static_cast<int>(AtomFact::kCount);

constexpr int kMaxGraphFields = 8, kMaxGraphFloats = 4;

// The facts about a bond as one number: the type (single 0, double, triple, aromatic 3, any other 4), 8 if it is
// conjugated, 16 if it is in a ring, and 32 times RDKit's number of its stereo label.
constexpr int kBondFacts = 256;

struct GraphTables {
  int atom_fields, bond_fields, floats;
  std::uint64_t atom[kAtomFacts][256];
  std::uint64_t bond[kBondFacts];
  AtomFact float_fact[kMaxGraphFloats];
  float float_value[kMaxGraphFloats][256];
};

// Where graphs are written first. Molecule i has room for as many atoms and bonds as its text has characters, from start[i]
// on: there is one for each atom, and there are two for each ring closure.
struct GraphRows {
  const std::int64_t* start;
  std::uint64_t* atom;          // rows of atom codes
  float* floats;                // `floats` an atom
  std::uint64_t* bond;          // rows of bond codes, of undirected bonds
  std::uint32_t *begin, *end;   // of these bonds, within the molecule
  std::int32_t *atoms, *bonds;  // of each molecule; 0 where its status is not 0
};

struct MolGraphBatch {
  const char* const* text;  // nullptr if it is no text
  const std::int64_t* length;
  bool binary;  // texts are the bytes of RDKit's Mol.ToBinary
  Index molecules;
  std::uint8_t* status;
  const GraphTables* tables;
  GraphRows rows;
  WorkMemory memory;  // of large molecules
};

struct MolGraphKernels {
  void (*read)(const MolGraphBatch& batch, Index begin, Index end);  // molecules [begin, end), on this thread
};
CATALASE_KERNELS(MolGraphKernels, mol_graphs)

// The packed graphs of a batch: each bond twice, and atoms numbered through all molecules.
struct PackedGraphs {
  const std::int64_t *first_atom, *first_bond;  // of each molecule; undirected bonds
  std::uint8_t *atom_codes, *bond_codes;        // (atoms, atom_fields), (2 bonds, bond_fields)
  float* floats;                                // (atoms, floats)
  std::int32_t *source, *target;                // (2 bonds,)
};

// Both on up to `threads` threads of the pool.
void read_mol_graphs(const MolGraphBatch& batch, int threads);
void pack_mol_graphs(const MolGraphBatch& batch, const PackedGraphs& packed, int threads);

}  // namespace catalase
