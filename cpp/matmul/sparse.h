// The dense layer on batches that are mostly zeros: fingerprints (2 to 5% ones), one-hot DNA. Only the entries that are
// not zero are multiplied: C[i] = act(sum over k of A[i, k] B[k] + bias), a gather of rows of B.
//
// The chain of each output is the dense one without its zero terms, in the same order, with the same cuts: the bits
// equal the dense path's if B is finite (zero times infinity is NaN there), except for the sign of zero.
#pragma once

#include <memory>

#include "common/memory.h"
#include "cpu/kernels.h"
#include "matmul/matmul.h"

namespace catalase {

// A matrix by rows: the entries of row i are columns[starts[i]] .. columns[starts[i + 1] - 1], ascending.
template <class T>
struct SparseRows {
  const std::int32_t* columns;
  const T* values;
  const Index* starts;
  Index rows, cols;
  bool ones = false;  // whether all values are known to be 1
};

template <class T>
struct SparseKernels {
  // The number of entries that are not zero; x has unit column stride.
  Index (*count)(MatrixView<const T> x);
  // Writes the entries of x that are not zero, and the start of each row. x has unit column stride. Returns the number
  // of entries, or -1 as soon as there are more than `most`.
  Index (*compress)(MatrixView<const T> x, Index most, std::int32_t* columns, T* values, Index* starts);
  // Rows [begin, end), columns [left, right) of act(A @ args.b + bias); args.a is not read. args.b has unit column
  // stride. Activations other than ReLU need whole rows.
  void (*gather)(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args);
};
CATALASE_TYPED_KERNELS(SparseKernels, sparse)

// A sparse matrix that owns its memory.
template <class T>
class SparseMatrix {
 public:
  SparseMatrix(Index rows, Index cols, Index entries);

  // The entries of x, or null if more than one in eight is not zero, or x is too small for the gather path to pay.
  static std::unique_ptr<SparseMatrix> look(MatrixView<const T> x);
  // The set bits of packed rows; bit i of byte j is column 8j + i.
  static std::unique_ptr<SparseMatrix> from_bits(const std::uint8_t* bits, Index rows, Index bytes, Index row_stride);

  // The entries of row i are entries starts[i] .. starts[i + 1] - 1, their columns ascending and below `cols`.
  static std::unique_ptr<SparseMatrix> from_entries(const Index* starts, Index rows, Index cols,
                                                    const std::int32_t* columns, const T* values);

  std::unique_ptr<SparseMatrix> transposed() const;
  std::unique_ptr<SparseMatrix> take(const Index* rows, Index count) const;  // rows by number, each below rows()
  void to_dense(T* out) const;                                               // (rows, cols)
  SparseRows<T> view() const { return {columns_.get(), values_.get(), starts_.get(), rows_, cols_, ones_}; }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Index entries() const { return starts_.get()[rows_]; }

 private:
  void note_ones();

  Index rows_, cols_;
  bool ones_ = false;
  Scratch<std::int32_t> columns_;
  Scratch<T> values_;
  Scratch<Index> starts_;
};

// act(A @ B + bias) by gathering, all threads. B has unit column stride.
template <class T>
void gather(const SparseRows<T>& a, const MatmulArgs<T>& args);

// The part of one thread, at the level in use.
template <class T>
void gather_part(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args);

// act(A @ B + bias), all threads: by gathering if A is mostly zeros, else by `matmul`. A may be a transposed view, as
// in the gradient of the weights.
template <class T>
void linear(const MatmulArgs<T>& args);

}  // namespace catalase
