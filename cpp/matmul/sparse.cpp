// Examines A, and takes the gather path if at most one entry in eight is not zero. This costs one pass over A, a few
// microseconds for a batch of fingerprints, and stops as soon as A turns out to be dense, usually after 8 rows.
#include "matmul/sparse.h"

#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kOneIn = 8;       // fingerprints have 2 to 5%, hidden layers more
constexpr Index kSmallest = 512;  // with fewer entries of A the dense path is faster than the examination
constexpr Index kColumns = 128;   // columns of B that a thread gathers from at a time: 1,024 rows are 512 KiB, in L2

// Eight rows spread over x distinguish a hidden layer, half of it zeros, from a batch that is worth a full examination.
template <class T>
bool looks_dense(MatrixView<const T> x) {
  const Index step = ceil_div(x.rows, 8), rows = ceil_div(x.rows, step);
  const MatrixView<const T> sample{x.data, rows, x.cols, step * x.row_stride, 1};
  return sparse_kernels<T>().count(sample) * kOneIn > 2 * rows * x.cols;
}

}  // namespace

template <class T>
SparseMatrix<T>::SparseMatrix(Index rows, Index cols, Index entries)
    : rows_(rows),
      cols_(cols),
      columns_(static_cast<std::size_t>(entries) + 64),
      values_(static_cast<std::size_t>(entries) + 64),
      starts_(static_cast<std::size_t>(rows) + 1) {}

template <class T>
std::unique_ptr<SparseMatrix<T>> SparseMatrix<T>::look(MatrixView<const T> x) {
  const Index total = x.rows * x.cols, most = total / kOneIn;
  if (total < kSmallest || x.col_stride != 1 || x.cols >> 31 != 0 || looks_dense(x)) return nullptr;
  auto out = std::make_unique<SparseMatrix>(x.rows, x.cols, most);
  if (sparse_kernels<T>().compress(x, most, out->columns_.get(), out->values_.get(), out->starts_.get()) < 0)
    return nullptr;
  out->note_ones();
  return out;
}

template <class T>
void SparseMatrix<T>::note_ones() {
  ones_ = true;
  for (Index e = 0; e < entries(); ++e) ones_ &= values_.get()[e] == T(1);
}

template <class T>
std::unique_ptr<SparseMatrix<T>> SparseMatrix<T>::from_entries(const Index* starts, Index rows, Index cols,
                                                               const std::int32_t* columns, const T* values) {
  auto out = std::make_unique<SparseMatrix>(rows, cols, starts[rows]);
  for (Index i = 0; i <= rows; ++i) out->starts_.get()[i] = starts[i];
  for (Index e = 0; e < starts[rows]; ++e) {
    out->columns_.get()[e] = columns[e];
    out->values_.get()[e] = values[e];
  }
  out->note_ones();
  return out;
}

template <class T>
std::unique_ptr<SparseMatrix<T>> SparseMatrix<T>::from_bits(const std::uint8_t* bits, Index rows, Index bytes,
                                                            Index row_stride) {
  Index count = 0;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < bytes; ++j) count += __builtin_popcount(bits[i * row_stride + j]);
  }
  auto out = std::make_unique<SparseMatrix>(rows, 8 * bytes, count);
  std::int32_t* columns = out->columns_.get();
  Index at = 0;
  for (Index i = 0; i < rows; ++i) {
    out->starts_.get()[i] = at;
    const std::uint8_t* row = bits + i * row_stride;
    for (Index j = 0; j < bytes; ++j) {
      for (unsigned byte = row[j]; byte != 0; byte &= byte - 1) {
        columns[at++] = static_cast<std::int32_t>(8 * j + __builtin_ctz(byte));
      }
    }
  }
  out->starts_.get()[rows] = at;
  for (Index e = 0; e < at; ++e) out->values_.get()[e] = T(1);
  out->ones_ = true;
  return out;
}

