// Lists of entries, tables, and the division of pairs among threads; counts.h has the order of work.
#include "similarity/counts.h"

#include <atomic>
#include <cfloat>
#include <vector>

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kRows = 256;   // of a in a task, whose entries are in L2
constexpr Index kStrip = 32;   // that walk a table in turn: with 256, writing to as many pages took as long as the rest
constexpr Index kTables = 16;  // in a task: 1,024 pairs of each row
constexpr Index kScanned = 64;  // numbers that are looked at together, most of them zeros

// The entries of a block of rows.
struct EntryBlock {
  ScratchVector<std::uint32_t> columns;
  ScratchVector<double> values;
  ScratchVector<std::uint8_t> bytes;
  ScratchVector<Index> starts;
  ScratchVector<double> sums;
  bool fits_bytes = true;
  BadCount bad;

  CountEntries row(Index i) const {
    const Index start = starts[i];
    return {columns.data() + start, bytes.data() + start, values.data() + start, starts[i + 1] - start, sums[i]};
  }
};

// Bit i of the result says whether bits 2 i and 2 i + 1 are set, either of them.
std::uint64_t either_of_pairs(std::uint64_t x) {
  x = (x | x >> 1) & 0x5555555555555555u;
  x = (x | x >> 1) & 0x3333333333333333u;
  x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0fu;
  x = (x | x >> 4) & 0x00ff00ff00ff00ffu;
  x = (x | x >> 8) & 0x0000ffff0000ffffu;
  return (x | x >> 16) & 0xffffffffu;
}

// The bits of the numbers that may differ from 0, of 64 or the last few.
template <class T>
std::uint64_t nonzero(const T* x, Index n) {
  if constexpr (sizeof(T) >= 4) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(x);
    const auto scan = counts_kernels().nonzero;
    if (n == kScanned && sizeof(T) == 4) return scan(words);
    if (n == kScanned) return either_of_pairs(scan(words)) | either_of_pairs(scan(words + 64)) << 32;
  }
  std::uint64_t found = 0;
  for (Index first = 0; first < n; first += 8) {
    if (first + 8 <= n) {
      std::uint64_t words[sizeof(T)], any = 0;
      __builtin_memcpy(words, x + first, sizeof(words));
      for (const std::uint64_t word : words) any |= word;
      if (any == 0) continue;
    }
    const Index stop = smaller(first + 8, n);
    for (Index i = first; i < stop; ++i) found |= static_cast<std::uint64_t>(x[i] != T{0}) << i;
  }
  return found;
}

// Reads the rows of a block. A number that is refused ends it.
template <class T>
void read_block(MatrixView<const T> x, EntryBlock* block) {
  block->starts.push_back(0);
  for (Index i = 0; i < x.rows; ++i) {
    const T* row = x.at(i, 0);
    double sum = 0;
    for (Index first = 0; first < x.cols; first += kScanned) {
      std::uint64_t left = nonzero(row + first, smaller(kScanned, x.cols - first));
      for (; left != 0; left &= left - 1) {
        const Index column = first + __builtin_ctzll(left);
        const auto value = static_cast<double>(row[column]);
        if (!(value >= 0 && value <= FLT_MAX)) {
          block->bad = {0, i, column};
          return;
        }
        const bool fits = value <= 255 && value == static_cast<double>(static_cast<std::uint8_t>(value));
        block->fits_bytes = block->fits_bytes && fits;
        block->columns.push_back(static_cast<std::uint32_t>(column));
        block->values.push_back(value);
        block->bytes.push_back(fits ? static_cast<std::uint8_t>(value) : std::uint8_t{0});
        sum += value;
      }
    }
    block->starts.push_back(static_cast<Index>(block->columns.size()));
    block->sums.push_back(sum);
  }
}

// All rows of one side, in blocks of `size`.
class Side {
 public:
  template <class T>
  Side(MatrixView<const T> x, Index size) : rows_(x.rows), size_(size), blocks_(ceil_div(x.rows, size)) {
    parallel_for(count(), [&](Index b) {
      read_block(x.block(b * size_, 0, rows(b), x.cols), &blocks_[static_cast<std::size_t>(b)]);
    });
  }
  Index count() const { return static_cast<Index>(blocks_.size()); }
  Index first(Index b) const { return b * size_; }
  Index rows(Index b) const { return smaller(size_, rows_ - b * size_); }
  const EntryBlock& block(Index b) const { return blocks_[static_cast<std::size_t>(b)]; }
  bool fits_bytes() const {
    for (const EntryBlock& block : blocks_) {
      if (!block.fits_bytes) return false;
    }
    return true;
  }
  BadCount bad(int side) const {
    for (Index b = 0; b < count(); ++b) {
      if (block(b).bad.side == 0) return {side, first(b) + block(b).bad.row, block(b).bad.column};
    }
    return {};
  }

