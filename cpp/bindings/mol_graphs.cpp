// SMILES, or the bytes of Mol.ToBinary, to packed molecular graphs.
#include "mol_graphs/mol_graphs.h"

#include <memory>
#include <tuple>
#include <vector>

#include "bindings/chunks.h"
#include "bindings/codes.h"
#include "common/memory.h"

namespace catalase {

namespace {

// The tables of a feature set.
class MolGraphTables {
 public:
  MolGraphTables(const std::vector<std::tuple<int, py::array>>& atom_fields, const py::array& bond_fields,
                 const std::vector<std::tuple<int, py::array>>& floats)
      : tables_(std::make_unique<GraphTables>()) {
    GraphTables& t = *tables_;
    require(bond_fields.ndim() == 2 && bond_fields.shape(1) == kBondFacts, "unexpected table of bonds");
    require(atom_fields.size() <= kMaxGraphFields && bond_fields.shape(0) <= kMaxGraphFields, "too many fields");
    require(floats.size() <= kMaxGraphFloats, "too many floats");
    t.atom_fields = static_cast<int>(atom_fields.size());
    t.bond_fields = static_cast<int>(bond_fields.shape(0));
    t.floats = static_cast<int>(floats.size());
    for (std::size_t k = 0; k < atom_fields.size(); ++k) {
      const auto& [fact, table] = atom_fields[k];
      const auto* codes = column<std::uint8_t>(fact, table);
      for (int value = 0; value < 256; ++value) t.atom[fact][value] |= std::uint64_t{codes[value]} << (8 * k);
    }
    const auto* bonds = input<std::uint8_t>(bond_fields);
    for (int k = 0; k < t.bond_fields; ++k) {
      for (int f = 0; f < kBondFacts; ++f) t.bond[f] |= std::uint64_t{bonds[k * kBondFacts + f]} << (8 * k);
    }
    for (std::size_t k = 0; k < floats.size(); ++k) {
      const auto& [fact, table] = floats[k];
      const auto* values = column<float>(fact, table);
      t.float_fact[k] = static_cast<AtomFact>(fact);
      for (int value = 0; value < 256; ++value) t.float_value[k][value] = values[value];
    }
  }
  const GraphTables& view() const { return *tables_; }

 private:
  template <class T>
  static const T* column(int fact, const py::array& table) {
    require(fact >= 0 && fact < kAtomFacts, "no such fact");
    require(table.ndim() == 1 && table.shape(0) == 256, "unexpected table of atoms");
    return input<T>(table);
  }

