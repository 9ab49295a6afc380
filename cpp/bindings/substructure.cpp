// SMARTS patterns in SMILES. Pointers into the Python strings are collected under the GIL, one chunk at a time, and then
// the GIL is released.
#include <algorithm>
#include <chrono>
#include <string>

#include "bindings/codes.h"
#include "bindings/texts.h"
#include "common/memory.h"
#include "substructure/matched_atoms.h"
#include "substructure/smarts.h"

namespace catalase {

namespace {

// Molecules between two checks for signals, so many that they take some tenths of a second.
constexpr Index kFewestMolecules = 4, kMostMolecules = 1 << 12;
constexpr Index kAskAromaticRings = -1, kAskParts = -2;  // in place of a pattern's number
constexpr double kShort = 0.05, kLong = 0.2;             // seconds

// Compiled patterns, and how each text was read.
struct Patterns {
  QuerySet set;
  ScratchVector<SmartsResult> results;
};

std::unique_ptr<Patterns> compile_patterns(const py::list& smarts) {
  auto patterns = std::make_unique<Patterns>();
  for (const py::handle item : smarts) {
    std::int64_t length = 0;
    const char* text = text_of(item.ptr(), false, length);
    require(text != nullptr, "a pattern is no text");
    patterns->results.push_back(patterns->set.add({text, static_cast<std::size_t>(length)}));
  }
  patterns->set.finish();
  return patterns;
}

// The columns of a result: patterns that were compiled, and the numbers of matches that count as one.
ScratchVector<SubstructureColumn> columns_of(const Patterns& patterns, const py::array& which, const py::array& low,
                                             const py::array& high) {
  const Index n = which.size();
  require(which.ndim() == 1 && low.ndim() == 1 && high.ndim() == 1, "expected vectors");
  require(low.size() == n && high.size() == n, "the columns do not fit");
  const auto *number = input<std::int64_t>(which), *lowest = input<std::int64_t>(low),
             *highest = input<std::int64_t>(high);
  ScratchVector<SubstructureColumn> columns;
  for (Index c = 0; c < n; ++c) {
    const auto bound = [](std::int64_t x) {
      return static_cast<std::int32_t>(std::clamp<std::int64_t>(x, 0, kNoHighest));
    };
    std::uint32_t pattern = number[c] == kAskAromaticRings ? kAromaticRings : kParts;
    if (number[c] >= 0) {
      require(number[c] < static_cast<Index>(patterns.results.size()), "no such pattern");
      const SmartsResult& result = patterns.results[static_cast<std::size_t>(number[c])];
      require(result.status == SmartsStatus::kCompiled, "the pattern was not compiled");
      pattern = result.pattern;
    } else {
      require(number[c] >= kAskParts, "no such number");
    }
    columns.push_back({pattern, bound(lowest[c]), bound(highest[c])});
  }
  return columns;
}

// The matches of a chunk of molecules as lists of tuples, an entry for each column.
void append_matches(const SubstructureBatch& batch, const ScratchVector<MatchedAtoms>& listed, py::list& all) {
  std::size_t at = 0;
  for (Index i = 0; i < batch.molecules; ++i) {
    if (i % kSubstructureBlock == 0) at = 0;
    const MatchedAtoms& atoms = listed[static_cast<std::size_t>(i / kSubstructureBlock)];
    py::list row;
    for (Index c = 0; c < batch.columns; ++c) {
      py::list matches;
      const unsigned size = batch.tables.pattern[batch.column[c].pattern].atoms;
      for (std::int32_t k = 0; k < batch.counts[i * batch.columns + c]; ++k) {
        py::tuple match(size);
        for (unsigned a = 0; a < size; ++a) match[a] = py::int_(atoms[at++]);
        matches.append(match);
      }
      row.append(matches);
    }
    all.append(row);
  }
}

// Appends the first atom of each match of a chunk of molecules, in the order of molecules and columns.
void append_first_atoms(const SubstructureBatch& batch, const ScratchVector<MatchedAtoms>& listed, MatchedAtoms& all) {
  const std::int32_t* count = batch.counts;
  std::size_t at = 0;
  for (Index i = 0; i < batch.molecules; ++i) {
    if (i % kSubstructureBlock == 0) at = 0;
    const MatchedAtoms& atoms = listed[static_cast<std::size_t>(i / kSubstructureBlock)];
    for (Index c = 0; c < batch.columns; ++c, ++count) {
      const std::size_t size = batch.tables.pattern[batch.column[c].pattern].atoms;
      for (std::int32_t k = 0; k < *count; ++k, at += size) all.push_back(atoms[at]);
    }
  }
}

// Fills `rows` (uint8: whether; int32: how many) and `status`, and returns the lists of matches if they are asked for, or
// an array of their first atoms.
// The caller's list must not change during the call: it keeps the strings alive.
py::object substructure_list(const py::list& smiles, const Patterns& patterns, const py::array& which,
                             const py::array& low, const py::array& high, py::array rows, py::array status,
                             bool list_atoms, int threads, bool binary, bool first_only) {
  const auto n = static_cast<Index>(smiles.size());
  const ScratchVector<SubstructureColumn> columns = columns_of(patterns, which, low, high);
  const auto width = static_cast<Index>(columns.size());
  require(rows.ndim() == 2 && rows.shape(0) == n && rows.shape(1) == width, "rows do not fit");
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  const bool counted = has_dtype<std::int32_t>(rows);
  require(counted || !list_atoms, "rows must be int32 if atoms are listed");
  for (const SubstructureColumn& column : columns) require(!list_atoms || column.pattern < kParts, "it has no atoms");
  std::int32_t* counts = counted ? output<std::int32_t>(rows) : nullptr;
  std::uint8_t* matches = counted ? nullptr : output<std::uint8_t>(rows);
  auto* reasons = output<std::uint8_t>(status);
  const auto held = static_cast<std::size_t>(std::min(n, kMostMolecules));
  Scratch<const char*> text(held);
  Scratch<std::int64_t> length(held);
  SubstructureBatch batch{};
  batch.text = text.get();
  batch.length = length.get();
  batch.tables = patterns.set.tables();
  batch.column = columns.data();
  batch.columns = width;
  batch.binary = binary;
  py::list all;
  MatchedAtoms first;
  Index chunk = 256;
  for (Index start = 0; start < n; start += batch.molecules) {
    batch.molecules = std::min(n - start, chunk);
    for (Index i = 0; i < batch.molecules; ++i) {
      text.get()[i] = text_of(PyList_GET_ITEM(smiles.ptr(), start + i), binary, length.get()[i]);
    }
    batch.matches = counted ? nullptr : matches + start * width;
    batch.counts = counted ? counts + start * width : nullptr;
    batch.status = reasons + start;
    const auto blocks = static_cast<std::size_t>((batch.molecules - 1) / kSubstructureBlock + 1);
    ScratchVector<MatchedAtoms> listed(list_atoms ? blocks : 0);
    const auto begin = std::chrono::steady_clock::now();
    {
      KernelScope scope;
      substructure(batch, list_atoms ? listed.data() : nullptr, threads);
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (took < kShort) chunk = std::min(2 * chunk, kMostMolecules);
    if (took > kLong) chunk = std::max(chunk / 2, kFewestMolecules);
    if (list_atoms && first_only) append_first_atoms(batch, listed, first);
    if (list_atoms && !first_only) append_matches(batch, listed, all);
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  if (!list_atoms) return py::none();
  if (first_only) return py::array_t<std::uint8_t>(static_cast<Index>(first.size()), first.data());
  return all;
}

}  // namespace

CATALASE_BINDING(substructure, m) {
  m.attr("SMARTS_STATUSES") = codes<SmartsStatus>(
      {{"compiled", SmartsStatus::kCompiled}, {"syntax", SmartsStatus::kSyntax}, {"size", SmartsStatus::kSize}});
  m.attr("MATCH_LEFT") = kMatchLeft;
  m.attr("MATCH_GIVEN_UP") = kMatchGivenUp;
  m.attr("AROMATIC_RINGS") = kAskAromaticRings;
  m.attr("PARTS") = kAskParts;
  m.attr("COUNT_LEFT") = kCountLeft;
  m.attr("COUNT_GIVEN_UP") = kCountGivenUp;
  py::class_<Patterns>(m, "Patterns")
      .def(py::init(&compile_patterns), py::arg("smarts"))
      .def_property_readonly("statuses",
                             [](const Patterns& self) {
                               py::list list;
                               for (const SmartsResult& result : self.results)
                                 list.append(static_cast<int>(result.status));
                               return list;
                             })
      .def_property_readonly("positions", [](const Patterns& self) {
        py::list list;
        for (const SmartsResult& result : self.results) list.append(result.position);
        return list;
      });
  m.def("substructure", &substructure_list, py::arg("smiles"), py::arg("patterns"), py::arg("which"), py::arg("low"),
        py::arg("high"), py::arg("rows"), py::arg("status"), py::arg("list_atoms"), py::arg("threads"),
        py::arg("binary") = false, py::arg("first_only") = false);
}

}  // namespace catalase
