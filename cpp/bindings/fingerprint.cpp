// SMILES, or the bytes of Mol.ToBinary, to fingerprints.
#include <string>

#include "bindings/chunks.h"
#include "bindings/codes.h"
#include "common/memory.h"
#include "fingerprint/ecfp.h"
#include "fingerprint/graphs.h"
#include "fingerprint/paths.h"
#include "molecule/status.h"
#include "molecule/valence_problems.h"

namespace catalase {

namespace {

EcfpOutput output_kind(const py::array& rows) {
  if (has_dtype<std::uint8_t>(rows)) return EcfpOutput::kPacked;
  if (has_dtype<float>(rows)) return EcfpOutput::kDense;
  require(has_dtype<std::uint32_t>(rows), "rows must be uint8, float32 or uint32");
  return EcfpOutput::kCounts;
}

void ecfp_list(const py::list& smiles, int radius, std::uint32_t size, bool use_bond_types, bool chirality,
               bool features, py::array rows, py::array status, int threads, bool binary, bool partial) {
  const Index n = static_cast<Index>(smiles.size());
  require(rows.ndim() == 2 && rows.shape(0) == n && is_contiguous(rows), "rows do not fit");
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(size >= 8 && size % 8 == 0, "size is not a multiple of 8");
  require(radius >= 0, "radius is negative");
  require(threads >= 1, "threads must be 1 or more");
  EcfpBatch batch{};
  batch.radius = radius;
  batch.size = size;
  batch.use_bond_types = use_bond_types;
  batch.chirality = chirality;
  batch.features = features;
  batch.binary = binary;
  batch.partial = partial;
  batch.output = output_kind(rows);
  require(rows.shape(1) == (batch.output == EcfpOutput::kPacked ? size / 8 : size), "rows do not fit");
  auto* data = static_cast<char*>(rows.mutable_data());
  auto* reasons = output<std::uint8_t>(status);
  const Index row_bytes = rows.shape(1) * rows.itemsize();
  in_chunks(smiles, binary, [&](const char* const* text, const std::int64_t* length, Index start, Index count) {
    batch.text = text;
    batch.length = length;
    batch.molecules = count;
    batch.rows = data + start * row_bytes;
    batch.status = reasons + start;
    ecfp(batch, threads);
  });
}

void path_list(const py::list& smiles, int kind, std::uint32_t size, py::array rows, py::array status, int threads) {
  const Index n = static_cast<Index>(smiles.size());
  PathBatch batch{};
  batch.kind = code(kind, PathKind::kSubgraphs, "unknown kind of fingerprint");
  batch.size = size;
  batch.output = output_kind(rows);
  require(size >= 8 && size % 8 == 0, "size is not a multiple of 8");
  require(rows.ndim() == 2 && rows.shape(0) == n && is_contiguous(rows), "rows do not fit");
  require(rows.shape(1) == (batch.output == EcfpOutput::kPacked ? size / 8 : size), "rows do not fit");
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  auto* data = static_cast<char*>(rows.mutable_data());
  auto* reasons = output<std::uint8_t>(status);
  const Index row_bytes = rows.shape(1) * rows.itemsize();
  in_chunks(smiles, false, [&](const char* const* text, const std::int64_t* length, Index start, Index count) {
    batch.text = text;
    batch.length = length;
    batch.molecules = count;
    batch.rows = data + start * row_bytes;
    batch.status = reasons + start;
    path_fingerprints(batch, threads);
  });
}

// The molecular graphs of graphs.h as one array of words, and the numbers of their atoms and ends of bonds.
py::tuple list_graphs(const py::list& smiles, bool use_bond_types, bool chirality, bool features, py::array status,
                      int threads) {
  const Index n = static_cast<Index>(smiles.size());
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(n <= (1 << 20), "more molecules than 32-bit offsets count");
  require(threads >= 1, "threads must be 1 or more");
  const auto count = static_cast<std::size_t>(n);
  Scratch<const char*> text(count);
  Scratch<std::int64_t> length(2 * count);  // and the start of each molecule's room
  Scratch<std::int32_t> sizes(2 * count);
  std::int64_t *start = length.get() + n, total = 0;
  for (Index i = 0; i < n; ++i) {
    text.get()[i] = text_of(PyList_GET_ITEM(smiles.ptr(), i), false, length.get()[i]);
    start[i] = total;
    total += length.get()[i] < 255 ? length.get()[i] : 255;
  }
  const auto room_count = static_cast<std::size_t>(total);
  Scratch<std::uint32_t> words(3 * room_count);
  Scratch<std::uint8_t> degree(room_count);
  const GraphRoom room{start, words.get(), words.get() + total, degree.get(), sizes.get(), sizes.get() + n};
  EcfpBatch batch{};
  batch.text = text.get();
  batch.length = length.get();
  batch.molecules = n;
  batch.use_bond_types = use_bond_types;
  batch.chirality = chirality;
  batch.features = features;
  batch.status = output<std::uint8_t>(status);
  {
    KernelScope scope;
    ecfp_graphs(batch, room, threads);
  }
  Index atoms = 0, ends = 0;
  for (Index i = 0; i < n; ++i) atoms += room.atoms[i], ends += room.ends[i];
  py::array graphs = new_matrix<std::uint32_t>(1, n + 1 + atoms + 1 + atoms + ends);
  pack_graphs(room, n, atoms, static_cast<std::uint32_t*>(graphs.mutable_data()));
  return py::make_tuple(graphs, atoms, ends);
}

// (atom, symbol, valence) of the first two atoms that bind too much, and the number of such atoms; None for a molecule
// that the kernels do not refuse for this reason.
py::object list_valence_problems(const std::string& smiles) {
  ValenceProblem problems[2];
  const std::int64_t count =
      valence_problems(smiles.data(), static_cast<std::int64_t>(smiles.size()),
                       {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free}, problems, 2);
  if (count < 0) return py::none();
  py::list found;
  for (std::int64_t i = 0; i < count && i < 2; ++i) {
    found.append(py::make_tuple(problems[i].atom, problems[i].symbol, problems[i].valence));
  }
  return py::make_tuple(found, count);
}

}  // namespace

CATALASE_BINDING(fingerprint, m) {
  m.attr("ECFP_OUTPUTS") = codes<EcfpOutput>(
      {{"packed", EcfpOutput::kPacked}, {"dense", EcfpOutput::kDense}, {"counts", EcfpOutput::kCounts}});
  m.attr("ECFP_STATUSES") = codes<Status>({{"native", kNative},
                                           {"not text", kNotText},
                                           {"syntax", kSyntax},
                                           {"size", kSize},
                                           {"element", kElement},
                                           {"valence", kValence},
                                           {"rings", kRings},
                                           {"aromatic", kAromatic},
                                           {"stereo", kStereo},
                                           {"refused", kRefused},
                                           {"subgraphs", kSubgraphs}});
  m.attr("ECFP_MAX_RADIUS") = kEcfpMaxRadius;
  m.attr("MAX_SMILES_LENGTH") = kMaxText;
  m.def("ecfp", &ecfp_list, py::arg("smiles"), py::arg("radius"), py::arg("size"), py::arg("use_bond_types"),
        py::arg("chirality"), py::arg("features"), py::arg("rows"), py::arg("status"), py::arg("threads"),
        py::arg("binary") = false, py::arg("partial") = false);
  m.def("ecfp_graphs", &list_graphs, py::arg("smiles"), py::arg("use_bond_types"), py::arg("chirality"),
        py::arg("features"), py::arg("status"), py::arg("threads"));
  m.attr("MAX_SUBGRAPHS") = kMaxSubgraphs;
  m.attr("PATH_FINGERPRINTS") = codes<PathKind>({{"atom_pairs", PathKind::kAtomPairs},
                                                 {"topological_torsions", PathKind::kTorsions},
                                                 {"rdkit_fingerprint", PathKind::kSubgraphs}});
  m.def("path_fingerprints", &path_list, py::arg("smiles"), py::arg("kind"), py::arg("size"), py::arg("rows"),
        py::arg("status"), py::arg("threads"));
  m.def("valence_problems", &list_valence_problems, py::arg("smiles"));
  m.def(
      "count_set_bits",
      [](const py::array& rows, py::array counts) {
        require(rows.ndim() == 2 && counts.ndim() == 1 && counts.shape(0) == rows.shape(0), "shapes do not fit");
        const auto* data = input<std::uint8_t>(rows);
        auto* out = output<std::int64_t>(counts);
        const Index n = rows.shape(0), bytes = rows.shape(1);
        KernelScope scope;
        count_set_bits(data, n, bytes, out);
      },
      py::arg("rows"), py::arg("counts"));
  m.def(
      "list_set_bits",
      [](const py::array& rows, const py::array& indptr, py::array indices) {
        require(rows.ndim() == 2 && indptr.ndim() == 1 && indptr.shape(0) == rows.shape(0) + 1, "shapes do not fit");
        const auto* data = input<std::uint8_t>(rows);
        const auto* starts = input<std::int64_t>(indptr);
        const Index n = rows.shape(0), bytes = rows.shape(1);
        require(indices.ndim() == 1 && indices.shape(0) == starts[n], "indices do not fit");
        auto* out = output<std::int32_t>(indices);
        KernelScope scope;
        list_set_bits(data, n, bytes, starts, out);
      },
      py::arg("rows"), py::arg("indptr"), py::arg("indices"));
}

}  // namespace catalase
