// The distinct environments of a set of molecules (graph/environments.h), and batches of them.
#include "graph/environments.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "bindings/arrays.h"
#include "graph/graph.h"

namespace catalase {
namespace {

template <class T>
py::array array_of(const T* values, std::size_t count) {
  py::array a = cached_array(py::dtype::of<T>(), {static_cast<py::ssize_t>(count)});
  std::copy(values, values + count, static_cast<T*>(a.mutable_data()));
  return a;
}
template <class T>
py::array array_of(const ScratchVector<T>& values) {
  return array_of(values.data(), values.size());
}

py::tuple table_of(const ClassTable& table, bool with_bonds) {
  const py::object bond = with_bonds ? py::object(array_of(table.bond)) : py::none();
  return py::make_tuple(array_of(table.kind), array_of(table.offsets), array_of(table.index), bond);
}

py::object environments_of(const py::array& atom_offsets, const py::array& bond_offsets, const py::array& atom_codes,
                           const py::array& atom_floats, const py::array& bond_codes, const py::array& source,
                           const py::array& target, Index depth, bool distinct, bool along_atoms, bool with_bonds) {
  require(atom_codes.ndim() == 2 && atom_floats.ndim() == 2 && bond_codes.ndim() == 2, "codes must be matrices");
  PackedGraphs g;
  g.molecules = atom_offsets.size() - 1, g.atoms = atom_codes.shape(0), g.bonds = source.size();
  g.atom_offsets = input<std::int64_t>(atom_offsets), g.bond_offsets = input<std::int64_t>(bond_offsets);
  g.atom_codes = input<std::uint8_t>(atom_codes), g.atom_floats = input<float>(atom_floats);
  g.bond_codes = input<std::uint8_t>(bond_codes);
  g.source = input<std::int32_t>(source), g.target = input<std::int32_t>(target);
  g.atom_fields = atom_codes.shape(1), g.atom_numbers = atom_floats.shape(1), g.bond_fields = bond_codes.shape(1);
  require(bond_offsets.size() == g.molecules + 1 && atom_floats.shape(0) == g.atoms && bond_codes.shape(0) == g.bonds &&
              target.size() == g.bonds && depth >= 1,
          "graphs do not fit");
  Environments e;
  Index bad = -1;
  {
    KernelScope scope;
    bad = first_bad_bond(g);
    if (bad < 0 && along_atoms) {
      e = distinct ? find_atom_environments(g, depth, with_bonds) : plain_atom_environments(g, with_bonds);
    }
    if (bad < 0 && !along_atoms) e = distinct ? find_environments(g, depth) : plain_environments(g);
  }
  if (bad >= 0) return py::int_(bad);
  py::list bonds;
  for (const ClassTable& table : e.bonds) bonds.append(table_of(table, with_bonds));
  const py::tuple atoms = table_of(e.atoms, with_bonds);
  if (!distinct) {  // one table for all depths
    const py::object table = along_atoms ? py::object(atoms) : py::object(bonds[0]);
    bonds = py::list();
    for (Index t = 1; t < depth; ++t) bonds.append(table);
  }
  return py::make_tuple(array_of(e.atom_kinds), array_of(e.bond_kinds), atoms, py::tuple(bonds),
                        array_of(e.atom_classes), array_of(e.atom_order));
}

// The tables of a data set, which stay as they are, and the marks of its batches.
class EnvironmentTables {
 public:
  EnvironmentTables(py::array atom_offsets, py::array atom_classes, py::array atom_order, Index atom_kinds,
                    Index bond_kinds, const py::tuple& atoms, const py::tuple& bonds, bool along_atoms)
      : kept_{atom_offsets, atom_classes, atom_order} {
    view_.atom_offsets = input<std::int64_t>(kept_[0]);
    view_.atom_classes = input<std::int32_t>(kept_[1]), view_.atom_order = input<std::int32_t>(kept_[2]);
    view_.atom_kinds = atom_kinds, view_.bond_kinds = bond_kinds;
    view_.atoms = view_of(atoms);
    for (const py::handle table : bonds) bonds_.push_back(view_of(py::cast<py::tuple>(table)));
    view_.along_atoms = along_atoms;
    view_.bonds = bonds_.data(), view_.depth = static_cast<Index>(bonds_.size()) + 1;
    molecules_ = kept_[0].size() - 1;
    require(molecules_ >= 0 && kept_[1].size() == kept_[2].size(), "tables do not fit");
  }