  std::unique_ptr<GraphTables> tables_;  // zeros at first
};

using OwnedBlock = std::unique_ptr<void, void (*)(void*) noexcept>;

OwnedBlock owned_block(Index items, std::size_t item_bytes) {
  return {cached_alloc(static_cast<std::size_t>(items), item_bytes), cached_free};
}

template <class T>
T* data_of(const OwnedBlock& block) {
  return static_cast<T*>(block.get());
}

// The graphs of one chunk of molecules.
struct GraphPart {
  Index molecules, atoms = 0, bonds = 0;  // undirected bonds
  OwnedBlock counts, atom_codes, floats, bond_codes, ends;
};

GraphPart read_part(MolGraphBatch& batch, int threads) {
  const GraphTables& t = *batch.tables;
  const Index n = batch.molecules;
  const auto count = static_cast<std::size_t>(n);
  Scratch<std::int64_t> starts(3 * count);
  std::int64_t *start = starts.get(), *first_atom = start + n, *first_bond = first_atom + n, total = 0;
  for (Index i = 0; i < n; ++i) {
    start[i] = total;
    total += batch.length[i];
  }
  const auto room = static_cast<std::size_t>(total);
  Scratch<std::uint64_t> words(2 * room);
  Scratch<float> floats(room * static_cast<std::size_t>(t.floats));
  Scratch<std::uint32_t> ends(2 * room);
  GraphPart part{n,
                 0,
                 0,
                 owned_block(2 * n, sizeof(std::int32_t)),
                 {nullptr, cached_free},
                 {nullptr, cached_free},
                 {nullptr, cached_free},
                 {nullptr, cached_free}};
  auto* sizes = data_of<std::int32_t>(part.counts);
  batch.rows = {start,      words.get(),        floats.get(), words.get() + total,
                ends.get(), ends.get() + total, sizes,        sizes + n};
  read_mol_graphs(batch, threads);
  for (Index i = 0; i < n; ++i) {
    first_atom[i] = part.atoms;
    first_bond[i] = part.bonds;
    part.atoms += sizes[i];
    part.bonds += sizes[n + i];
  }
  part.atom_codes = owned_block(part.atoms, static_cast<std::size_t>(t.atom_fields));
  part.floats = owned_block(part.atoms, sizeof(float) * static_cast<std::size_t>(t.floats));
  part.bond_codes = owned_block(2 * part.bonds, static_cast<std::size_t>(t.bond_fields));
  part.ends = owned_block(4 * part.bonds, sizeof(std::int32_t));
  auto* source = data_of<std::int32_t>(part.ends);
  const PackedGraphs packed{first_atom,
                            first_bond,
                            data_of<std::uint8_t>(part.atom_codes),
                            data_of<std::uint8_t>(part.bond_codes),
                            data_of<float>(part.floats),
                            source,
                            source + 2 * part.bonds};
  pack_mol_graphs(batch, packed, threads);
  return part;
}

template <class T>
py::array owned_array(OwnedBlock& block, Index rows, Index columns) {
  const py::capsule owner(block.get(), [](void* p) { cached_free(p); });
  const auto* data = static_cast<const T*>(block.release());
  return py::array(py::dtype::of<T>(), {rows, columns}, data, owner);
}

// For each chunk of molecules: (numbers of atoms and bonds (2, molecules), atom codes, floats, bond codes, (2, directed
// bonds) sources and targets, numbered from the first atom of the chunk on). Molecules with a status have no atoms.
py::list mol_graphs(const py::list& smiles, const MolGraphTables& tables, py::array status, int threads, bool binary) {
  const Index n = static_cast<Index>(smiles.size());
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  const GraphTables& t = tables.view();
  auto* reasons = output<std::uint8_t>(status);
  ScratchVector<GraphPart> parts;
  in_chunks(smiles, binary, [&](const char* const* text, const std::int64_t* length, Index start, Index count) {
    MolGraphBatch batch{text, length, binary, count, reasons + start, &t, {}, {}};
    parts.push_back(read_part(batch, threads));
  });
  py::list result;
  for (GraphPart& part : parts) {
    result.append(py::make_tuple(owned_array<std::int32_t>(part.counts, 2, part.molecules),
                                 owned_array<std::uint8_t>(part.atom_codes, part.atoms, t.atom_fields),
                                 owned_array<float>(part.floats, part.atoms, t.floats),
                                 owned_array<std::uint8_t>(part.bond_codes, 2 * part.bonds, t.bond_fields),
                                 owned_array<std::int32_t>(part.ends, 2, 2 * part.bonds)));
  }
  return result;
}

}  // namespace

CATALASE_BINDING(mol_graphs, m) {
  py::dict facts;  // by name
#define CATALASE_ATOM_FACT_NAME(name) facts[#name] = static_cast<int>(AtomFact::name);
  CATALASE_ATOM_FACTS(CATALASE_ATOM_FACT_NAME)
#undef CATALASE_ATOM_FACT_NAME
  m.attr("ATOM_FACTS") = facts;
  m.attr("BOND_FACTS") = kBondFacts;
  py::class_<MolGraphTables>(m, "MolGraphTables")
      .def(py::init<const std::vector<std::tuple<int, py::array>>&, const py::array&,
                    const std::vector<std::tuple<int, py::array>>&>(),
           py::arg("atom_fields"), py::arg("bond_fields"), py::arg("floats"));
  m.def("mol_graphs", &mol_graphs, py::arg("smiles"), py::arg("tables"), py::arg("status"), py::arg("threads"),
        py::arg("binary") = false);
}

}  // namespace catalase
