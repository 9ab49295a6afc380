#include "embedding/embedding.h"

#include <cstring>

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "matmul/sparse.h"

namespace catalase {
namespace {

constexpr Index kBlock = 1 << 16;  // bytes of rows that one task copies: some 5 us

}  // namespace

Index first_unknown(const std::int64_t* ids, Index count, Index rows) {
  for (Index n = 0; n < count; ++n) {
    if (static_cast<std::uint64_t>(ids[n]) >= static_cast<std::uint64_t>(rows)) return n;
  }
  return -1;
}

template <class T>
void embedding(const std::int64_t* ids, Index count, MatrixView<const T> w, T* out) {
  const Index bytes = w.cols * static_cast<Index>(sizeof(T));
  if (count == 0 || bytes == 0) return;
  const Index group = bytes < kBlock ? kBlock / bytes : 1;
  parallel_for(ceil_div(count, group), [&](Index task) {
    const Index last = smaller((task + 1) * group, count);
    for (Index n = task * group; n < last; ++n) {
      std::memcpy(out + n * w.cols, w.at(ids[n], 0), static_cast<std::size_t>(bytes));
    }
  });
}

// Counting sort of the positions by id, ascending within an id: the rows of the transposed one-hot matrix.
template <class T>
void embedding_gradient(const std::int64_t* ids, Index padding, MatrixView<const T> dy, MatrixView<T> dw) {
  const Index count = dy.rows, rows = dw.rows;
  Scratch<Index> starts(static_cast<std::size_t>(rows) + 2);
  Scratch<std::int32_t> positions(static_cast<std::size_t>(count) + 1);
  Scratch<T> ones(static_cast<std::size_t>(count) + 1);
  Index* next = starts.get() + 1;  // next[v]: the place of the next position of v; at the end the start of v + 1
  for (Index v = -1; v <= rows; ++v) next[v] = 0;
  for (Index n = 0; n < count; ++n) next[ids[n] + 1] += ids[n] != padding;
  for (Index v = 0; v < rows; ++v) next[v + 1] += next[v];
  for (Index n = 0; n < count; ++n) {
    ones.get()[n] = T(1);
    if (ids[n] != padding) positions.get()[next[ids[n]]++] = static_cast<std::int32_t>(n);
  }
  const SparseRows<T> one_hot{positions.get(), ones.get(), starts.get(), rows, count};
  gather<T>(one_hot, MatmulArgs<T>{{}, dy, dw, {}});
}

template void embedding<float>(const std::int64_t*, Index, MatrixView<const float>, float*);
template void embedding<double>(const std::int64_t*, Index, MatrixView<const double>, double*);
template void embedding_gradient<float>(const std::int64_t*, Index, MatrixView<const float>, MatrixView<float>);
template void embedding_gradient<double>(const std::int64_t*, Index, MatrixView<const double>, MatrixView<double>);

}  // namespace catalase
