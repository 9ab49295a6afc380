// The update of messages, a sum over lists of rows and a product in one pass:
//
//   m[r] = sum of h[index[e]] over the entries e of list r         h (rows, K), m (lists, K)
//   y    = act(m @ w + bias + z[kind])                             w (K, N), z (kinds, N), y (lists, N)
//
// Loops, outermost first: blocks of kUpdateRows lists, shared by the threads; in a block the sum, then the product with
// its epilogue (matmul/matmul.h), which finds the block of m in the L2 cache. The bits are those of list_sum and matmul,
// so they depend neither on threads nor on the other rows.
//
// Bound: compute (FMA) at K = N = 300; README.md has the measurements.
#pragma once

#include "graph/graph.h"
#include "matmul/matmul.h"

namespace catalase {

template <class T>
struct UpdateArgs {
  MatrixView<const T> h;
  MatrixView<const T> w;
  MatrixView<const T> z;     // no rows: nothing is added
  const std::int32_t* kind;  // (lists,), or null: list r adds row r of z
  const T* bias;             // (N,), or null
  Activation activation;
  MatrixView<T> m, y;  // m without data: the sums are not kept
};

// All threads. Lists have an index; h, m, z and y have unit column stride.
template <class T>
void message_update(const RowLists& lists, const UpdateArgs<T>& args);

}  // namespace catalase
