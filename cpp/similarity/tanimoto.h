// Tanimoto similarity of bit fingerprints:  |a & b| / |a | b|,  and 0 if both are empty, RDKit's convention.
//
// Rows are packed bits, contiguous, of any number of bytes up to kMaxRowBytes; the order of the bits does not matter.
// |a | b| = |a| + |b| - |a & b|, so a pair costs one count. Everything up to the one division is in whole numbers: the
// same result at every level, for any number of threads.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kMaxRowBytes = Index{1} << 20;  // counts stay below 2^24: float32 holds them exactly

// The counts of kColumnRows library rows at one query, bit-sliced: plane p holds bit p of each row's count.
constexpr Index kColumnRows = 512;  // one cache line of every bitmap
constexpr Index kColumnWords = kColumnRows / 64;
constexpr int kMaxPlanes = 24;
struct ColumnCounts {
  std::uint64_t planes[kMaxPlanes][kColumnWords];
  std::uint64_t reached[kColumnWords];  // rows whose count is `least` or more
  int n_planes;
};

struct TanimotoKernels {
  // out[j] = |a & b_j| for one row a and m rows b. `next`, or nullptr, is prefetched into L1: as many bytes as b has,
  // whether or not memory exists at that address.
  void (*intersections)(const std::uint8_t* a, const std::uint8_t* b, Index m, Index bytes, const std::uint8_t* next,
                        std::int32_t* out);
  // out[j] = |b_j|.
  void (*popcounts)(const std::uint8_t* b, Index m, Index bytes, std::int32_t* out);
  // Adds up the bitmaps column + bits[i] * stride, i < n, n < 2^24, of kColumnRows bits each. Returns false if no count
  // reaches `least`; then `out` is not written. See index.h.
  bool (*count_column)(const std::uint8_t* column, Index stride, const std::uint32_t* bits, Index n, Index least,
                       ColumnCounts* out);
};
CATALASE_KERNELS(TanimotoKernels, tanimoto)
#ifdef CATALASE_X86_LEVELS
extern const TanimotoKernels tanimoto_avx512vpopcntdq;
#endif

// The kernels for this CPU at the level in use: those with VPOPCNTDQ where it has that too, which AVX-512 does not imply.
// allow_vpopcntdq(false) restricts them to the level's own instructions, so that tests reach both on one machine.
const TanimotoKernels& counting_kernels();
void allow_vpopcntdq(bool allowed);

// out (n, m): all pairs of the rows of a and b. All threads.
void tanimoto(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out);

// The best k of m targets for each of n queries: higher similarity first, then lower index, with a similarity of at
// least `threshold`. indices and similarities are (n, k); if fewer than k targets qualify, the rest is -1 and NaN. All
// threads.
void tanimoto_topk(const std::uint8_t* queries, Index n, const std::uint8_t* targets, Index m, Index bytes, Index k,
                   float threshold, std::int64_t* indices, float* similarities);

}  // namespace catalase
