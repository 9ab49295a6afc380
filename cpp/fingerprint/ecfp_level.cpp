// One molecule after the other, on one thread. The workspace is on the stack, with one word for a set of up to 64 atoms
// and bonds and four words beyond; molecules that do not fit use allocated lists. The flags of the level decide how
// population counts are compiled.

#include "fingerprint/ecfp.h"
#include "fingerprint/graphs.h"
#include "fingerprint/large_morgan.h"
#include "fingerprint/morgan.h"
#include "fingerprint/rows.h"
#include "molecule/large_molecule.h"
#include "molecule/large_rings.h"
#include "molecule/molecule.h"
#include "molecule/perceive.h"
#include "molecule/rdkit_binary.h"
#include "molecule/smiles.h"
#include "molecule/text.h"
#include "molecule/valence.h"

namespace catalase {
namespace {

template <int W>
struct Workspace : Perception<W> {
  MorganWork<W> morgan;
};

struct EcfpWork {
  Molecule molecule;
  union {
    Workspace<1> small;
    Workspace<4> large;
  };
  EcfpWork() {}
};

template <int W, class Emit>
Status features_of(Molecule& m, const EcfpBatch& batch, Workspace<W>& w, Emit&& emit) {
  const Status status = perceive(m, w);
  if (status == kNative) morgan(m, w.rings.atoms, batch, w.morgan, emit);
  return status;
}

// Whether a hydrogen is written as an atom: if a valence is refused, RDKit numbers and removes these differently.
inline bool has_hydrogen_atoms(const char* text, const char* end) {
  for (; end - text >= 3; ++text) {
    if (text[0] == '[' && text[1] == 'H' && text[2] == ']') return true;
  }
  return false;
}

// The features of a molecule that does not fit, or of any radius. `work` serves its ring systems, one at a time.
__attribute__((noinline)) Status large_features(const char* text, const char* end, const EcfpBatch& batch,
                                                EcfpWork& work, List<u32>& features) {
  if (end - text > kMaxText) return kSize;
  const LargeMemory memory(batch.memory, end - text);
  LargeMolecule m = memory.molecule();
  Status status = read_smiles(text, end, m);
  if (status == kNative && batch.chirality && m.stereo_marks) status = kStereo;
  if (status == kNative && batch.features && m.atoms > kMaxPharmacophoreAtoms) status = kSize;
  if (status == kNative) status = add_hydrogens(m);
  const bool refused = status == kRefused;
  if (refused && has_hydrogen_atoms(text, end)) return kValence;
  if (status != kNative && !refused) return status;
  LargeRings rings(batch.memory, m);
  status = find_ring_systems(m, rings);
  if (status == kNative) status = single_bonds_between_systems(m, rings);
  List<u32> queue(batch.memory, m.room);
  for (u32 top = 0; top < m.atoms && status == kNative; ++top) {
    if (rings.first[top] == LargeMolecule::kNone) continue;
    Molecule& system = work.molecule;
    if (extract_system(m, top, rings, system) != kNative) {
      status = prove_not_aromatic(m, top, rings, queue);
      continue;
    }
    status = system.bonds() <= 64 ? perceive_system(system, work.small.rings, work.small.kekule)
                                  : perceive_system(system, work.large.rings, work.large.kekule);
    if (status == kNative) take_orders(m, top, rings, system);
  }
  if (status == kNative) status = large_morgan(m, rings, batch, features);
  return status == kNative && refused ? kRefused : status;
}

// The same, and writes its features to the row.
template <class Emit>
Status read_and_hash_large(const char* text, const char* end, const EcfpBatch& batch, EcfpWork& work, Emit&& emit) {
  List<u32> features(batch.memory, kMaxFeatures);
  const Status status = large_features(text, end, batch, work, features);
  if (status != kNative && status != kRefused) return status;
  if (features.full()) return kSize;
  for (std::size_t i = 0; i < features.count(); ++i) emit(features[i]);
  return status;
}

template <class Emit>
__attribute__((noinline)) Status read_and_hash_binary(const char* data, std::int64_t length, const EcfpBatch& batch,
                                                      EcfpWork& work, Emit&& emit) {
  if (data == nullptr) return kNotText;
  if (batch.radius > kEcfpMaxRadius) return kSize;
  if (batch.chirality) return kStereo;
  Molecule& m = work.molecule;
  Bits<4> ring_atoms;
  const Status status = read_rdkit_binary(data, length, batch.features, m, ring_atoms);
  if (status != kNative) return status;
  if (m.bonds() <= 64) {
    morgan(m, Bits<1>{{ring_atoms.word[0]}}, batch, work.small.morgan, emit);
  } else {
    morgan(m, ring_atoms, batch, work.large.morgan, emit);
  }
  return kNative;
}

// Reads atoms and bonds, with their hydrogens; kSize for molecules that do not fit.
inline Status read_small(const Text& text, const EcfpBatch& batch, Molecule& m) {
  Status status = read_smiles(text.begin, text.end, m);
  if (status == kNative && batch.chirality && m.stereo_marks) status = kStereo;
  if (status == kNative) status = add_hydrogens(m);
  return status;
}

template <class Emit>
Status read_and_hash(const char* data, std::int64_t length, const EcfpBatch& batch, EcfpWork& work, Emit&& emit) {
  if (batch.binary) return read_and_hash_binary(data, length, batch, work, emit);
  if (data == nullptr) return kNotText;
  const Text text = stripped(data, length);
  Molecule& m = work.molecule;
  Status status = batch.radius > kEcfpMaxRadius ? kSize : read_small(text, batch, m);
  if (status != kNative) {
    if (status != kSize && status != kRefused) return status;
    return read_and_hash_large(text.begin, text.end, batch, work, emit);  // refusals are rare: one path for all
  }
  if (m.bonds() <= 64) return features_of(m, batch, work.small, emit);
  status = features_of(m, batch, work.large, emit);
  if (status != kRings) return status;
  // The molecule has more rings than are processed at once, so each ring system is processed separately.
  return read_and_hash_large(text.begin, text.end, batch, work, emit);
}

void ecfp_rows(const EcfpBatch& batch, Index begin, Index end) {
  EcfpWork work;
  for (Index i = begin; i < end; ++i) {
    const Status status = fill_row(batch.output, batch.rows, batch.size, i, [&](auto&& emit) {
      return read_and_hash(batch.text[i], batch.length[i], batch, work, emit);
    });
    batch.status[i] = status;
    if (status == kRefused && !batch.partial) clear_row(batch.output, batch.rows, batch.size, i);
  }
}

// Bonds are renumbered without the numbers of roots, and ends are in the order of the neighbour lists.
inline void write_bonds(const Molecule& m, bool use_bond_types, u32* end, u8* degree, std::int32_t& ends) {
  u8 number[256];
  __builtin_memset(number, kNoAtom, sizeof(number));
  u32 bonds = 0, count = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    degree[a] = m.atom[a].degree;
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const unsigned bond = m.bond[a][i];
      if (number[bond] == kNoAtom) number[bond] = static_cast<u8>(bonds++);
      const u32 type = use_bond_types ? kHashedOrders[m.order[bond]] : 1;
      end[count++] = m.neighbour[a][i] | u32{number[bond]} << 8 | type << 16;
    }
  }
  ends = static_cast<std::int32_t>(count);
}

