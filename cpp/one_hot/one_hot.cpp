// The table of letters, and the loop over it. There are no levels: the loop is already one load and one store a letter,
// and vectors would wait for the same stores.
#include "one_hot/one_hot.h"

#include <array>
#include <cstring>

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kBlock = 1 << 15;  // letters a task: a genome in one row is divided too

template <class T>
struct alignas(4 * sizeof(T)) Row {
  T value[4];
};

template <class T>
struct Table {
  std::array<Row<T>, 256> rows{};
  std::array<std::uint8_t, 256> bad{};
};

template <class T>
constexpr Table<T> make_table(bool complement) {
  Table<T> table;
  for (auto& b : table.bad) b = 1;
  const auto put = [&](const char* letters, int column) {
    for (; *letters != 0; ++letters) {
      for (const int letter : {*letters - 'A' + 'A', *letters - 'A' + 'a'}) {
        table.bad[static_cast<std::size_t>(letter)] = 0;
        if (column >= 0) table.rows[static_cast<std::size_t>(letter)].value[complement ? 3 - column : column] = T(1);
      }
    }
  };
  put("A", 0);
  put("C", 1);
  put("G", 2);
  put("TU", 3);
  put("NRYSWKMBDHV", -1);
  return table;
}

template <class T>
constexpr Table<T> kForward = make_table<T>(false);
template <class T>
constexpr Table<T> kReverse = make_table<T>(true);

// Rows [begin, end) of one interval. Returns whether a byte was no letter.
template <class T>
bool encode(const OneHotBatch& batch, Index k, Index begin, Index end, Row<T>* out) {
  const unsigned char* text = batch.text[batch.which[k]];
  const Index length = batch.length[batch.which[k]], start = batch.start[k], stop = batch.stop[k];
  const bool reverse = batch.reverse[k] != 0;
  // Row r is position start + r, or stop - 1 - r. Those rows that have one are [low, high).
  const Index left = start < 0 ? -start : 0, right = stop > length ? stop - length : 0;
  Index low = reverse ? right : left, high = stop - start - (reverse ? left : right);
  low = low > begin ? low : begin;
  high = smaller(high, end);
  if (high <= low) low = high = end;
  std::memset(static_cast<void*>(out + begin), 0, static_cast<std::size_t>(low - begin) * sizeof(Row<T>));
  std::memset(static_cast<void*>(out + high), 0, static_cast<std::size_t>(end - high) * sizeof(Row<T>));
  unsigned bad = 0;
  if (reverse) {
    for (Index r = low; r < high; ++r) {
      const unsigned char letter = text[stop - 1 - r];
      out[r] = kReverse<T>.rows[letter];
      bad |= kReverse<T>.bad[letter];
    }
  } else {
    for (Index r = low; r < high; ++r) {
      const unsigned char letter = text[start + r];
      out[r] = kForward<T>.rows[letter];
      bad |= kForward<T>.bad[letter];
    }
  }
  return bad != 0;
}

std::int64_t first_bad(const OneHotBatch& batch, Index k) {
  const unsigned char* text = batch.text[batch.which[k]];
  const std::int64_t length = batch.length[batch.which[k]];
  const std::int64_t stop = smaller(batch.stop[k], length);
  for (std::int64_t p = batch.start[k] > 0 ? batch.start[k] : 0; p < stop; ++p) {
    if (kForward<std::uint8_t>.bad[text[p]]) return p;
  }
  return -1;
}

}  // namespace

template <class T>
void one_hot_dna(const OneHotBatch& batch, T* out) {
  const Index n = batch.intervals, columns = batch.columns;
  for (Index k = 0; k < n; ++k) batch.bad[k] = -1;
  if (n == 0 || columns == 0) return;
  auto* rows = reinterpret_cast<Row<T>*>(out);
  if (columns >= kBlock) {  // long rows: several tasks each
    const Index blocks = ceil_div(columns, kBlock);
    Scratch<std::uint8_t> bad(static_cast<std::size_t>(n * blocks));
    parallel_for(n * blocks, [&](Index task) {
      const Index k = task / blocks, begin = task % blocks * kBlock;
      const Index end = smaller(begin + kBlock, columns);
      bad.get()[task] = encode(batch, k, begin, end, rows + k * columns);
    });
    for (Index task = 0; task < n * blocks; ++task) {
      if (bad.get()[task]) batch.bad[task / blocks] = first_bad(batch, task / blocks);
    }
    return;
  }
  const Index group = kBlock / columns;  // short rows: several a task
  parallel_for(ceil_div(n, group), [&](Index task) {
    const Index last = smaller((task + 1) * group, n);
    for (Index k = task * group; k < last; ++k) {
      if (encode(batch, k, 0, columns, rows + k * columns)) batch.bad[k] = first_bad(batch, k);
    }
  });
}

template void one_hot_dna<std::uint8_t>(const OneHotBatch&, std::uint8_t*);
template void one_hot_dna<float>(const OneHotBatch&, float*);

}  // namespace catalase
