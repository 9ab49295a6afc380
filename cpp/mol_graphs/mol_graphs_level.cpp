// One molecule after the other, on one thread, with the workspace on the stack. Molecules of more than 255 atoms and ring
// closures are left to RDKit.
#include "cpu/level.h"
#include "mol_graphs/mol_graphs.h"
#include "molecule/molecule.h"
#include "molecule/perceive.h"
#include "molecule/smiles.h"
#include "molecule/stereo.h"
#include "molecule/text.h"
#include "molecule/valence.h"

namespace catalase {
namespace {

template <int W>
struct GraphSets {
  Rings<W> rings;
  Kekule<W> kekule;
  Facts<W> facts;
};

struct GraphWork {
  Molecule molecule;
  Stereo stereo;
  u8 written[256];  // hydrogens of each atom before the implicit ones were added
  union {
    GraphSets<1> small;
    GraphSets<4> large;
  };
  GraphWork() {}
};

// RDKit's count of implicit hydrogens: none in brackets, except that a hydrogen which was written for a centre that is
// none becomes implicit; and none on aromatic atoms but carbon, where RDKit makes them explicit.
inline bool implicit_hydrogens(const Molecule& m, unsigned a, bool aromatic, const GraphWork& work, u8& count) {
  const Atom& atom = m.atom[a];
  if ((atom.flags & kBracket) == 0) {
    count = aromatic && atom.element != 6 ? u8{0} : static_cast<u8>(atom.hydrogens - work.written[a]);
    return true;
  }
  const bool freed = work.stereo.untagged[a] && atom.hydrogens == 1 && atom.charge == 0 && !aromatic;
  count = freed;
  return !freed || atom.element == 6 || atom.element == 7;  // others might get another number of hydrogens
}

template <int W>
Status write_atoms(const Molecule& m, const GraphTables& t, const GraphWork& work, const Facts<W>& f, u64* row,
                   float* floats) {
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    const bool aromatic = f.aromatic.test(a);
    u8 implicit = 0;
    if (!implicit_hydrogens(m, a, aromatic, work, implicit)) return kStereo;
    // In the order of AtomFact.
    const u8 fact[kAtomFacts] = {atom.element,
                                 atom.degree,
                                 static_cast<u8>(atom.degree + atom.hydrogens),
                                 static_cast<u8>(atom.charge + 128),
                                 work.stereo.tag[a],
                                 atom.hydrogens,
                                 f.hybrid[a],
                                 aromatic,
                                 implicit,
                                 f.radicals[a]};
    u64 codes = 0;
    for (int k = 0; k < kAtomFacts; ++k) codes |= t.atom[k][fact[k]];
    row[a] = codes;
    for (int k = 0; k < t.floats; ++k) {
      *floats++ = t.float_value[k][fact[static_cast<int>(t.float_fact[k])]];
    }
  }
  return kNative;
}

template <int W>
void write_bonds(const Molecule& m, const GraphTables& t, const Stereo& s, const GraphSets<W>& sets,
                 const GraphRows& rows, Index i) {
  const Index start = rows.start[i];
  unsigned count = 0;
  const auto write = [&](unsigned b, unsigned begin, unsigned end, Index at) {
    const unsigned fact =
        (m.order[b] - 1u) + 8u * sets.facts.conjugated.test(b) + 16u * sets.rings.bonds.test(b) + 32u * s.bond[b];
    rows.bond[at] = t.bond[fact];
    rows.begin[at] = static_cast<u8>(begin);
    rows.end[at] = static_cast<u8>(end);
  };
  for (unsigned b = 0; b < m.atoms; ++b) {
    if (m.begin[b] != kNoAtom) write(b, m.begin[b], b, start + count++);
  }
  for (unsigned k = 0; k < m.closures; ++k) {
    const unsigned b = m.atoms + k, opening = m.begin[b], closing = m.end[b];
    const bool from_opening = m.closure[k].from_opening;
    const Index at = start + count + (s.place[b] - m.atoms);
    write(b, from_opening ? opening : closing, from_opening ? closing : opening, at);
  }
  rows.atoms[i] = static_cast<std::int32_t>(m.atoms);
  rows.bonds[i] = static_cast<std::int32_t>(count + m.closures);
}

template <int W>
Status write_graph(const MolGraphBatch& batch, GraphWork& work, GraphSets<W>& sets, Index i) {
  Molecule& m = work.molecule;
  Status status = perceive_facts(m, sets.rings, sets.kekule, sets.facts);
  if (status == kNative) status = perceive_stereo(m, sets.facts, sets.rings, work.stereo);
  if (status != kNative) return status;
  const GraphTables& t = *batch.tables;
  const Index start = batch.rows.start[i];
  status = write_atoms(m, t, work, sets.facts, batch.rows.atom + start, batch.rows.floats + start * t.floats);
  if (status == kNative) write_bonds(m, t, work.stereo, sets, batch.rows, i);
  return status;
}

Status read_graph(const MolGraphBatch& batch, GraphWork& work, Index i) {
  if (batch.text[i] == nullptr) return kNotText;
  const Text text = stripped(batch.text[i], batch.length[i]);
  Molecule& m = work.molecule;
  Status status = read_smiles(text.begin, text.end, m);
  if (status != kNative) return status;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if ((m.atom[a].flags & kIsotope) != 0) return kElement;  // its mass is not kept
    work.written[a] = m.atom[a].hydrogens;
  }
  status = add_hydrogens(m);
  if (status != kNative) return status;
  return m.bonds() <= 64 ? write_graph(batch, work, work.small, i) : write_graph(batch, work, work.large, i);
}

void mol_graph_rows(const MolGraphBatch& batch, Index begin, Index end) {
  GraphWork work;
  for (Index i = begin; i < end; ++i) {
    batch.rows.atoms[i] = batch.rows.bonds[i] = 0;
    batch.status[i] = read_graph(batch, work, i);
  }
}

}  // namespace

extern const MolGraphKernels CATALASE_AT_LEVEL(mol_graphs) = {mol_graph_rows};
}  // namespace catalase
