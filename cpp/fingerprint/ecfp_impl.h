// One molecule after the other, on one thread: workspace on the stack, one word a set up to 64 atoms and bonds, four
// beyond. Included by ecfp_<level>.cpp, whose flags decide what the population counts become.
#pragma once

#include "fingerprint/aromaticity.h"
#include "fingerprint/ecfp.h"
#include "fingerprint/kekulize.h"
#include "fingerprint/molecule.h"
#include "fingerprint/morgan.h"
#include "fingerprint/rings.h"
#include "fingerprint/smiles.h"
#include "fingerprint/valence.h"

namespace catalase {
namespace {

template <int W>
struct Workspace {
  Rings<W> rings;
  Kekule<W> kekule;
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
  Status status = find_ring_bonds(m, w.rings);
  if (status == kNative) status = kekulize(m, w.rings.atoms, w.rings.bonds, w.kekule);
  if (status == kNative && m.closures != 0) status = perceive_aromaticity(m, w.rings, w.kekule);
  if (status == kNative) morgan(m, w.rings.atoms, batch.radius, batch.use_bond_types, w.morgan, emit);
  return status;
}

template <class Emit>
Status read_and_hash(const char* text, std::int64_t length, const EcfpBatch& batch, EcfpWork& work, Emit&& emit) {
  if (text == nullptr) return kNotText;
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  const char* end = text + length;
  while (text != end && is_space(*text)) ++text;
  while (text != end && is_space(end[-1])) --end;
  Molecule& m = work.molecule;
  Status status = read_smiles(text, end, m);
  if (status == kNative && batch.chirality && m.stereo_marks) status = kStereo;
  if (status == kNative) status = add_hydrogens(m);
  if (status != kNative) return status;
  return m.bonds() <= 64 ? features_of(m, batch, work.small, emit) : features_of(m, batch, work.large, emit);
}

void ecfp_rows(const EcfpBatch& batch, Index begin, Index end) {
  EcfpWork work;
  const u32 size = batch.size;
  const bool power = (size & (size - 1)) == 0;
  const auto place = [&](u32 feature) { return power ? feature & (size - 1) : feature % size; };
  for (Index i = begin; i < end; ++i) {
    Status status;
    const Index start = i * static_cast<Index>(size);
    switch (batch.output) {
      case EcfpOutput::kPacked: {
        u8* row = static_cast<u8*>(batch.rows) + start / 8;
        __builtin_memset(row, 0, size / 8);
        status = read_and_hash(batch.text[i], batch.length[i], batch, work, [&](u32 feature) {
          const u32 bit = place(feature);
          row[bit / 8] = static_cast<u8>(row[bit / 8] | 1u << (bit % 8));
        });
        break;
      }
      case EcfpOutput::kDense: {
        float* row = static_cast<float*>(batch.rows) + start;
        __builtin_memset(row, 0, size * sizeof(float));
        status = read_and_hash(batch.text[i], batch.length[i], batch, work, [&](u32 f) { row[place(f)] = 1.0f; });
        break;
      }
      default: {
        u32* row = static_cast<u32*>(batch.rows) + start;
        __builtin_memset(row, 0, size * sizeof(u32));
        status = read_and_hash(batch.text[i], batch.length[i], batch, work, [&](u32 f) { ++row[place(f)]; });
        break;
      }
    }
    batch.status[i] = status;
  }
}

}  // namespace
}  // namespace catalase
