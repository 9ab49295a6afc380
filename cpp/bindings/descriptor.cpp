// SMILES to descriptors.
#include "descriptor/descriptor.h"

#include <pybind11/stl.h>

#include <optional>

#include "bindings/chunks.h"
#include "descriptor/type_cache.h"
#include "substructure/smarts.h"

namespace catalase {
namespace {

#define CATALASE_DESCRIPTOR_NAME(name) #name,
constexpr const char* kDescriptorNames[] = {CATALASE_DESCRIPTORS(CATALASE_DESCRIPTOR_NAME)};
#undef CATALASE_DESCRIPTOR_NAME

// Whether an expression may hold for an atom of this element, as far as its element and aromaticity say: 0 no, 1 yes, 2
// it depends on more.
int may_hold(const QueryTables& q, std::uint32_t node, int element, bool aromatic) {
  const AtomNode& n = q.node[node];
  switch (n.op) {
    case AtomOp::kRange: {
      int value;
      if (n.feature == Feature::kElement) {
        value = element;
      } else if (n.feature == Feature::kType) {
        value = element + (aromatic ? 256 : 0);
      } else if (n.feature == Feature::kAromatic) {
        value = aromatic ? 1 : 0;
      } else {
        return 2;
      }
      return value >= n.low && value <= n.high ? 1 : 0;
    }
    case AtomOp::kAny:
      return 1;
    case AtomOp::kAnd: {
      const int a = may_hold(q, n.a, element, aromatic), b = may_hold(q, n.b, element, aromatic);
      return a == 0 || b == 0 ? 0 : (a == 1 && b == 1 ? 1 : 2);
    }
    case AtomOp::kOr: {
      const int a = may_hold(q, n.a, element, aromatic), b = may_hold(q, n.b, element, aromatic);
      return a == 1 || b == 1 ? 1 : (a == 0 && b == 0 ? 0 : 2);
    }
    case AtomOp::kNot: {
      const int a = may_hold(q, n.a, element, aromatic);
      return a == 2 ? 2 : 1 - a;
    }
    case AtomOp::kMatches:
      return may_hold(q, q.step[q.pattern[n.a].search].node, element, aromatic) == 0 ? 0 : 2;
    default:
      return 2;
  }
}

// The patterns of a process. A pattern that cannot be compiled here is an error: the caller then leaves it to RDKit.
class PatternTables {
 public:
  // For each of Crippen's types a SMARTS and its two values; for hydrogens (SMARTS of the neighbour or "", type, whether it
  // holds in water); SMARTS to count; those of QED's acceptors, and of its alerts.
  PatternTables(const std::vector<std::string>& types, const std::vector<double>& log_p,
                const std::vector<double>& refractivity,
                const std::vector<std::tuple<std::string, std::uint32_t, bool>>& hydrogens,
                const std::vector<std::string>& counted, const std::vector<std::string>& acceptors,
                const std::vector<std::string>& alerts)
      : acceptors_(static_cast<std::uint32_t>(acceptors.size())) {
    require(log_p.size() == types.size() && refractivity.size() == types.size(), "a value for each type");
    log_p_.assign(log_p.begin(), log_p.end());
    refractivity_.assign(refractivity.begin(), refractivity.end());
    for (const std::string& smarts : types) types_.push_back(root_of(smarts));
    for (const auto& [smarts, type, water] : hydrogens) {
      require(type < types.size(), "no such type");
      const bool any = smarts.empty();
      hydrogens_.push_back({any ? PatternRoot{} : root_of(smarts), type, any, water});
    }
    for (const std::string& smarts : counted) counted_.push_back(compiled(counted_set_, smarts).pattern);
    for (const auto* list : {&acceptors, &alerts}) {
      for (const std::string& smarts : *list) of_qed_.push_back(compiled(qed_set_, smarts).pattern);
    }
    type_set_.finish();
    bool local = types.size() <= kMaxCachedTypes;
    const auto note = [&](const PatternRoot& root) {
      const unsigned depth = depth_of(type_set_.tables(), root.pattern);
      local = local && depth != kNotLocal;
      if (depth == 2) deep_.push_back(root.pattern);
    };
    for (const PatternRoot& root : types_) {
      if (root.kinds != 1u << kind_of(1, false)) note(root);  // molecules with atoms of hydrogen are searched
    }
    deep_types_ = static_cast<std::uint32_t>(deep_.size());
    for (const HydrogenPattern& h : hydrogens_) {
      if (!h.any) note(h.neighbour);
    }
    if (local) type_cache_.assign(kTypeEntries, 0);
    counted_set_.finish();
    qed_set_.finish();
  }

  DescriptorPatterns view() {
    DescriptorPatterns p{};
    p.type_tables = type_set_.tables();
    p.counted_tables = counted_set_.tables();
    p.qed_tables = qed_set_.tables();
    p.type = types_.data();
    p.types = static_cast<std::uint32_t>(types_.size());
    p.hydrogen = hydrogens_.data();
    p.hydrogen_types = static_cast<std::uint32_t>(hydrogens_.size());
    p.log_p = log_p_.data();
    p.refractivity = refractivity_.data();
    p.type_cache = type_cache_.empty() ? nullptr : type_cache_.data();
    p.deep = deep_.data();
    p.deep_types = deep_types_;
    p.deep_patterns = static_cast<std::uint32_t>(deep_.size());
    p.counted = counted_.data();
    p.of_qed = of_qed_.data();
    p.acceptors = acceptors_;
    p.alerts = static_cast<std::uint32_t>(of_qed_.size()) - acceptors_;
    return p;
  }
  int count() const { return static_cast<int>(counted_.size()); }

