// One molecule after the other, on one thread. The work space is on the stack, with one word for a set of up to 64 atoms
// and bonds and four words beyond.
#include "cpu/level.h"
#include "fingerprint/atom_codes.h"
#include "fingerprint/paths.h"
#include "fingerprint/rows.h"
#include "fingerprint/subgraphs.h"
#include "molecule/large_molecule.h"
#include "molecule/molecule.h"
#include "molecule/perceive.h"
#include "molecule/smiles.h"
#include "molecule/text.h"
#include "molecule/valence.h"

namespace catalase {
namespace {

template <int W>
struct PathSpace {
  Perception<W> perception;
  union {
    AtomCodes<W> codes;
    SubgraphWork<W> subgraphs;
  };
  PathSpace() {}
};

struct PathWork {
  Molecule molecule;
  union {
    PathSpace<1> small;
    PathSpace<4> large;
  };
  PathWork() {}
};

template <int W, class Emit>
Status path_features(Molecule& m, PathKind kind, PathSpace<W>& space, Emit& emit) {
  Status status = perceive(m, space.perception);
  if (status != kNative) return status;
  if (kind == PathKind::kSubgraphs) {
    const Bits<W> aromatic = aromatic_atoms<W>(m);
    if (has_aromatic_triple(m, space.perception.rings.bonds, aromatic)) return kAromatic;
    return Subgraphs<W, Emit>(m, space.subgraphs, emit).run(aromatic);
  }
  status = find_atom_codes(m, space.codes);
  if (status != kNative) return status;
  if (kind == PathKind::kAtomPairs) {
    atom_pairs(m, space.codes, emit);
  } else {
    torsions(m, space.codes, emit);
  }
  return kNative;
}

void path_rows(const PathBatch& batch, Index begin, Index end) {
  PathWork work;
  Molecule& m = work.molecule;
  const bool simulated = batch.kind != PathKind::kSubgraphs && batch.output != EcfpOutput::kCounts;
  const Block<u32> bins(batch.memory, simulated ? batch.size / 4 : 1);
  for (Index i = begin; i < end; ++i) {
    const auto fill = [&](auto&& emit) {
      if (batch.text[i] == nullptr) return kNotText;
      const Text text = stripped(batch.text[i], batch.length[i]);
      Status status = read_smiles(text.begin, text.end, m);
      if (status == kNative) status = add_hydrogens(m);
      if (status != kNative) return status == kRefused ? kValence : status;
      return m.bonds() <= 64 ? path_features(m, batch.kind, work.small, emit)
                             : path_features(m, batch.kind, work.large, emit);
    };
    Status status;
    if (simulated) {
      status = fill_simulated_row(batch.output, batch.rows, batch.size, i, bins.get(), fill);
    } else {
      status = fill_row(batch.output, batch.rows, batch.size, i, fill);
      if (status != kNative) clear_row(batch.output, batch.rows, batch.size, i);
    }
    batch.status[i] = status;
  }
}

}  // namespace

extern const PathKernels CATALASE_AT_LEVEL(path) = {path_rows};
}  // namespace catalase
