// Packing: strided input becomes contiguous panels, so that the micro-kernel reads with unit stride whatever the
// caller's layout was. Included by matmul_impl.h, after a simd_<level>.h.
#pragma once

namespace catalase {
namespace {

// Rows [0, rows) of a (rows, k) become panel[p * rows + r]. Blocks of 8 columns keep both sides in cache when a's rows
// are contiguous; when its columns are (a transposed view), the copy is a row of the panel at a time.
template <class T>
void pack_rows(MatrixView<const T> a, T* panel) {
  const Index rows = a.rows, k = a.cols;
  if (a.row_stride == 1) {
    for (Index p = 0; p < k; ++p) {
      const T* source = a.at(0, p);
      for (Index r = 0; r < rows; ++r) panel[p * rows + r] = source[r];
    }
    return;
  }
  Index p = 0;
  for (; p + 8 <= k; p += 8) {
    for (Index r = 0; r < rows; ++r) {
      const T* source = a.at(r, p);
      T* target = panel + p * rows + r;
      for (Index q = 0; q < 8; ++q) target[q * rows] = source[q * a.col_stride];
    }
  }
  for (; p < k; ++p) {
    for (Index r = 0; r < rows; ++r) panel[p * rows + r] = *a.at(r, p);
  }
}

// A (k, cols <= width) block of b becomes panel[p * width + j], zero in the columns beyond.
template <class T, Index width>
void pack_cols(MatrixView<const T> b, T* panel) {
  const Index k = b.rows, cols = b.cols;
  if (b.col_stride == 1 && cols == width) {
    for (Index p = 0; p < k; ++p) {
      const T* source = b.at(p, 0);
      if (p + 8 < k) __builtin_prefetch(b.at(p + 8, 0));
      for (Index j = 0; j < width; j += kWidth<T>) store(panel + p * width + j, load(source + j));
    }
    return;
  }
  if (b.row_stride == 1) {  // b is a transposed view: walk its contiguous direction, 16 values of k at a time
    for (Index p = 0; p < k; p += 16) {
      const Index stop = p + 16 < k ? p + 16 : k;
      for (Index j = 0; j < cols; ++j) {
        const T* source = b.at(0, j);
        for (Index q = p; q < stop; ++q) panel[q * width + j] = source[q];
      }
    }
  } else {
    for (Index p = 0; p < k; ++p) {
      for (Index j = 0; j < cols; ++j) panel[p * width + j] = *b.at(p, j);
    }
  }
  if (cols < width) {
    for (Index p = 0; p < k; ++p) {
      for (Index j = cols; j < width; ++j) panel[p * width + j] = T(0);
    }
  }
}

}  // namespace
}  // namespace catalase