// Counting sort: the rows of the transpose; entries ascend because rows are walked in order.
template <class T>
std::unique_ptr<SparseMatrix<T>> SparseMatrix<T>::transposed() const {
  auto out = std::make_unique<SparseMatrix>(cols_, rows_, entries());
  out->ones_ = ones_;
  Index* starts = out->starts_.get();
  for (Index j = 0; j <= cols_; ++j) starts[j] = 0;
  for (Index e = 0; e < entries(); ++e) ++starts[columns_.get()[e] + 1];
  for (Index j = 0; j < cols_; ++j) starts[j + 1] += starts[j];
  for (Index i = 0; i < rows_; ++i) {
    for (Index e = starts_.get()[i]; e < starts_.get()[i + 1]; ++e) {
      const Index at = starts[columns_.get()[e]]++;
      out->columns_.get()[at] = static_cast<std::int32_t>(i);
      out->values_.get()[at] = values_.get()[e];
    }
  }
  for (Index j = cols_; j > 0; --j) starts[j] = starts[j - 1];
  starts[0] = 0;
  return out;
}

template <class T>
std::unique_ptr<SparseMatrix<T>> SparseMatrix<T>::take(const Index* rows, Index count) const {
  const Index* starts = starts_.get();
  Index total = 0;
  for (Index i = 0; i < count; ++i) total += starts[rows[i] + 1] - starts[rows[i]];
  auto out = std::make_unique<SparseMatrix>(count, cols_, total);
  out->ones_ = ones_;
  Index at = 0;
  for (Index i = 0; i < count; ++i) {
    out->starts_.get()[i] = at;
    for (Index e = starts[rows[i]]; e < starts[rows[i] + 1]; ++e, ++at) {
      out->columns_.get()[at] = columns_.get()[e];
      out->values_.get()[at] = values_.get()[e];
    }
  }
  out->starts_.get()[count] = at;
  return out;
}

template <class T>
void SparseMatrix<T>::to_dense(T* out) const {
  for (Index i = 0; i < rows_ * cols_; ++i) out[i] = T(0);
  for (Index i = 0; i < rows_; ++i) {
    for (Index e = starts_.get()[i]; e < starts_.get()[i + 1]; ++e) {
      out[i * cols_ + columns_.get()[e]] = values_.get()[e];
    }
  }
}

template <class T>
void gather_part(const SparseRows<T>& a, Index begin, Index end, Index left, Index right, const MatmulArgs<T>& args) {
  sparse_kernels<T>().gather(a, begin, end, left, right, args);
}

// Columns are divided first: every thread then gathers from its own part of B, which stays in its cache.
template <class T>
void gather(const SparseRows<T>& a, const MatmulArgs<T>& args) {
  const Activation activation = args.epilogue.activation;
  const bool whole_rows = activation != Activation::kIdentity && activation != Activation::kRelu;
  const Index n = args.c.cols, threads = num_threads();
  if (a.rows == 0 || n == 0) return;
  const Index work = a.starts[a.rows] * n + a.rows * n;
  const Index width = whole_rows ? n : kColumns, strips = ceil_div(n, width);
  Index chunks = 1;
  if (threads > 1 && work > 100000 && strips < 4 * threads) chunks = ceil_div(4 * threads, strips);
  chunks = smaller(chunks, a.rows);
  const auto task = [&](Index t) {
    const Index strip = t / chunks, chunk = t % chunks, left = strip * width;
    gather_part(a, a.rows * chunk / chunks, a.rows * (chunk + 1) / chunks, left, smaller(left + width, n), args);
  };
  if (threads == 1 || work <= 100000) {
    for (Index t = 0; t < strips * chunks; ++t) task(t);
  } else {
    parallel_for(strips * chunks, task);
  }
}

template <class T>
void linear(const MatmulArgs<T>& args) {
  const bool transposed = args.a.col_stride != 1 && args.a.row_stride == 1;
  if (args.b.col_stride != 1 || args.c.cols == 0) return matmul(args);
  const auto rows = SparseMatrix<T>::look(transposed ? args.a.transposed() : args.a);
  if (rows == nullptr) return matmul(args);
  if (!transposed) return gather(rows->view(), args);
  gather(rows->transposed()->view(), args);
}

template class SparseMatrix<float>;
template class SparseMatrix<double>;
template void gather<float>(const SparseRows<float>&, const MatmulArgs<float>&);
template void gather<double>(const SparseRows<double>&, const MatmulArgs<double>&);
template void gather_part<float>(const SparseRows<float>&, Index, Index, Index, Index, const MatmulArgs<float>&);
template void gather_part<double>(const SparseRows<double>&, Index, Index, Index, Index, const MatmulArgs<double>&);
template void linear<float>(const MatmulArgs<float>&);
template void linear<double>(const MatmulArgs<double>&);

}  // namespace catalase
