// Morgan fingerprints of molecular graphs (cpp/fingerprint/graphs.h) with RDKit's 32-bit hash: the rounds of
// cpp/fingerprint/morgan.h, in integers throughout, so the bits are the CPU's.
//
//   round 0: the values of the graph;  round r: v'[a] = hash(r - 1, v[a], the (bond, v) of its neighbours, ascending)
//
// Every v of an atom whose neighbourhood (the bonds within r) is new becomes a feature. Among equal neighbourhoods the
// one of an earlier round wins, then the smaller value, then the smaller atom; the other atoms stop there, and from the
// next round on their value counts as 0. Neighbourhoods are sets of bonds and compared exactly.
// Threads: a warp processes a molecule and its row, a lane every 32nd atom; warps never wait for each other. For up to
// 64 atoms and bonds everything is in shared memory, and a set is one word. For up to 255 a thread block has one warp,
// sets are four words, and the neighbourhoods of earlier rounds are in global memory (`seen`), separately for each
// block.
// Duplicates: a lane compares its atom's neighbourhood with all of earlier rounds and all of this one; the reads are
// broadcasts. Features enter a list at places counted by ballots. The row is cleared, then each lane writes the bytes
// or counts of its features, whose value it finds by walking the list: equal features write equal values. There are no
// atomics.
// Bound: latency of shared memory and of the hash chains; for dense rows and counts, writing 4 bytes a feature. Not
// taken: a table of neighbourhoods as on the CPU (its slots would need atomics).
#include "types.cuh"

namespace catalase {

using u16 = unsigned short;

constexpr i32 kWarps = 4;      // of small molecules in a block
constexpr i64 kMaxRadius = 6;  // as in the CPU's stack arrays
constexpr u32 kGolden = 0x9e3779b9u;

// A set of bonds.
template <i32 kWords>
struct Bonds {
  u64 word[kWords];
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (i32 k = 0; k < kWords; ++k) word[k] = 0;
  }
  __device__ __forceinline__ void set(u32 bond) {
#pragma unroll
    for (i32 k = 0; k < kWords; ++k) word[k] |= static_cast<u64>(bond / 64 == static_cast<u32>(k)) << (bond % 64);
  }
  __device__ __forceinline__ void add(const Bonds& o) {
#pragma unroll
    for (i32 k = 0; k < kWords; ++k) word[k] |= o.word[k];
  }
  __device__ __forceinline__ bool equals(const Bonds& o) const {
    bool equal = word[0] == o.word[0];
#pragma unroll
    for (i32 k = 1; k < kWords; ++k) equal = equal && word[k] == o.word[k];
    return equal;
  }
  __device__ __forceinline__ i32 count() const {
    i32 bits = 0;
#pragma unroll
    for (i32 k = 0; k < kWords; ++k) {
      bits += __popc(static_cast<u32>(word[k])) + __popc(static_cast<u32>(word[k] >> 32));
    }
    return bits;
  }
};

// A molecule during hashing; of each pair of arrays one is read in a round and the other written.
template <i32 kWords>
struct Work {
  static constexpr i32 kAtoms = 64 * kWords;
  using Set = Bonds<kWords>;
  Set reach[2][kAtoms];  // bonds within the last round and this one
  u32 value[2][kAtoms];
  u32 end[2 * kAtoms];  // neighbour | bond << 8 | type << 16
  u32 feature[kAtoms * (kMaxRadius + 1)];
  u16 first[kAtoms + 1];  // the start of each atom's ends
  u8 alive[2][kAtoms];

  __device__ __forceinline__ i32 degree(i32 a) const { return first[a + 1] - first[a]; }
};

struct Graphs {
  const u32 *first_atom, *first_end, *value, *end;
  __device__ __forceinline__ i64 atoms(i64 m) const { return first_atom[m + 1] - first_atom[m]; }
  __device__ __forceinline__ i64 ends(i64 m) const { return first_end[first_atom[m + 1]] - first_end[first_atom[m]]; }
};

struct OutputRow {
  i64 size, output;
  u8* data;
};

// Among the lanes for which a condition holds: the rank of this lane, and their number.
struct Ballot {
  i32 mine, all;
};
__device__ __forceinline__ Ballot ballot_of(bool holds, i32 lane) {
  const u32 votes = __ballot_sync(0xffffffffu, holds);
  return {__popc(votes & ((1u << lane) - 1u)), __popc(votes)};
}

__device__ __forceinline__ u32 mix(u32 seed, u32 value) {
  return seed ^ (value + kGolden + (seed << 6) + (seed >> 2));
}

