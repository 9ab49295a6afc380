// Divides lists among the threads, and columns if there are fewer lists than threads.
#include "graph/graph.h"

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kGrain = 16384;  // elements read a thread at least
constexpr Index kLine = 16;      // columns are cut at multiples of this

// Calls f(part) for all lists and columns; `entries` says how many rows are read.
template <class F>
void share(const RowLists& lists, Index columns, F f) {
  if (lists.count == 0 || columns == 0) return;
  const Index work = (lists.offsets[lists.count] + lists.count) * columns;
  const Index parts = smaller(work / kGrain, num_threads());
  if (parts <= 1) return f(ListPart{0, lists.count, 0, columns});
  if (lists.count >= 4 * parts) {  // more tasks than threads, since lists differ in length
    const Index tasks = 4 * parts;
    return parallel_for(tasks, [&](Index i) {
      f(ListPart{even_start(lists.count, tasks, i), even_start(lists.count, tasks, i + 1), 0, columns});
    });
  }
  const Index lines = ceil_div(columns, kLine), strips = smaller(lines, parts);
  parallel_for(lists.count * strips, [&](Index i) {
    const Index r = i / strips, s = i % strips;
    f(ListPart{r, r + 1, even_start(lines, strips, s) * kLine,
               smaller(even_start(lines, strips, s + 1) * kLine, columns)});
  });
}

}  // namespace

template <class T>
void list_sum(const RowLists& lists, const SumArgs<T>& args) {
  share(lists, args.out.cols, [&](ListPart part) { graph_kernels<T>().sum(lists, args, part); });
}

template <class T>
void list_max(const RowLists& lists, MatrixView<const T> x, MatrixView<T> out) {
  share(lists, out.cols, [&](ListPart part) { graph_kernels<T>().max(lists, x, out, nullptr, part); });
}

template <class T>
void list_max_backward(const RowLists& lists, MatrixView<const T> dy, MatrixView<const T> x, MatrixView<T> dx) {
  const Index entries = lists.offsets[lists.count];
  Scratch<Winner<T>> winners(static_cast<std::size_t>(lists.count * dx.cols));
  const auto find = [&](ListPart part) {
    graph_kernels<T>().max(lists, x, MatrixView<T>{nullptr, lists.count, dx.cols, dx.cols, 1}, winners.get(), part);
  };
  if (lists.index == nullptr) {
    return share(lists, dx.cols, [&](ListPart part) {
      find(part);
      graph_kernels<T>().max_backward(lists, winners.get(), dy, dx, part);
    });
  }
  Scratch<Index> offsets(static_cast<std::size_t>(dx.rows) + 1);
  Scratch<std::int32_t> index(static_cast<std::size_t>(entries)), numbers(static_cast<std::size_t>(entries));
  transpose_lists(lists, dx.rows, offsets.get(), index.get(), numbers.get());
  share(lists, dx.cols, find);
  const RowLists turned{offsets.get(), index.get(), dx.rows};
  share(turned, dx.cols,
        [&](ListPart part) { graph_kernels<T>().won_sum(turned, numbers.get(), winners.get(), dy, dx, part); });
}

template <class T>
void segment_softmax(const RowLists& lists, MatrixView<const T> x, MatrixView<T> y) {
  share(lists, y.cols, [&](ListPart part) { graph_kernels<T>().softmax(lists, x, y, part); });
}

template <class T>
void segment_softmax_backward(const RowLists& lists, MatrixView<const T> dy, MatrixView<const T> y, MatrixView<T> dx) {
  share(lists, dx.cols, [&](ListPart part) { graph_kernels<T>().softmax_backward(lists, dy, y, dx, part); });
}

template <class T>
void segment_spread(const RowLists& lists, bool mean, MatrixView<const T> dy, MatrixView<T> dx) {
  share(lists, dx.cols, [&](ListPart part) { graph_kernels<T>().spread(lists, mean, dy, dx, part); });
}

Index first_bad_offset(const Index* offsets, Index count, Index entries) {
  if (offsets[0] != 0) return 0;
  for (Index r = 1; r <= count; ++r) {
    if (offsets[r] < offsets[r - 1] || offsets[r] > entries) return r;
  }
  return offsets[count] == entries ? -1 : count;
}

Index first_bad_row(const std::int32_t* index, Index entries, Index rows) {
  bool bad = false;
  for (Index e = 0; e < entries; ++e) bad |= index[e] < 0 || index[e] >= rows;
  for (Index e = 0; bad && e < entries; ++e) {
    if (index[e] < 0 || index[e] >= rows) return e;
  }
  return -1;
}

// Counting sort by row.
void transpose_lists(const RowLists& lists, Index rows, Index* offsets, std::int32_t* index, std::int32_t* entries) {
  const Index total = lists.offsets[lists.count];
  for (Index i = 0; i <= rows; ++i) offsets[i] = 0;
  for (Index e = 0; e < total; ++e) ++offsets[lists.index[e]];
  Index end = 0;
  for (Index i = 0; i <= rows; ++i) offsets[i] = end += offsets[i];  // the end of row i
  for (Index r = lists.count - 1; r >= 0; --r) {
    for (Index e = lists.offsets[r + 1] - 1; e >= lists.offsets[r]; --e) {
      const Index at = --offsets[lists.index[e]];
      index[at] = static_cast<std::int32_t>(r);
      if (entries != nullptr) entries[at] = static_cast<std::int32_t>(e);
    }
  }
}

#define CATALASE_INSTANCES(T)                                                                                          \
  template void list_sum<T>(const RowLists&, const SumArgs<T>&);                                                       \
  template void list_max<T>(const RowLists&, MatrixView<const T>, MatrixView<T>);                                      \
  template void list_max_backward<T>(const RowLists&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>);        \
  template void segment_softmax<T>(const RowLists&, MatrixView<const T>, MatrixView<T>);                               \
  template void segment_softmax_backward<T>(const RowLists&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>); \
  template void segment_spread<T>(const RowLists&, bool, MatrixView<const T>, MatrixView<T>);
CATALASE_INSTANCES(float)
CATALASE_INSTANCES(double)
#undef CATALASE_INSTANCES

}  // namespace catalase
