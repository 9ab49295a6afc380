// The dense layer on batches that are mostly zeros: fingerprints (2 to 5% ones), one-hot DNA. Only the entries that are
// not zero are multiplied: C[i] = act(sum over k of A[i, k] B[k] + bias), a gather of rows of B.
//
// The chain of each output is the dense one with its zero terms left out, in the same order, with the same cuts: the
// bits are equal to the dense path's where B is finite (zero times infinity is NaN there), the sign of zero aside.
#pragma once

#include "matmul/matmul.h"

namespace catalase {

// A matrix by rows: the entries of row i are columns[starts[i]] .. columns[starts[i + 1] - 1], ascending.
template <class T>
struct SparseRows {
  const std::int32_t* columns;
  const T* values;
  const Index* starts;
  Index rows;
};

struct SparseKernels {
  // Writes the entries of x that are not zero, and where each row starts; x has unit column stride. Gives up with -1
  // once there are more than `most`, else returns their number.
  Index (*compress_f32)(MatrixView<const float> x, Index most, std::int32_t* columns, float* values, Index* starts);
  Index (*compress_f64)(MatrixView<const double> x, Index most, std::int32_t* columns, double* values, Index* starts);
  // Rows [begin, end) of act(A @ args.b + bias); args.a is not read. args.b has unit column stride.
  void (*gather_f32)(const SparseRows<float>& a, Index begin, Index end, const MatmulArgs<float>& args);
  void (*gather_f64)(const SparseRows<double>& a, Index begin, Index end, const MatmulArgs<double>& args);
};

extern const SparseKernels sparse_portable, sparse_avx2, sparse_avx512;

// act(A @ B + bias), all threads: by gathering where A is mostly zeros, else by `matmul`. A may be a transposed view,
// as in the gradient of the weights.
template <class T>
void linear(const MatmulArgs<T>& args);

}  // namespace catalase
