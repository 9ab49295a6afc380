// Reductions over lists of rows, the arithmetic of message passing on graphs.
//
//   sum      out[r] = sum of x[row(e)] over the entries e of list r      mean  the same, divided by the number of entries;
//            then, where asked for, plus z[kind[r]], and a ReLU: an update of messages whose product is taken already
//   max      out[r] = the largest x[row(e)]; NaN is larger than every number, and the first of equals wins
//   softmax  y[e] = exp(x[e]) / sum of exp(x[f]) over the entries f of e's list, for lists of consecutive rows
//   spread   dx[e] = dy[r] for the entries e of list r (or dy[r] / entries): the gradient of sum and mean
//
// All of this column by column. The entries of list r are offsets[r] .. offsets[r + 1] - 1; row(e) is index[e], or e
// itself (a segment of consecutive rows) if there is no index. An empty list gives zeros.
//
// Sums go through the entries in their order, cut every kChainLength entries with the parts added in order. Threads
// divide lists, and columns if there are few lists. So the bits of a list depend on its own entries alone, not on
// threads or other lists; AVX2, AVX-512 and the portable level give the same (softmax's exp differs at the portable
// level, which has no fused multiply-add).
//
// Vectors lie along the columns. Bound: memory, or the cache that holds x.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

struct RowLists {
  const Index* offsets;       // (count + 1,), ascending from 0
  const std::int32_t* index;  // (offsets[count],), or null: entry e is row e
  Index count;
};

// The part of one thread: lists and columns.
struct ListPart {
  Index first, last;
  Index left, right;
};

template <class T>
struct WinnerOf;  // the number of an entry, as wide as T, or -1
template <>
struct WinnerOf<float> {
  using type = std::int32_t;
};
template <>
struct WinnerOf<double> {
  using type = std::int64_t;
};
template <class T>
using Winner = typename WinnerOf<T>::type;

// All views have unit column stride.
template <class T>
struct SumArgs {
  MatrixView<const T> x;
  MatrixView<T> out;
  bool mean = false;
  MatrixView<const T> z{};             // without data: nothing is added
  const std::int32_t* kind = nullptr;  // list r adds row kind[r] of z, or row r
  bool relu = false;                   // after z
};

template <class T>
struct GraphKernels {
  void (*sum)(const RowLists&, const SumArgs<T>&, ListPart);
  // winners, if not null: the entry that each element came from; rows as wide as out. out.data may be null then.
  void (*max)(const RowLists&, MatrixView<const T> x, MatrixView<T> out, Winner<T>* winners, ListPart);
  // Lists are segments; list r of `winners` and dy is row r. Writes dx[e] = dy[r] where e won, else zero.
  void (*max_backward)(const RowLists&, const Winner<T>* winners, MatrixView<const T> dy, MatrixView<T> dx, ListPart);
  // out[r] = sum of x[index[e]] where `winners` of that row names entries[e]: the gradient of a gathered max.
  void (*won_sum)(const RowLists&, const std::int32_t* entries, const Winner<T>* winners, MatrixView<const T> x,
                  MatrixView<T> out, ListPart);
  void (*softmax)(const RowLists&, MatrixView<const T> x, MatrixView<T> y, ListPart);
  // dx[e] = y[e] (dy[e] - sum over the list of dy y)
  void (*softmax_backward)(const RowLists&, MatrixView<const T> dy, MatrixView<const T> y, MatrixView<T> dx, ListPart);
  void (*spread)(const RowLists&, bool mean, MatrixView<const T> dy, MatrixView<T> dx, ListPart);
};
CATALASE_TYPED_KERNELS(GraphKernels, graph)

// All threads.
template <class T>
void list_sum(const RowLists& lists, const SumArgs<T>& args);
template <class T>
void list_max(const RowLists& lists, MatrixView<const T> x, MatrixView<T> out);
// The gradient of list_max at x; dx has x's shape.
template <class T>
void list_max_backward(const RowLists& lists, MatrixView<const T> dy, MatrixView<const T> x, MatrixView<T> dx);
template <class T>
void segment_softmax(const RowLists& lists, MatrixView<const T> x, MatrixView<T> y);
template <class T>
void segment_softmax_backward(const RowLists& lists, MatrixView<const T> dy, MatrixView<const T> y, MatrixView<T> dx);
template <class T>
void segment_spread(const RowLists& lists, bool mean, MatrixView<const T> dy, MatrixView<T> dx);

// The position of the first offset that is not from 0 to `entries` and at least the one before it (the first must be 0,
// the last `entries`), or -1.
Index first_bad_offset(const Index* offsets, Index count, Index entries);
// The position of the first entry that is not a row from 0 to rows - 1, or -1.
Index first_bad_row(const std::int32_t* index, Index entries, Index rows);

// The lists of each row's entries: for row i the lists r that name it, ascending, once for each entry. offsets has rows
// + 1 elements. `entries`, if not null, receives the number of the entry. Lists must have an index.
void transpose_lists(const RowLists& lists, Index rows, Index* offsets, std::int32_t* index, std::int32_t* entries);

}  // namespace catalase
