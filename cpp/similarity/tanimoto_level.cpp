// Counts of common bits, and of bits in one column of an index.
// Each bits_<level>.h defines
//   Bits                  a vector of kBitsBytes bytes
//   load_bits(p), load_first(p, n), store_bits(p, v), any_bit(v)
//   add_counts(sum, v)    adds the number of set bits in each part of v to that part of the sum
//   sum_words(sum)        from parts to words; kSpan bytes at most may have been added up
//   add_lanes(words, out) the sums over the words of kSums vectors
//   carry_save(a, b, c)   a + b + c, bit by bit: the low bits stay in a, the carry is returned
// any of which may be plain code; the flags of the unit decide what it becomes.
//
// intersections: one row a stays in L1 and kSums rows of b are processed at a time, so that each vector of a is loaded
// once for all of them. From memory, rows are read one after the other instead, and the next rows are prefetched, since
// the processor's own prefetch stops at every page. Bound: compute on AVX2 (nibble look-ups, 8 operations per 32
// bytes), memory with VPOPCNTDQ.
//
// count_column: carry-save adders reduce 8 bitmaps to 1 carry of weight 8 (7 adders), which ripples up the planes; the
// planes stay in registers. `bits` has the rarest bits first: as soon as no row can reach `least` with the remaining
// bits, the column is done, usually about half way (README.md has figures). Bound: loads from L2 or L3.

#include "cpu/level.h"
#include "similarity/tanimoto.h"
#include CATALASE_LEVEL_HEADER(bits)

