// Divides molecules among the threads; each has its workspace on the stack.
#include "scaffold/scaffold.h"

#include "common/blocks.h"
#include "molecule/aromaticity.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"
#include "molecule/smiles.h"
#include "molecule/text.h"
#include "molecule/valence.h"
#include "scaffold/canonical.h"
#include "scaffold/murcko.h"

namespace catalase {
namespace {

constexpr Index kBlock = 64;  // molecules

template <int W>
struct ScaffoldSets {
  Rings<W> rings;
  Kekule<W> kekule;
};

struct ScaffoldWork {
  Molecule molecule;
  union {
    ScaffoldSets<1> small;
    ScaffoldSets<4> large;
  };
  LabelledGraph graph;
  Form form;
  ScaffoldWork() {}
};

template <int W>
Status graph_of(Molecule& m, ScaffoldSets<W>& s, LabelledGraph& graph) {
  Status status = find_ring_bonds(m, s.rings);
  if (status == kNative) status = kekulize(m, s.rings.atoms, s.rings.bonds, s.kekule);
  if (status == kNative) status = perceive_aromaticity(m, s.rings, s.kekule);
  return status == kNative ? murcko_graph(m, s.rings, graph) : status;
}

Status find_key(const ScaffoldBatch& batch, Index i, ScaffoldWork& work) {
  batch.count[i] = 0;
  if (batch.text[i] == nullptr) return kNotText;
  const Text text = stripped(batch.text[i], batch.length[i]);
  Molecule& m = work.molecule;
  Status status = read_smiles(text.begin, text.end, m);
  if (status == kNative) status = add_hydrogens(m);
  if (status != kNative) return status;
  if (m.atoms == 0) return kSize;  // RDKit has no scaffold of it
  if (m.closures == 0) {
    for (const u64 word : m.written_aromatic) {
      if (word != 0) return kAromatic;
    }
    return kNative;
  }
  status = m.bonds() <= 64 ? graph_of(m, work.small, work.graph) : graph_of(m, work.large, work.graph);
  if (status != kNative) return status;
  if (!Canonizer(work.graph).form(work.form)) return kSize;
  batch.count[i] = static_cast<std::int32_t>(work.form.words);
  __builtin_memcpy(batch.words + batch.start[i], work.form.word, work.form.words * sizeof(u32));
  return kNative;
}

}  // namespace

void scaffold_keys(const ScaffoldBatch& batch, int threads) {
  in_blocks(batch.molecules, kBlock, threads, [&](Index begin, Index end) {
    ScaffoldWork work;
    for (Index i = begin; i < end; ++i) batch.status[i] = find_key(batch, i, work);
  });
}

}  // namespace catalase