 private:
  Index rows_, size_;
  ScratchVector<EntryBlock> blocks_;
};

// The memory of a table.
class Table {
 public:
  void fill(const EntryBlock& block, Index rows, Index columns, bool as_bytes) {
    line_of_.assign(static_cast<std::size_t>(columns), 0);
    std::uint32_t lines = 1;
    for (const std::uint32_t column : block.columns) {
      if (line_of_[column] == 0) line_of_[column] = lines++;
    }
    const std::size_t size = static_cast<std::size_t>(lines) * kTargets;
    as_bytes ? bytes_.assign(size, 0) : values_.assign(size, 0.0);
    sums_.assign(kTargets, 0.0);
    for (Index t = 0; t < rows; ++t) {
      const CountEntries row = block.row(t);
      sums_[static_cast<std::size_t>(t)] = row.sum;
      for (Index e = 0; e < row.size; ++e) {
        const std::size_t place = static_cast<std::size_t>(line_of_[row.columns[e]]) * kTargets + t;
        as_bytes ? void(bytes_[place] = row.bytes[e]) : void(values_[place] = row.values[e]);
      }
    }
    table_ = {line_of_.data(), as_bytes ? bytes_.data() : nullptr, as_bytes ? nullptr : values_.data(), sums_.data(),
              rows};
  }
  const CountTable& get() const { return table_; }

 private:
  ScratchVector<std::uint32_t> line_of_;
  ScratchVector<std::uint8_t> bytes_;
  ScratchVector<double> values_, sums_;
  CountTable table_{};
};

template <class Out>
void similarities(const CountEntries& row, const CountTable& table, Out* out) {
  if constexpr (sizeof(Out) == 4) {
    counts_kernels().similarities_f32(row, table, out);
  } else {
    counts_kernels().similarities_f64(row, table, out);
  }
}

template <class Out>
void all_pairs(const Side& a, const Side& b, Index columns, Index m, Out* out) {
  const bool as_bytes = a.fits_bytes() && b.fits_bytes();
  ScratchVector<Table> tables(static_cast<std::size_t>(b.count()));
  const auto table = [&](Index t) -> Table& { return tables[static_cast<std::size_t>(t)]; };
  parallel_for(b.count(), [&](Index t) { table(t).fill(b.block(t), b.rows(t), columns, as_bytes); });
  const Index groups = ceil_div(b.count(), kTables);
  parallel_for(a.count() * groups, [&](Index task) {
    const Index block = task / groups, group = task % groups;
    const Index stop = smaller((group + 1) * kTables, b.count());
    for (Index first = 0; first < a.rows(block); first += kStrip) {
      const Index last = smaller(first + kStrip, a.rows(block));
      for (Index t = group * kTables; t < stop; ++t) {
        for (Index i = first; i < last; ++i) {
          similarities(a.block(block).row(i), table(t).get(), out + (a.first(block) + i) * m + b.first(t));
        }
      }
    }
  });
}

}  // namespace

template <class A, class B, class Out>
BadCount tanimoto_counts(MatrixView<const A> a, MatrixView<const B> b, Out* out) {
  const Side left(a, kRows);
  if (const BadCount bad = left.bad(0); bad.side >= 0) return bad;
  const Side right(b, kTargets);
  if (const BadCount bad = right.bad(1); bad.side >= 0) return bad;
  if (a.rows > 0 && b.rows > 0) all_pairs(left, right, a.cols, b.rows, out);
  return {};
}

#define CATALASE_COUNTS_OF(A, B)                                                                    \
  template BadCount tanimoto_counts<A, B, float>(MatrixView<const A>, MatrixView<const B>, float*); \
  template BadCount tanimoto_counts<A, B, double>(MatrixView<const A>, MatrixView<const B>, double*);
#define CATALASE_COUNTS(A)             \
  CATALASE_COUNTS_OF(A, std::uint16_t) \
  CATALASE_COUNTS_OF(A, std::uint32_t) \
  CATALASE_COUNTS_OF(A, float)         \
  CATALASE_COUNTS_OF(A, double)
CATALASE_COUNTS(std::uint16_t)
CATALASE_COUNTS(std::uint32_t)
CATALASE_COUNTS(float)
CATALASE_COUNTS(double)

}  // namespace catalase
