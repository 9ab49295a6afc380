// A molecule's graph, on one thread.
#pragma once

#include "fingerprint/ecfp_impl.h"
#include "fingerprint/graphs.h"

namespace catalase {
namespace {

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
}  // namespace catalase
