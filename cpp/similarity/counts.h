// Tanimoto similarity of rows of counts:  sum_c min(a_c, b_c) / sum_c max(a_c, b_c),  and 0 if both rows are empty.
//
// a (n, columns) and b (m, columns) are dense rows of numbers from 0 to float32's largest, with unit column stride; out
// (n, m) is contiguous. The sum of maxima is sum(a) + sum(b) - sum(minima), so that only columns in which both rows are
// not zero cost anything.
//
// Order of work:
//   1. Both sides are read once and kept as lists of their entries that are not zero, in blocks of rows.
//   2. Each block of kTargets rows of b is turned into a table: for each column that occurs in it a line of kTargets
//      values, and for each column the number of its line (line 0 is all zeros).
//   3. A row of a walks its entries: one look-up of the line, one minimum and one addition add the entry to the sums of
//      kTargets pairs. With ECFP4 counts (44 entries of 2,048 columns) a table has some 600 lines.
// If no number of either side has a fraction or exceeds 255, a line is one cache line of bytes, and the sums are bytes
// that are widened before they can overflow; else lines and sums are float64. Sums of whole numbers are exact either
// way, and the quotient is rounded once from exact numbers of up to 24 bits (float32) or 53 bits (float64).
//
// Sums ascend over columns; threads divide blocks of pairs. So the bits depend neither on threads or levels nor on the
// other rows. Bound: reads of table lines from L1 and L2.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kTargets = 64;                      // rows of b in a table: one cache line of bytes
constexpr Index kMaxCountColumns = Index{1} << 22;  // sums of bytes stay below 2^30

// The entries of one row that are not zero, in ascending columns.
struct CountEntries {
  const std::uint32_t* columns;
  const std::uint8_t* bytes;  // the values, where all of them fit
  const double* values;
  Index size;
  double sum;
};

// kTargets rows as a table. Either `bytes` or `values` is set.
struct CountTable {
  const std::uint32_t* line_of;  // (columns)
  const std::uint8_t* bytes;     // (lines, kTargets)
  const double* values;
  const double* sums;  // (kTargets), 0 beyond the last row
  Index rows;
};

struct CountKernels {
  // The bits of the words that are not 0, of 64 words.
  std::uint64_t (*nonzero)(const std::uint32_t* words);
  // out[t] = the similarity of one row and row t of the table, t < table.rows.
  void (*similarities_f32)(const CountEntries& row, const CountTable& table, float* out);
  void (*similarities_f64)(const CountEntries& row, const CountTable& table, double* out);
};
CATALASE_KERNELS(CountKernels, counts)

// The row that holds a number which is negative, not finite, or above float32's largest: its place in a or b, or -1.
struct BadCount {
  int side = -1;  // 0: a, 1: b
  Index row = 0, column = 0;
};

// All pairs, all threads. A and B are uint16, uint32, float or double; Out is float or double. If a number is refused,
// `out` is not written.
template <class A, class B, class Out>
BadCount tanimoto_counts(MatrixView<const A> a, MatrixView<const B> b, Out* out);

}  // namespace catalase