  py::tuple batch(const py::array& rows) {
    const auto* molecules = input<std::int64_t>(rows);
    const Index count = rows.size();
    for (Index i = 0; i < count; ++i) require(molecules[i] >= 0 && molecules[i] < molecules_, "no such molecule");
    EnvironmentBatch found;
    {
      KernelScope scope;
      found = walk(molecules, count);
    }
    const auto atoms = static_cast<Index>(found.atoms.kind.size());
    const auto atom_kinds = static_cast<Index>(found.atom_kinds.size());
    const auto bond_kinds = static_cast<Index>(found.bond_kinds.size());
    py::list bonds;
    Index below = view_.along_atoms ? atom_kinds : bond_kinds;
    for (const BatchDepth& at_depth : found.bonds) {
      bonds.append(lists(at_depth, below, view_.along_atoms ? below : bond_kinds));
      below = static_cast<Index>(at_depth.kind.size());
    }
    return py::make_tuple(lists(found.molecules, atoms, -1),
                          lists(found.atoms, below, view_.along_atoms ? below : atom_kinds), py::tuple(bonds),
                          array_of(found.atom_kinds), array_of(found.bond_kinds));
  }

 private:
  ClassView view_of(const py::tuple& table) {
    const std::size_t at = kept_.size();
    for (std::size_t i = 0; i < 3; ++i) kept_.push_back(py::cast<py::array>(table[i]));
    ClassView view{kept_[at].size(), input<std::int32_t>(kept_[at]), input<std::int64_t>(kept_[at + 1]),
                   input<std::int32_t>(kept_[at + 2]), nullptr};
    require(kept_[at + 1].size() == view.classes + 1, "tables do not fit");
    with_bonds_ = !table[3].is_none();
    if (with_bonds_) {
      kept_.push_back(py::cast<py::array>(table[3]));
      view.bond = input<std::int32_t>(kept_.back());
      require(kept_.back().size() == kept_[at + 2].size(), "tables do not fit");
    }
    return view;
  }

  // One batch at a time uses the marks of the object; others, and the child of a fork, take marks of their own.
  EnvironmentBatch walk(const Index* molecules, Index count) {
    const auto total = static_cast<std::size_t>(marks_needed(view_));
    if (busy_.test_and_set()) {
      ScratchVector<ClassMark> own(total, ClassMark{0, 0});
      return environment_batch(view_, molecules, count, own.data(), 1);
    }
    const struct Release {
      std::atomic_flag& flag;
      ~Release() { flag.clear(); }
    } release{busy_};
    if (marks_.size() != total || stamp_ == UINT32_MAX) marks_.assign(total, ClassMark{0, 0}), stamp_ = 0;
    return environment_batch(view_, molecules, count, marks_.data(), ++stamp_);
  }

  // (index, offsets, transposed index, transposed offsets), for kinds (kind, transposed index, transposed offsets), and
  // with the bonds their kinds.
  py::tuple lists(const BatchDepth& at_depth, Index below, Index kinds) const {
    const RowLists own{at_depth.offsets.data(), at_depth.index.data(), static_cast<Index>(at_depth.offsets.size()) - 1};
    const auto turned = transposed(own, below);
    if (kinds < 0) return py::make_tuple(array_of(at_depth.index), array_of(at_depth.offsets), turned[0], turned[1]);
    ScratchVector<Index> each(at_depth.offsets.size());
    for (std::size_t i = 0; i < each.size(); ++i) each[i] = static_cast<Index>(i);
    const auto by_kind = transposed({each.data(), at_depth.kind.data(), own.count}, kinds);
    return py::make_tuple(array_of(at_depth.index), array_of(at_depth.offsets), turned[0], turned[1],
                          array_of(at_depth.kind), by_kind[0], by_kind[1],
                          with_bonds_ ? py::object(array_of(at_depth.bond)) : py::none());
  }

  static std::array<py::array, 2> transposed(const RowLists& own, Index rows) {
    py::array index = cached_array(py::dtype::of<std::int32_t>(), {own.offsets[own.count]});
    py::array offsets = cached_array(py::dtype::of<std::int64_t>(), {rows + 1});
    transpose_lists(own, rows, output<std::int64_t>(offsets), output<std::int32_t>(index), nullptr);
    return {index, offsets};
  }

  std::vector<py::array> kept_;
  EnvironmentsView view_{};
  std::vector<ClassView> bonds_;
  Index molecules_ = 0;
  bool with_bonds_ = false;
  ScratchVector<ClassMark> marks_;
  std::uint32_t stamp_ = 0;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace

CATALASE_BINDING(environments, m) {
  m.def("environments", &environments_of, py::arg("atom_offsets"), py::arg("bond_offsets"), py::arg("atom_codes"),
        py::arg("atom_floats"), py::arg("bond_codes"), py::arg("source"), py::arg("target"), py::arg("depth"),
        py::arg("distinct"), py::arg("along_atoms"), py::arg("with_bonds"));
  py::class_<EnvironmentTables>(m, "EnvironmentTables")
      .def(py::init<py::array, py::array, py::array, Index, Index, const py::tuple&, const py::tuple&, bool>(),
           py::arg("atom_offsets"), py::arg("atom_classes"), py::arg("atom_order"), py::arg("atom_kinds"),
           py::arg("bond_kinds"), py::arg("atoms"), py::arg("bonds"), py::arg("along_atoms"))
      .def("batch", &EnvironmentTables::batch, py::arg("rows"));
}

}  // namespace catalase
