// Scaled dot-product attention of several heads, without the matrix of scores in memory.
//
//   s[i, j] = scale sum_c q[i, c] k[j, c]      p[i, j] = exp(s[i, j] - max_j s[i, :]) / sum_j exp(...)
//   y[i, :] = sum_j p[i, j] v[j, :]
//
//   delta[i] = sum_c dy[i, c] y[i, c]          ds[i, j] = scale p[i, j] (sum_c dy[i, c] v[j, c] - delta[i])
//   dv[j, :] = sum_i p[i, j] dy[i, :]     dq[i, :] = sum_j ds[i, j] k[j, :]     dk[j, :] = sum_i ds[i, j] q[i, :]
//
// q (N, H, Tq, D), k (N, H, Tk, D), v (N, H, Tk, Dv), y (N, H, Tq, Dv): rows of unit stride, the other strides any, so
// that the heads of a projection (N, T, H * D) are read in place. A sequence has its own number of keys and of
// queries; with `causal` query i sees the keys 0 to i. Keys that a query does not see are never read for it, except
// that a NaN or an infinity among the values (in the gradient, the keys) may reach the few queries before it that share
// its tile. A query that sees no key, and one beyond its sequence's number, has a result of zeros and no gradient.
//
// Order of the sums. A score is one chain of FMAs in ascending c. Keys are walked in blocks, kForwardKeys or
// kBackwardKeys: within a block a sum over keys is one chain of FMAs in ascending j, and the blocks are added in order,
// rescaled when the maximum rises (Dao et al., arXiv:2205.14135, and Milakov and Gimelshein, arXiv:1805.02867). The
// sum of the exponentials of a block is kept in 32 lanes that are joined in halves. A sum over queries is one chain in
// ascending i, cut every kChainLength. So the bits of a sequence depend neither on the batch, its padding or the number
// of threads, nor, at the levels with FMA, on the width of a register; a query's bits do not depend on other queries.
//
// Threads share the pairs of a sequence and a head, and in the forward pass also their queries. The backward pass
// computes the probabilities again, from the maximum and the inverse sum of each query that the forward pass keeps.
// Memory beside the results: a few blocks a thread. Bound: FMAs; five products backward, two forward.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

constexpr Index kForwardKeys = 512, kBackwardKeys = 256;

// The rows of all heads: row t of head h of sequence n begins at data + n * sequence + h * head + t * row.
template <class T>
struct HeadRows {
  T* data = nullptr;
  Index sequence = 0, head = 0, row = 0;

  T* at(Index n, Index h, Index t) const { return data + n * sequence + h * head + t * row; }
};

template <class T>
struct AttentionArgs {
  Index batch, heads, queries, keys, width, value_width;
  HeadRows<const T> q, k, v;
  const Index* query_lengths = nullptr;  // (N,), or null: all of them
  const Index* key_lengths = nullptr;
  bool causal = false;
  T scale = 1;  // above 0
  HeadRows<T> y;
  T* top = nullptr;      // (N, H, Tq): the largest score of a query, not yet scaled
  T* inverse = nullptr;  // (N, H, Tq): 1 / the sum of its exponentials

  // Of the backward pass alone, which reads y, top and inverse.
  HeadRows<const T> dy;
  HeadRows<T> dq, dk, dv;

  Index queries_of(Index n) const { return query_lengths == nullptr ? queries : query_lengths[n]; }
  Index keys_of(Index n) const { return key_lengths == nullptr ? keys : key_lengths[n]; }
};

template <class T>
struct AttentionKernels {
  // The queries [first, last) of head h of sequence n.
  void (*forward)(const AttentionArgs<T>&, Index n, Index h, Index first, Index last);
  void (*backward)(const AttentionArgs<T>&, Index n, Index h);
};
CATALASE_TYPED_KERNELS(AttentionKernels, attention)

// All threads.
template <class T>
void attention(const AttentionArgs<T>& args);
template <class T>
void attention_backward(const AttentionArgs<T>& args);

}  // namespace catalase
