// Embedding: rows of a matrix by number, and the gradient of that matrix.
//
//   forward   out[n] = w[ids[n]]                                  ids (N,), w (V, D), out (N, D)
//   backward  dw[v] = sum of dy[n] over all n with ids[n] = v     dy (N, D), dw (V, D)
//
// The gradient is the product of the transposed one-hot matrix with dy, computed by gathering (matmul/sparse.h): each
// row of dw is one chain in ascending n, cut like all chains, so its bits do not depend on threads. A row that no id
// names is set to zero; apart from that, work grows with N, not with V.
//
// There are no levels: the forward pass is a copy, and the gather has its own. Bound: memory.
#pragma once

#include "common/views.h"

namespace catalase {

// The position of the first id that is not in [0, rows), or -1.
Index first_unknown(const std::int64_t* ids, Index count, Index rows);

// All threads; every id is in [0, w.rows). w has unit column stride, out is contiguous.
template <class T>
void embedding(const std::int64_t* ids, Index count, MatrixView<const T> w, T* out);

// All threads; the same conditions; dy and dw have unit column stride; V and N are below 2^31. The row `padding` (-1:
// none) is set to zeros.
template <class T>
void embedding_gradient(const std::int64_t* ids, Index padding, MatrixView<const T> dy, MatrixView<T> dw);

}  // namespace catalase
