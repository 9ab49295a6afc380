// Matrix multiply with a fused epilogue:  C = act(A @ B + bias + add), masked.
//
// A (M, K) and B (K, N) have any strides (transposes are views); C (M, N) has rows of unit stride, row_stride >= N, and
// overlaps neither input (add may be C itself). float32 and float64.
//
// Every output is one chain of fused multiply-adds in ascending k from zero, cut every kChainLength terms with the
// parts added in order; bias is added last. Threads divide outputs only. So the bits do not depend on the number of
// threads, on the other rows of the batch, or on the FMA level.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "elementwise/activations.h"

namespace catalase {

// The operations on an output while it is still in a register:  act(sum + bias + add), then zero where keep is not
// above zero (the derivative of ReLU, given its output). Or, excluding these: times scale, then zero where relu is zero
// or below (the derivative of ReLU and the dropout after it, given its output; NaN passes, as in activation_backward).
template <class T>
struct Epilogue {
  const T* bias = nullptr;  // (N,)
  Activation activation = Activation::kIdentity;
  const T* add = nullptr;  // (M, N), rows add_row apart
  Index add_row = 0;
  const std::int32_t* add_index = nullptr;  // (M,), or null: output row i takes row add_index[i] of `add`
  const T* keep = nullptr;                  // (M, N), rows keep_row apart
  Index keep_row = 0;
  const T* relu = nullptr;  // (M, N), rows relu_row apart
  Index relu_row = 0;
  T scale = 1;  // goes with relu

  bool empty() const {
    return bias == nullptr && activation == Activation::kIdentity && add == nullptr && keep == nullptr &&
           relu == nullptr;
  }
  // The same epilogue for the block of outputs that starts at (i, j).
  Epilogue block(Index i, Index j) const {
    Epilogue e = *this;
    if (bias != nullptr) e.bias += j;
    if (add != nullptr) e.add += (add_index == nullptr ? i * add_row : 0) + j;
    if (add_index != nullptr) e.add_index += i;
    if (keep != nullptr) e.keep += i * keep_row + j;
    if (relu != nullptr) e.relu += i * relu_row + j;
    return e;
  }
};

template <class T>
struct MatmulArgs {
  MatrixView<const T> a;
  MatrixView<const T> b;
  MatrixView<T> c;
  Epilogue<T> epilogue;

  // The product of rows [i, i + m) and columns [j, j + n).
  MatmulArgs block(Index i, Index j, Index m, Index n) const {
    return {a.block(i, 0, m, a.cols), b.block(0, j, b.rows, n), c.block(i, j, m, n), epilogue.block(i, j)};
  }
};

// One thread's work, at one level.
template <class T>
struct MatmulKernels {
  void (*matmul)(const MatmulArgs<T>&);
  // out[j] = sum over i of x[i, j], in ascending i, cut as products are. x has unit column stride.
  void (*column_sum)(MatrixView<const T> x, T* out);
  Index width;      // lanes of a vector: columns are divided at multiples of it
  Index tile_rows;  // of the widest tile
};
CATALASE_TYPED_KERNELS(MatmulKernels, matmul)

// All threads. `matmul_batch`: `count` products whose matrices lie a_step, b_step, c_step elements apart.
template <class T>
void matmul(const MatmulArgs<T>& args);
template <class T>
void matmul_batch(const MatmulArgs<T>& args, Index count, Index a_step, Index b_step, Index c_step);
template <class T>
void column_sum(MatrixView<const T> x, T* out);

}  // namespace catalase
