// Sorts a library by popcount and slices it. A task is one column of one chunk: 64 rows by 64 bits are transposed in
// registers and L1, and every cache line of a bitmap is written once, whole. Bound: latency of gathering the rows.
#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "similarity/index.h"

namespace catalase {
namespace {

// Bit j of words[i] becomes bit i of words[j]: swaps the off-diagonal blocks of 32, 16, ... 1 bits (Warren, Hacker's
// Delight, section 7-3).
void transpose_64(std::uint64_t* words) {
  std::uint64_t mask = 0x00000000ffffffffu;
  for (int width = 32; width != 0; width >>= 1, mask ^= mask << width) {
    for (int i = 0; i < 64; i = ((i | width) + 1) & ~width) {
      const std::uint64_t swapped = ((words[i] >> width) ^ words[i | width]) & mask;
      words[i] ^= swapped << width;
      words[i | width] ^= swapped;
    }
  }
}

// Places sorted by popcount, equal popcounts ascending by place: a counting sort.
void sort_by_popcount(const std::int32_t* unsorted, Index rows, Index bits, std::int32_t* popcounts,
                      std::int64_t* places) {
  ScratchVector<Index> next(static_cast<std::size_t>(bits + 2), 0);
  for (Index i = 0; i < rows; ++i) ++next[static_cast<std::size_t>(unsorted[i] + 1)];
  for (Index b = 0; b <= bits; ++b) next[static_cast<std::size_t>(b + 1)] += next[static_cast<std::size_t>(b)];
  for (Index i = 0; i < rows; ++i) {
    const Index to = next[static_cast<std::size_t>(unsorted[i])]++;
    popcounts[to] = unsorted[i];
    places[to] = i;
  }
}

// Writes up to kColumnRows rows, at `places` of the library, into one column of a chunk.
void slice_column(const std::uint8_t* library, Index bytes, const std::int64_t* places, Index rows,
                  std::uint8_t* column, Index stride) {
  for (Index byte = 0; byte < bytes; byte += 8) {
    const Index width = smaller(bytes - byte, 8);
    std::uint64_t words[kColumnWords][64] = {};
    for (Index r = 0; r < rows; ++r) {
      __builtin_memcpy(&words[r / 64][r % 64], library + places[r] * bytes + byte, static_cast<std::size_t>(width));
    }
    for (auto& block : words) transpose_64(block);
    for (Index bit = 0; bit < 8 * width; ++bit) {
      std::uint64_t line[kColumnWords];
      for (Index w = 0; w < kColumnWords; ++w) line[w] = words[w][bit];
      __builtin_memcpy(column + (8 * byte + bit) * stride, line, sizeof(line));
    }
  }
}

}  // namespace

Index slice_bytes(Index rows, Index bytes) {
  return round_up(rows, kColumnRows) * bytes;
}

void build_index(const std::uint8_t* library, Index rows, Index bytes, std::uint8_t* slices, std::int32_t* popcounts,
                 std::int64_t* places, std::int64_t* bit_frequencies) {
  Scratch<std::int32_t> unsorted(static_cast<std::size_t>(rows));
  parallel_for(ceil_div(rows, kChunkRows), [&](Index c) {
    const Index begin = c * kChunkRows, n = smaller(rows - begin, kChunkRows);
    counting_kernels().popcounts(library + begin * bytes, n, bytes, unsorted.get() + begin);
  });
  sort_by_popcount(unsorted.get(), rows, 8 * bytes, popcounts, places);
  parallel_for(ceil_div(rows, kColumnRows), [&](Index column) {
    const Index begin = column * kColumnRows, chunk = begin / kChunkRows * kChunkRows;
    const Index chunk_rows = rows - chunk < kChunkRows ? round_up(rows - chunk, kColumnRows) : kChunkRows;
    const Index n = smaller(rows - begin, kColumnRows);
    slice_column(library, bytes, places + begin, n, slices + chunk * bytes + (begin - chunk) / 8, chunk_rows / 8);
  });
  // The popcount of a bitmap is the number of rows in its chunk that have the bit.
  const Index chunks = ceil_div(rows, kChunkRows);
  parallel_for(bytes, [&](Index byte) {
    for (Index bit = 8 * byte; bit < 8 * byte + 8; ++bit) {
      bit_frequencies[bit] = 0;
      for (Index c = 0; c < chunks; ++c) {
        const Index begin = c * kChunkRows, n = smaller(rows - begin, kChunkRows);
        const Index stride = round_up(n, kColumnRows) / 8;
        std::int32_t count;
        counting_kernels().popcounts(slices + begin * bytes + bit * stride, 1, stride, &count);
        bit_frequencies[bit] += count;
      }
    }
  });
}

}  // namespace catalase