namespace catalase {
namespace {

// The bits of a row that are counted: those that the query has too, or all.
struct Common {
  const std::uint8_t* query;
  Bits last;  // of the query, if the row ends within a vector
  Bits of(Bits row, Index i) const { return row & load_bits(query + i); }
  Bits of_last(Bits row) const { return row & last; }
};
struct All {
  Bits of(Bits row, Index) const { return row; }
  Bits of_last(Bits row) const { return row; }
};

// The counts of kRows rows of b, spread over the words of a vector each.
template <int kRows, class What>
inline __attribute__((always_inline)) void count_rows(const std::uint8_t* b, Index bytes, const What& what, Bits* out) {
  const Index whole = bytes / kBitsBytes * kBitsBytes;
  Bits words[kRows] = {};
  for (Index begin = 0; begin < whole; begin += kSpan) {
    const Index end = begin + kSpan < whole ? begin + kSpan : whole;
    Bits sums[kRows] = {};
    for (Index i = begin; i < end; i += kBitsBytes) {
      for (int r = 0; r < kRows; ++r) sums[r] = add_counts(sums[r], what.of(load_bits(b + r * bytes + i), i));
    }
    for (int r = 0; r < kRows; ++r) words[r] += sum_words(sums[r]);
  }
  if (whole < bytes) {
    for (int r = 0; r < kRows; ++r) {
      const Bits row = load_first(b + r * bytes + whole, bytes - whole);
      words[r] += sum_words(add_counts(Bits{}, what.of_last(row)));
    }
  }
  for (int r = 0; r < kRows; ++r) out[r] = words[r];
}

template <class What>
inline __attribute__((always_inline)) void count_all_rows_of(const std::uint8_t* b, Index m, Index bytes,
                                                             const What& what, const std::uint8_t* next,
                                                             std::int32_t* out) {
  Index j = 0;
  for (; next == nullptr && j + kSums <= m; j += kSums) {
    Bits words[kSums];
    count_rows<kSums>(b + j * bytes, bytes, what, words);
    add_lanes(words, out + j);
  }
  // Row after row, so that memory is read in ascending order.
  for (; j < m; j += kSums) {
    const Index rows = m - j < kSums ? m - j : kSums;
    Bits words[kSums] = {};
    for (Index r = 0; r < rows; ++r) {
      const Index offset = (j + r) * bytes;
      for (Index i = 0; next != nullptr && i < bytes; i += 64) __builtin_prefetch(next + offset + i);
      count_rows<1>(b + offset, bytes, what, words + r);
    }
    std::int32_t totals[kSums];
    add_lanes(words, totals);
    for (Index r = 0; r < rows; ++r) out[j + r] = totals[r];
  }
}

// The usual 1,024 and 2,048 bits are unrolled: the end of a short loop is mispredicted, which discards the loads in
// flight for the next rows (2,048 bits from memory, AVX2: 38 to 93 M pairs/s).
template <class What>
inline void count_all_rows(const std::uint8_t* b, Index m, Index bytes, const What& what, const std::uint8_t* next,
                           std::int32_t* out) {
  if (bytes == 128) return count_all_rows_of(b, m, 128, what, next, out);
  if (bytes == 256) return count_all_rows_of(b, m, 256, what, next, out);
  count_all_rows_of(b, m, bytes, what, next, out);
}

void intersections(const std::uint8_t* a, const std::uint8_t* b, Index m, Index bytes, const std::uint8_t* next,
                   std::int32_t* out) {
  const Index rest = bytes % kBitsBytes;
  count_all_rows(b, m, bytes, Common{a, load_first(a + bytes - rest, rest)}, next, out);
}

void popcounts(const std::uint8_t* b, Index m, Index bytes, std::int32_t* out) {
  count_all_rows(b, m, bytes, All{}, nullptr, out);
}

// Lanes whose bit-sliced count is `least` or more: from the lowest plane up, a set bit of `least` requires the plane's
// bit and all below, and an unset one is satisfied by either.
template <int P>
inline Bits at_least(const Bits* planes, Index least) {
  Bits reached = ~Bits{};
  if (least <= 0) return reached;
  if (least >> P != 0) return Bits{};
  for (int p = 0; p < P; ++p) reached = (least >> p & 1) != 0 ? planes[p] & reached : planes[p] | reached;
  return reached;
}

// Counts kBitsBytes of a column: counts below 2^P, in registers.
template <int P, bool kFetch>
inline bool count_lanes(const std::uint8_t* column, Index stride, const std::uint32_t* bits, Index n, Index least,
                        std::uint64_t* planes_out, std::uint64_t* reached_out) {
  Bits planes[P] = {};
  for (Index i = 0; i < n; i += 8) {
    const Index still_needed = least - (n - i);
    if (i > 0 && still_needed > 0 && !any_bit(at_least<P>(planes, still_needed))) return false;
    Bits x[8];
    if (i + 8 <= n) {
      for (int j = 0; j < 8; ++j) {
        const std::uint8_t* lane = column + bits[i + j] * stride;
        if (kFetch) __builtin_prefetch(lane + kColumnRows / 8);
        x[j] = load_bits(lane);
      }
    } else {
      for (int j = 0; j < 8; ++j) x[j] = i + j < n ? load_bits(column + bits[i + j] * stride) : Bits{};
    }
    const Bits two_a = carry_save(planes[0], x[0], x[1]), two_b = carry_save(planes[0], x[2], x[3]);
    const Bits four_a = carry_save(planes[1], two_a, two_b);
    const Bits two_c = carry_save(planes[0], x[4], x[5]), two_d = carry_save(planes[0], x[6], x[7]);
    const Bits four_b = carry_save(planes[1], two_c, two_d);
    Bits carry = carry_save(planes[2], four_a, four_b);
    for (int p = 3; p < P; ++p) {
      const Bits next = planes[p] & carry;
      planes[p] ^= carry;
      carry = next;
    }
  }
  const Bits reached = at_least<P>(planes, least);
  if (!any_bit(reached)) return false;
  store_bits(reached_out, reached);
  for (int p = 0; p < P; ++p) store_bits(planes_out + p * kColumnWords, planes[p]);
  return true;
}

template <int P>
inline bool count_column_of(const std::uint8_t* column, Index stride, const std::uint32_t* bits, Index n, Index least,
                            ColumnCounts* out) {
  bool any = false;
  out->n_planes = P;
  for (Index part = 0; part < kColumnRows / 8 / kBitsBytes; ++part) {
    const Index word = part * kBitsBytes / 8;
    const auto count = part == 0 ? count_lanes<P, true> : count_lanes<P, false>;
    if (count(column + part * kBitsBytes, stride, bits, n, least, &out->planes[0][word], &out->reached[word])) {
      any = true;
    } else {
      store_bits(&out->reached[word], Bits{});
    }
  }
  return any;
}

// The 45 bits of a usual query need 6 planes; the last two are for folded counts, long sequences, and fingerprints with
// all bits set.
bool count_column(const std::uint8_t* column, Index stride, const std::uint32_t* bits, Index n, Index least,
                  ColumnCounts* out) {
  if (n < 64) return count_column_of<6>(column, stride, bits, n, least, out);
  if (n < 128) return count_column_of<7>(column, stride, bits, n, least, out);
  if (n < 256) return count_column_of<8>(column, stride, bits, n, least, out);
  if (n < 4096) return count_column_of<12>(column, stride, bits, n, least, out);
  return count_column_of<kMaxPlanes>(column, stride, bits, n, least, out);
}

}  // namespace

extern const TanimotoKernels CATALASE_AT_LEVEL(tanimoto) = {intersections, popcounts, count_column};
}  // namespace catalase
