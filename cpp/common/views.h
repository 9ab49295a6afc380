// Array views: pointers with shape and strides, counted in elements. They own no memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace catalase {

using Index = std::ptrdiff_t;

// A matrix with any strides, as NumPy passes it: transposed, sliced, reversed or padded.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index row_stride = 0;
  Index col_stride = 1;

  T* at(Index i, Index j) const { return data + i * row_stride + j * col_stride; }
  MatrixView transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  MatrixView block(Index i, Index j, Index m, Index n) const { return {at(i, j), m, n, row_stride, col_stride}; }
};

// Long sums are cut here: every output of a product is a chain of at most this many terms, and the parts are added in
// order. The cut bounds the rounding error, and every path (dense, sparse, CUDA) uses the same one.
constexpr Index kChainLength = 4096;

}  // namespace catalase