template <i32 kSlots>
__device__ __forceinline__ u32 hash_of(const u32* end, i32 degree, u32 round, u32 own, const u32* value) {
  u64 key[kSlots];  // empty slots sort last
#pragma unroll
  for (i32 i = 0; i < kSlots; ++i) {
    key[i] = i < degree ? static_cast<u64>(end[i] >> 16) << 32 | value[end[i] & 255u] : ~static_cast<u64>(0);
  }
#pragma unroll
  for (i32 last = kSlots - 1; last > 0; --last) {
#pragma unroll
    for (i32 i = 0; i < last; ++i) {
      const bool less = key[i + 1] < key[i];
      const u64 low = less ? key[i + 1] : key[i];
      key[i + 1] = less ? key[i] : key[i + 1];
      key[i] = low;
    }
  }
  u32 v = mix(round, own);
#pragma unroll
  for (i32 i = 0; i < kSlots; ++i) {
    const u32 pair = mix(mix(0u, static_cast<u32>(key[i] >> 32)), static_cast<u32>(key[i]));
    v = i < degree ? mix(v, pair) : v;
  }
  return v;
}

template <class W>
__device__ __forceinline__ u32 next_value(const W& w, i32 a, u32 round, const u32* value) {
  const i32 degree = w.degree(a);
  const u32* end = w.end + w.first[a];
  return degree <= 4 ? hash_of<4>(end, degree, round, value[a], value)
                     : hash_of<8>(end, degree, round, value[a], value);
}

// Atoms, bonds and round 0.
template <class W>
__device__ __forceinline__ void load(const Graphs& g, i64 molecule, i32 n, i32 lane, W& w) {
  const i64 atom = g.first_atom[molecule], end = g.first_end[atom];
  for (i32 a = lane; a <= n; a += 32) w.first[a] = static_cast<u16>(g.first_end[atom + a] - end);
  for (i32 a = lane; a < n; a += 32) w.value[0][a] = w.feature[a] = g.value[atom + a];
  const i32 ends = static_cast<i32>(g.ends(molecule));
  for (i32 e = lane; e < ends; e += 32) w.end[e] = g.end[end + e];
  __syncwarp(0xffffffffu);
}

// Round 1, whose neighbourhoods are the atoms' own bonds: two atoms share theirs only in a fragment of two atoms.
template <class W>
__device__ __forceinline__ i32 first_round(W& w, i32 n, i32 lane) {
  const u32* next = w.value[1];
  for (i32 a = lane; a < n; a += 32) {
    typename W::Set star;
    star.clear();
    for (i32 e = w.first[a]; e < w.first[a + 1]; ++e) star.set(w.end[e] >> 8 & 255u);
    w.reach[0][a] = star;
    w.alive[0][a] = w.degree(a) > 0;
    w.value[1][a] = w.degree(a) > 0 ? next_value(w, a, 0u, w.value[0]) : 0u;
  }
  __syncwarp(0xffffffffu);
  i32 count = n;
  for (i32 base = 0; base < n; base += 32) {
    const i32 a = base + lane, degree = a < n ? w.degree(a) : 0;
    bool keep = degree > 1;
    if (degree == 1) {
      const i32 other = static_cast<i32>(w.end[w.first[a]] & 255u);
      keep = w.degree(other) > 1 || next[a] < next[other] || (next[a] == next[other] && a < other);
    }
    const Ballot votes = ballot_of(keep, lane);
    if (keep) w.feature[count + votes.mine] = next[a];
    count += votes.all;
  }
  __syncwarp(0xffffffffu);
  return count;
}

// Whether an atom's neighbourhood occurs neither in an earlier round nor for another atom with precedence. Only the
// neighbourhoods of atoms with one neighbour, or whose neighbours have no other, can equal those of round 1.
template <class W>
__device__ __forceinline__ bool is_new(const W& w, i32 a, i32 n, const typename W::Set* seen, i32 n_seen, i32 round) {
  const typename W::Set own = w.reach[round & 1][a];
  const u8* alive = w.alive[(round - 1) & 1];
  const u32* next = w.value[(round + 1) & 1];
  bool is = w.degree(a) > 1 && own.count() != w.degree(a);
  for (i32 s = 0; is && s < n_seen; ++s) is = !seen[s].equals(own);
  for (i32 b = 0; is && b < n; ++b) {
    const bool rival = b != a && alive[b] != 0 && w.reach[round & 1][b].equals(own);
    is = !rival || next[a] < next[b] || (next[a] == next[b] && a < b);
  }
  return is;
}

// A round from 2 on (numbered from 0, as in the hash). Returns the number of features so far.
template <class W>
__device__ __forceinline__ i32 later_round(W& w, i32 n, i32 lane, i32 round, i32 count, typename W::Set* seen,
                                           i32 n_seen) {
  const i32 before = (round - 1) & 1, now = round & 1;
  for (i32 a = lane; a < n; a += 32) {
    typename W::Set wider = w.reach[before][a];
    u32 v = 0;
    if (w.alive[before][a] != 0) {
      for (i32 e = w.first[a]; e < w.first[a + 1]; ++e) wider.add(w.reach[before][w.end[e] & 255u]);
      v = next_value(w, a, static_cast<u32>(round), w.value[now]);
    }
    w.reach[now][a] = wider;
    w.value[1 - now][a] = v;
  }
  __syncwarp(0xffffffffu);
  i32 added = 0;
  for (i32 base = 0; base < n; base += 32) {
    const i32 a = base + lane;
    const bool keep = a < n && w.alive[before][a] != 0 && is_new(w, a, n, seen, n_seen, round);
    const Ballot votes = ballot_of(keep, lane);
    if (a < n) w.alive[now][a] = keep;
    if (keep) {
      w.feature[count + added + votes.mine] = w.value[1 - now][a];
      seen[n_seen + added + votes.mine] = w.reach[now][a];
    }
    added += votes.all;
  }
  __syncwarp(0xffffffffu);
  return count + added;
}

