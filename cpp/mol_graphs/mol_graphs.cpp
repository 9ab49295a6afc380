// A batch over threads, and the copy of its graphs into packed arrays.
#include "mol_graphs/mol_graphs.h"

#include <cstring>

#include "common/blocks.h"
#include "common/memory.h"

namespace catalase {

namespace {

constexpr Index kMolGraphBlock = 64;  // molecules: some 200 microseconds of work

// Copies rows of `bytes` bytes out of words, each `times` times. Words are written whole while there is room, since the
// next row overwrites what is too much.
void copy_rows(const std::uint64_t* word, Index rows, Index bytes, int times, std::uint8_t* out) {
  const std::uint8_t* const end = out + rows * times * bytes;
  for (Index i = 0; i < rows; ++i) {
    for (int t = 0; t < times; ++t, out += bytes) {
      if (end - out >= 8) {
        std::memcpy(out, word + i, 8);
      } else {
        std::memcpy(out, word + i, static_cast<std::size_t>(bytes));
      }
    }
  }
}

void pack_molecule(const MolGraphBatch& batch, const PackedGraphs& packed, Index i) {
  const GraphRows& rows = batch.rows;
  const GraphTables& tables = *batch.tables;
  const Index start = rows.start[i], atoms = rows.atoms[i], bonds = rows.bonds[i];
  const Index a = packed.first_atom[i], b = packed.first_bond[i];
  copy_rows(rows.atom + start, atoms, tables.atom_fields, 1, packed.atom_codes + a * tables.atom_fields);
  copy_rows(rows.bond + start, bonds, tables.bond_fields, 2, packed.bond_codes + 2 * b * tables.bond_fields);
  std::memcpy(packed.floats + a * tables.floats, rows.floats + start * tables.floats,
              static_cast<std::size_t>(atoms * tables.floats) * sizeof(float));
  const auto base = static_cast<std::int32_t>(a);
  for (Index k = 0; k < bonds; ++k) {
    const std::int32_t begin = base + static_cast<std::int32_t>(rows.begin[start + k]);
    const std::int32_t end = base + static_cast<std::int32_t>(rows.end[start + k]);
    packed.source[2 * (b + k)] = packed.target[2 * (b + k) + 1] = begin;
    packed.source[2 * (b + k) + 1] = packed.target[2 * (b + k)] = end;
  }
}

}  // namespace

void read_mol_graphs(const MolGraphBatch& given, int threads) {
  MolGraphBatch batch = given;
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  in_blocks(batch.molecules, kMolGraphBlock, threads,
            [&](Index begin, Index end) { mol_graphs_kernels().read(batch, begin, end); });
}

void pack_mol_graphs(const MolGraphBatch& batch, const PackedGraphs& packed, int threads) {
  in_blocks(batch.molecules, 1024, threads, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) pack_molecule(batch, packed, i);
  });
}

}  // namespace catalase
