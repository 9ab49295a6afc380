// Looks at A, and takes the gather path where at most one entry in eight is not zero. The look costs one pass over A, a
// few microseconds for a batch of fingerprints, and stops as soon as A turns out to be dense.
#include "matmul/sparse.h"

#include "common/memory.h"
#include "common/thread_pool.h"
#include "cpu/dispatch.h"

namespace catalase {
namespace {

constexpr Index kOneIn = 8;           // a choice, not yet tuned: fingerprints have 2 to 5%, hidden layers more
constexpr Index kSmallest = 1 << 12;  // below so many entries of A the dense path is over before the look is

Index compress(MatrixView<const float> x, Index most, std::int32_t* columns, float* values, Index* starts) {
  return level().sparse->compress_f32(x, most, columns, values, starts);
}
Index compress(MatrixView<const double> x, Index most, std::int32_t* columns, double* values, Index* starts) {
  return level().sparse->compress_f64(x, most, columns, values, starts);
}
void gather(const SparseRows<float>& a, Index begin, Index end, const MatmulArgs<float>& args) {
  level().sparse->gather_f32(a, begin, end, args);
}
void gather(const SparseRows<double>& a, Index begin, Index end, const MatmulArgs<double>& args) {
  level().sparse->gather_f64(a, begin, end, args);
}

// Counting sort: the rows of the transpose, entries ascending because rows are walked in order.
template <class T>
void transpose(const SparseRows<T>& a, Index cols, std::int32_t* columns, T* values, Index* starts) {
  for (Index j = 0; j <= cols; ++j) starts[j] = 0;
  for (Index e = 0; e < a.starts[a.rows]; ++e) ++starts[a.columns[e] + 1];
  for (Index j = 0; j < cols; ++j) starts[j + 1] += starts[j];
  for (Index i = 0; i < a.rows; ++i) {
    for (Index e = a.starts[i]; e < a.starts[i + 1]; ++e) {
      const Index at = starts[a.columns[e]]++;
      columns[at] = static_cast<std::int32_t>(i);
      values[at] = a.values[e];
    }
  }
  for (Index j = cols; j > 0; --j) starts[j] = starts[j - 1];
  starts[0] = 0;
}

template <class T>
void gather_all(const SparseRows<T>& a, const MatmulArgs<T>& args) {
  const Index threads = num_threads();
  const Index work = a.starts[a.rows] * args.c.cols + a.rows * args.c.cols;
  const Index chunks = threads > 1 && work > 200000 ? 8 * threads : 1;
  const Index step = (a.rows + chunks - 1) / chunks;
  parallel_for((a.rows + step - 1) / step, [&](Index chunk) {
    const Index begin = chunk * step;
    gather(a, begin, begin + step < a.rows ? begin + step : a.rows, args);
  });
}

}  // namespace

template <class T>
void linear(const MatmulArgs<T>& args) {
  const bool transposed = args.a.col_stride != 1 && args.a.row_stride == 1;
  const MatrixView<const T> x = transposed ? args.a.transposed() : args.a;
  const Index total = x.rows * x.cols, most = total / kOneIn;
  if (total < kSmallest || x.col_stride != 1 || args.b.col_stride != 1 || args.c.cols == 0 || total >> 31 != 0) {
    return matmul(args);
  }
  Scratch<std::int32_t> columns(static_cast<std::size_t>(most) + 64);
  Scratch<T> values(static_cast<std::size_t>(most) + 64);
  Scratch<Index> starts(static_cast<std::size_t>(x.rows) + 1);
  const Index count = compress(x, most, columns.get(), values.get(), starts.get());
  if (count < 0) return matmul(args);
  const SparseRows<T> rows{columns.get(), values.get(), starts.get(), x.rows};
  if (!transposed) return gather_all(rows, args);
  Scratch<std::int32_t> t_columns(static_cast<std::size_t>(count) + 1);
  Scratch<T> t_values(static_cast<std::size_t>(count) + 1);
  Scratch<Index> t_starts(static_cast<std::size_t>(x.cols) + 1);
  transpose(rows, x.cols, t_columns.get(), t_values.get(), t_starts.get());
  gather_all(SparseRows<T>{t_columns.get(), t_values.get(), t_starts.get(), x.cols}, args);
}

template void linear<float>(const MatmulArgs<float>&);
template void linear<double>(const MatmulArgs<double>&);

}  // namespace catalase