template <class T>
__device__ __forceinline__ void clear(u8* data, i64 bytes, i32 lane) {
  T* to = reinterpret_cast<T*>(data);
  for (i64 i = lane; i < bytes / static_cast<i64>(sizeof(T)); i += 32) to[i] = T{};
}

__device__ __forceinline__ void write_row(const OutputRow& row, u32* feature, i32 count, i32 lane) {
  const i64 bytes = row.output == kPackedOutput ? row.size / 8 : 4 * row.size;
  if (bytes % 16 == 0) {  // then every row begins at a multiple of 16
    clear<uint4>(row.data, bytes, lane);
  } else {
    clear<u8>(row.data, bytes, lane);
  }
  for (i32 i = lane; i < count; i += 32) feature[i] %= static_cast<u32>(row.size);
  __syncwarp(0xffffffffu);
  for (i32 i = lane; i < count; i += 32) {
    const u32 place = feature[i];
    if (row.output == kDenseOutput) {
      reinterpret_cast<float*>(row.data)[place] = 1.0f;
      continue;
    }
    u32 bits = 0, times = 0;
    for (i32 k = 0; k < count; ++k) {
      const u32 other = feature[k];
      bits |= static_cast<u32>(other / 8 == place / 8) << (other % 8);
      times += static_cast<u32>(other == place);
    }
    if (row.output == kPackedOutput) {
      row.data[place / 8] = static_cast<u8>(bits);
    } else {
      reinterpret_cast<u32*>(row.data)[place] = times;
    }
  }
  __syncwarp(0xffffffffu);  // the list is read to its end before the next molecule's comes
}

// One warp.
template <class W>
__device__ __forceinline__ void hash_molecule(const Graphs& g, i64 molecule, i64 radius, const OutputRow& row, W& w,
                                              typename W::Set* seen) {
  const i32 lane = static_cast<i32>(threadIdx.x) % 32, n = static_cast<i32>(g.atoms(molecule));
  load(g, molecule, n, lane, w);
  i32 count = n;
  if (radius > 0) {
    count = first_round(w, n, lane);
    const i32 known = count;  // known without a look-up: later features are those of `seen`
    for (i32 round = 1; round < static_cast<i32>(radius); ++round) {
      const i32 last = count;
      count = later_round(w, n, lane, round, count, seen, count - known);
      if (count == last) break;  // no atom continues
    }
  }
  write_row(row, w.feature, count, lane);
}

}  // namespace catalase

using namespace catalase;

// Rows of molecules with up to 64 atoms and 64 bonds; the other rows are not written. rows: uint8 (n, size / 8),
// float32 or uint32 (n, size), depending on `output`.
extern "C" __global__ void __launch_bounds__(128)
    morgan_small(const u32* first_atom, const u32* first_end, const u32* value, const u32* end, i64 molecules,
                 i64 radius, i64 size, i64 output, u8* rows) {
  __shared__ Work<1> work[kWarps];
  __shared__ Bonds<1> seen[kWarps][64 * (kMaxRadius - 1)];
  const i32 warp = static_cast<i32>(threadIdx.x) / 32;
  const i64 molecule = static_cast<i64>(blockIdx.x) * kWarps + warp;
  const Graphs g{first_atom, first_end, value, end};
  if (molecule >= molecules || g.atoms(molecule) > 64 || g.ends(molecule) > 128) return;  // whole warps
  const i64 bytes = output == kPackedOutput ? size / 8 : 4 * size;
  hash_molecule(g, molecule, radius, OutputRow{size, output, rows + molecule * bytes}, work[warp], seen[warp]);
}

// Rows of the molecules listed in `which`, of up to 255 atoms and bonds; one warp a thread block. seen: for each block,
// four words for each of 256 * (radius - 1) neighbourhoods.
extern "C" __global__ void __launch_bounds__(32)
    morgan_large(const u32* first_atom, const u32* first_end, const u32* value, const u32* end, const i64* which,
                 i64 count, i64 radius, i64 size, i64 output, u64* seen, u8* rows) {
  __shared__ Work<4> work;
  const Graphs g{first_atom, first_end, value, end};
  const i64 bytes = output == kPackedOutput ? size / 8 : 4 * size;
  auto* own = reinterpret_cast<Bonds<4>*>(seen) + static_cast<i64>(blockIdx.x) * 256 * (radius - 1);
  for (i64 i = blockIdx.x; i < count; i += gridDim.x) {
    hash_molecule(g, which[i], radius, OutputRow{size, output, rows + which[i] * bytes}, work, own);
  }
}
