// One molecule after the other, on one thread, with the workspace on the stack; molecules that do not fit use allocated
// lists.
#include "cpu/level.h"
#include "mol_graphs/mol_graphs.h"
#include "molecule/large_facts.h"
#include "molecule/large_molecule.h"
#include "molecule/molecule.h"
#include "molecule/perceive_facts.h"
#include "molecule/rdkit_binary.h"
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
// none, or on an aromatic nitrogen or phosphorus that is not aromatic, becomes implicit; and none on aromatic atoms but
// carbon, where RDKit makes them explicit.
inline bool implicit_hydrogens(const Atom& atom, u8 written, bool untagged, bool aromatic, u8& count) {
  const bool bracket = (atom.flags & kBracket) != 0,
             pyrrole = (atom.flags & kWrittenAromatic) != 0 && !aromatic && (atom.element == 7 || atom.element == 15);
  if (pyrrole && atom.charge == 0 && (bracket ? atom.hydrogens : written) == 1) {
    count = atom.hydrogens;
    return true;
  }
  if (!bracket) {
    count = aromatic && atom.element != 6 ? u8{0} : static_cast<u8>(atom.hydrogens - written);
    return true;
  }
  const bool freed = untagged && atom.hydrogens == 1 && atom.charge == 0 && !aromatic;
  count = freed;
  return !freed || atom.element == 6 || atom.element == 7;  // others might get another number of hydrogens
}

// Writes the row of an atom from its facts, in the order of AtomFact.
inline void write_atom(const GraphTables& t, const u8* fact, u64& row, float* floats) {
  row = 0;
  for (int k = 0; k < kAtomFacts; ++k) row |= t.atom[k][fact[k]];
  for (int k = 0; k < t.floats; ++k) floats[k] = t.float_value[k][fact[static_cast<int>(t.float_fact[k])]];
}

template <class M, class F, class S>
Status write_atoms(const M& m, const GraphTables& t, const F& f, const S& s, const u8* written, u64* row,
                   float* floats) {
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    const bool aromatic = f.aromatic.test(a);
    u8 implicit = 0;
    if (!implicit_hydrogens(atom, written[a], s.untagged[a], aromatic, implicit)) return kStereo;
    const u8 fact[kAtomFacts] = {atom.element,
                                 atom.degree,
                                 static_cast<u8>(atom.degree + atom.hydrogens),
                                 static_cast<u8>(atom.charge + 128),
                                 s.tag[a],
                                 atom.hydrogens,
                                 f.hybrid[a],
                                 aromatic,
                                 implicit,
                                 f.radicals[a]};
    write_atom(t, fact, row[a], floats + static_cast<Index>(a) * t.floats);
  }
  return kNative;
}