 private:
  static SmartsResult compiled(QuerySet& set, const std::string& smarts) {
    const SmartsResult result = set.add(smarts);
    require(result.status == SmartsStatus::kCompiled, ("the pattern " + smarts + " cannot be compiled").c_str());
    return result;
  }
  // A recursive query keeps the first atom of a pattern first.
  PatternRoot root_of(const std::string& smarts) {
    PatternRoot root{compiled(type_set_, "[$(" + smarts + ")]").pattern, atoms_of(smarts), 0};
    const QueryTables q = type_set_.tables();
    for (int element = 0; element < 119; ++element) {
      for (const bool aromatic : {false, true}) {
        if (may_hold(q, q.step[q.pattern[root.pattern].search].node, element, aromatic) == 0) continue;
        root.kinds |= 1u << kind_of(static_cast<unsigned>(element), aromatic);
      }
    }
    return root;
  }

  static std::uint32_t atoms_of(const std::string& smarts) {
    QuerySet alone;
    return compiled(alone, smarts).atoms;
  }

  QuerySet type_set_, counted_set_, qed_set_;
  ScratchVector<PatternRoot> types_;
  ScratchVector<HydrogenPattern> hydrogens_;
  ScratchVector<double> log_p_, refractivity_;
  ScratchVector<std::uint64_t> type_cache_;
  ScratchVector<std::uint32_t> deep_;
  std::uint32_t deep_types_ = 0;
  ScratchVector<std::uint32_t> counted_, of_qed_;
  std::uint32_t acceptors_;
};

// `held` has for each text None, or (binary form, places of the atoms) of the `Mol` object that it was written from.
ScratchVector<HeldMolecule> held_molecules(const py::list& held) {
  ScratchVector<HeldMolecule> molecules;
  for (const py::handle item : held) {
    HeldMolecule molecule{};
    if (!item.is_none()) {
      const py::tuple pair = py::reinterpret_borrow<py::tuple>(item);
      require(PyTuple_Check(item.ptr()) && pair.size() == 2, "expected a pair");
      molecule.binary = text_of(pair[0].ptr(), true, molecule.length);
      molecule.place = reinterpret_cast<const std::uint8_t*>(text_of(pair[1].ptr(), true, molecule.atoms));
      require(molecule.binary != nullptr && molecule.place != nullptr, "expected bytes");
    }
    molecules.push_back(molecule);
  }
  return molecules;
}

void descriptor_list(const py::list& smiles, PatternTables& patterns, const py::array& columns, py::array rows,
                     py::array status, int threads, const std::optional<py::list>& held) {
  const Index n = static_cast<Index>(smiles.size());
  require(columns.ndim() == 1 && rows.ndim() == 2 && rows.shape(0) == n && rows.shape(1) == columns.shape(0),
          "rows do not fit");
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  DescriptorBatch batch{};
  batch.column = input<std::int32_t>(columns);
  batch.columns = columns.shape(0);
  batch.patterns = patterns.view();
  for (Index j = 0; j < batch.columns; ++j) {
    const int end = static_cast<int>(Descriptor::kCount) + patterns.count();
    require(batch.column[j] >= 0 && batch.column[j] < end, "no such descriptor");
  }
  ScratchVector<HeldMolecule> molecules;
  if (held) molecules = held_molecules(*held);
  require(!held || molecules.size() == static_cast<std::size_t>(n), "a molecule for each text");
  auto* values = output<double>(rows);
  auto* reasons = output<std::uint8_t>(status);
  in_chunks(smiles, false, [&](const char* const* text, const std::int64_t* length, Index start, Index count) {
    batch.text = text;
    batch.length = length;
    batch.molecules = count;
    batch.held = held ? molecules.data() + start : nullptr;
    batch.rows = values + start * batch.columns;
    batch.status = reasons + start;
    descriptors(batch, threads);
  });
}

}  // namespace

CATALASE_BINDING(descriptor, m) {
  py::dict numbers;  // by name
  int count = 0;
  for (const char* name : kDescriptorNames) numbers[name] = count++;
  m.attr("DESCRIPTORS") = numbers;
  py::class_<PatternTables>(m, "PatternTables")
      .def(py::init<const std::vector<std::string>&, const std::vector<double>&, const std::vector<double>&,
                    const std::vector<std::tuple<std::string, std::uint32_t, bool>>&, const std::vector<std::string>&,
                    const std::vector<std::string>&, const std::vector<std::string>&>(),
           py::arg("types"), py::arg("log_p"), py::arg("refractivity"), py::arg("hydrogens"), py::arg("counted"),
           py::arg("acceptors"), py::arg("alerts"));
  m.def("descriptors", &descriptor_list, py::arg("smiles"), py::arg("patterns"), py::arg("columns"), py::arg("rows"),
        py::arg("status"), py::arg("threads"), py::arg("held") = py::none());
}

}  // namespace catalase
