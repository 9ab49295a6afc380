// A library of fingerprints in a layout for searching: sorted by popcount (equal ones by their place in the library)
// and bit-sliced, so that a query reads, for each of its set bits, one bit of every molecule instead of the molecule's
// whole row.
//
// Layout of `slices`: chunks of kChunkRows rows, one after the other; in a chunk, one bitmap for each bit of the
// fingerprint (bit b of a row is bit b % 8 of byte b / 8), where row r of the chunk is bit r % 8 of byte r / 8. The
// last chunk has only as many columns of kColumnRows rows as it needs; rows past the end are zeros.
//
// Search, outermost loop first: blocks of queries with similar popcounts, chunks from the most similar popcount
// outwards (1 MB of 2048-bit rows: a chunk stays in L2 for a block of queries), queries, columns, groups of 8 set bits.
// Chunks and columns whose popcounts rule out the current threshold are skipped (Swamidass and Baldi 2007,
// doi:10.1021/ci600358f): similarity is at most min(|a|, |b|) / max(|a|, |b|), and reaching s takes |a & b| >= s (|a| +
// |b|) / (1 + s). A query's set bits are taken rarest first, which lets count_column stop early: of c common bits that
// are needed, c - r must be among all but the r last ones. (This is the prefix filter of set-similarity joins:
// Chaudhuri, Ganti and Kaushik, ICDE 2006, doi:10.1109/ICDE.2006.9.)
//
// The search is exact: the planes give counts as whole numbers, and these give similarities as in tanimoto.h. The
// number of threads decides only the order in which hits are offered.
#pragma once

#include "similarity/tanimoto.h"

namespace catalase {

constexpr Index kChunkRows = 16384;

struct IndexView {
  Index rows, bytes;
  const std::uint8_t* slices;           // slice_bytes(rows, bytes)
  const std::int32_t* popcounts;        // (rows,), ascending
  const std::int64_t* places;           // (rows,): the place of each row in the library
  const std::int64_t* bit_frequencies;  // (8 * bytes,): the number of rows that have each bit
};

Index slice_bytes(Index rows, Index bytes);

// Fills the four arrays of an index of library (rows, bytes). All threads.
void build_index(const std::uint8_t* library, Index rows, Index bytes, std::uint8_t* slices, std::int32_t* popcounts,
                 std::int64_t* places, std::int64_t* bit_frequencies);

// As tanimoto_topk; indices are places in the library. All threads.
void index_topk(const IndexView& index, const std::uint8_t* queries, Index n, Index k, float threshold,
                std::int64_t* indices, float* similarities);

// Finds all rows whose distance 1 - |a & b| / |a | b|, in float64, is at most `cutoff`: writes their counts (n,) and,
// unless `places` is null, the places of query i's neighbours, ascending, from places[starts[i]] on. All threads.
void index_neighbors(const IndexView& index, const std::uint8_t* queries, Index n, double cutoff, std::int64_t* counts,
                     const std::int64_t* starts, std::int64_t* places);

}  // namespace catalase