template <int W>
Status write_graph(Molecule& m, const EcfpBatch& batch, Workspace<W>& w, const GraphRoom& room, Index i) {
  const Status status = perceive(m, w);
  if (status != kNative) return status;
  u64* value = w.morgan.values[0];
  if (batch.features) {
    pharmacophores(m, value);
  } else {
    first_values(m, w.rings.atoms, value);
  }
  const std::int64_t start = room.start[i];
  for (unsigned a = 0; a < m.atoms; ++a) room.value[start + a] = static_cast<u32>(value[a]);
  write_bonds(m, batch.use_bond_types, room.end + 2 * start, room.degree + start, room.ends[i]);
  room.atoms[i] = static_cast<std::int32_t>(m.atoms);
  return kNative;
}

void ecfp_graph_rows(const EcfpBatch& batch, const GraphRoom& room, Index begin, Index end) {
  EcfpWork work;
  Molecule& m = work.molecule;
  for (Index i = begin; i < end; ++i) {
    room.atoms[i] = room.ends[i] = 0;
    Status status = kNotText;
    if (batch.text[i] != nullptr) {
      const Text text = stripped(batch.text[i], batch.length[i]);
      status = read_small(text, batch, m);
      if (status == kNative) {
        status =
            m.bonds() <= 64 ? write_graph(m, batch, work.small, room, i) : write_graph(m, batch, work.large, room, i);
      }
    }
    batch.status[i] = status;
  }
}

}  // namespace

extern const EcfpKernels CATALASE_AT_LEVEL(ecfp) = {ecfp_rows, ecfp_graph_rows};
}  // namespace catalase