template <class M, class F, class Set, class S>
void write_bonds(const M& m, const GraphTables& t, const F& f, const Set& ring_bonds, const S& s, const GraphRows& rows,
                 Index i) {
  const Index start = rows.start[i];
  unsigned count = 0;
  const auto write = [&](unsigned b, unsigned begin, unsigned end, Index at) {
    const unsigned fact = (m.order[b] - 1u) + 8u * f.conjugated.test(b) + 16u * ring_bonds.test(b) + 32u * s.bond[b];
    rows.bond[at] = t.bond[fact];
    rows.begin[at] = begin;
    rows.end[at] = end;
  };
  for (unsigned b = 0; b < m.atoms; ++b) {
    if (m.begin[b] != M::kNone) write(b, m.begin[b], b, start + count++);
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

template <class M, class F, class R, class S>
Status write_graph(const MolGraphBatch& batch, const M& m, F& f, R& rings, S& s, const u8* written, Index i) {
  Status status = perceive_stereo(m, f, rings, s);
  if (status != kNative) return status;
  const GraphTables& t = *batch.tables;
  const Index start = batch.rows.start[i];
  status = write_atoms(m, t, f, s, written, batch.rows.atom + start, batch.rows.floats + start * t.floats);
  if (status == kNative) write_bonds(m, t, f, rings.bonds, s, batch.rows, i);
  return status;
}

template <int W>
Status perceive_and_write(const MolGraphBatch& batch, GraphWork& work, GraphSets<W>& sets, Index i) {
  Molecule& m = work.molecule;
  const Status status = perceive_facts(m, sets.rings, sets.kekule, sets.facts);
  if (status != kNative) return status;
  return write_graph(batch, m, sets.facts, sets.rings, work.stereo, work.written, i);
}

// Reads atoms and bonds, with their hydrogens.
template <class M>
Status read_atoms(const Text& text, M& m, u8* written) {
  const Status status = read_smiles(text.begin, text.end, m);
  if (status != kNative) return status;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if ((m.atom[a].flags & kIsotope) != 0) return kElement;  // its mass is not kept
    written[a] = m.atom[a].hydrogens;
  }
  return add_hydrogens(m);
}

__attribute__((noinline)) Status read_large_graph(const MolGraphBatch& batch, const Text& text, GraphWork& work,
                                                  Index i) {
  if (text.end - text.begin > kMaxText) return kSize;
  const LargeMemory memory(batch.memory, text.end - text.begin);
  LargeMolecule m = memory.molecule();
  const Block<u8> written(batch.memory, m.room);
  Status status = read_atoms(text, m, written.get());
  if (status != kNative) return status;
  LargeRings rings(batch.memory, m);
  LargeFacts facts(batch.memory, m);
  status = perceive_large_facts(batch.memory, m, rings, facts, work.molecule, work.small.rings, work.small.kekule,
                                work.large.rings, work.large.kekule);
  if (status != kNative) return status;
  LargeStereo stereo(batch.memory, m);
  LargeRingSets sets(m, rings);
  return write_graph(batch, m, facts, sets, stereo, written.get(), i);
}

// The graph of RDKit's binary form, with the facts as RDKit has computed them.
__attribute__((noinline)) Status read_binary_graph(const MolGraphBatch& batch, Molecule& m, Index i) {
  BinaryDetails d;
  clear_rings(d);
  Bits<4> ring_atoms;
  const Status status = read_rdkit_binary(batch.text[i], batch.length[i], false, m, ring_atoms, &d);
  if (status != kNative) return status;
  const GraphTables& t = *batch.tables;
  const GraphRows& rows = batch.rows;
  const Index start = rows.start[i];
  for (unsigned a = 0; a < m.atoms; ++a) {
    const Atom& atom = m.atom[a];
    if (d.isotope[a] != 0) return kElement;  // its mass is not in the tables
    const u8 fact[kAtomFacts] = {atom.element,
                                 atom.degree,
                                 static_cast<u8>(atom.degree + atom.hydrogens),
                                 static_cast<u8>(atom.charge + 128),
                                 d.tag[a],
                                 atom.hydrogens,
                                 d.hybridization[a],
                                 d.aromatic[a],
                                 d.implicit[a],
                                 d.radicals[a]};
    write_atom(t, fact, rows.atom[start + a], rows.floats + (start + a) * t.floats);
  }
  unsigned bonds = 0;
  for (unsigned a = 0; a < m.atoms; ++a) bonds += m.atom[a].degree;
  bonds /= 2;
  for (unsigned b = 0; b < bonds; ++b) {
    if (d.stereo[b] > 7) return kStereo;
    const unsigned fact = (m.order[b] - 1u) + 8u * d.conjugated[b] + 16u * d.ring_bonds.test(b) + 32u * d.stereo[b];
    rows.bond[start + b] = t.bond[fact];
    rows.begin[start + b] = d.begin[b];
    rows.end[start + b] = d.end[b];
  }
  rows.atoms[i] = static_cast<std::int32_t>(m.atoms);
  rows.bonds[i] = static_cast<std::int32_t>(bonds);
  return kNative;
}

Status read_graph(const MolGraphBatch& batch, GraphWork& work, Index i) {
  if (batch.text[i] == nullptr) return kNotText;
  if (batch.binary) return read_binary_graph(batch, work.molecule, i);
  const Text text = stripped(batch.text[i], batch.length[i]);
  Molecule& m = work.molecule;
  Status status = read_atoms(text, m, work.written);
  if (status == kSize) return read_large_graph(batch, text, work, i);
  if (status != kNative) return status;
  if (m.bonds() <= 64) return perceive_and_write(batch, work, work.small, i);
  status = perceive_and_write(batch, work, work.large, i);
  // More rings than are processed at once: each ring system is processed separately.
  return status == kRings ? read_large_graph(batch, text, work, i) : status;
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
