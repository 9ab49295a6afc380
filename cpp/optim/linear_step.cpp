// Gradient and optimizer step of a dense layer's weights in one pass: 1 M parameters are 4 MB, and a gradient that is
// never written to memory saves 8 MB of traffic in every step.
#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "optim/optim.h"

namespace catalase {
namespace {

// Rows of a strip. Sparse: the gradient of a few rows stays in L1 (it is only stored if a batch is longer than a
// chain). Dense: a strip is a product, which needs enough rows to use the panels that it packs; 96 rows of 1,000 floats
// are 375 KiB, in L2, and 256 rows are better if a batch is long enough to hide them.
constexpr Index kSparseRows = 4, kDenseRows = 96, kManyDenseRows = 256;

// The arguments of the step for values of row i from column j on.
template <class T>
OptimArgs<T> from_place(OptimArgs<T> args, Index i, Index stride, Index j, const T* grad, Index n) {
  const Index at = i * stride + j;
  args.param += at;
  if (args.first != nullptr) args.first += at;
  if (args.second != nullptr) args.second += at;
  args.grad = grad;
  args.n = n;
  return args;
}

// The path without memory for a strip, needed because other threads have changed their weights already: rows and pieces
// of columns one by one, in sums on the stack. The chains and so the bits are the same; it is a few times slower.
template <class T>
void step_without_memory(Rule rule, const OptimArgs<T>& args, Index begin, Index end, Index cols, Index stride,
                         const SparseRows<T>* sparse_x, const MatrixView<const T>& dense_x,
                         const MatrixView<const T>& dz) {
  constexpr Index kColumns = 512;
  T grad[kColumns], part[kColumns];
  for (Index i = begin; i < end; ++i) {
    for (Index j = 0; j < cols; j += kColumns) {
      const Index n = j + kColumns < cols ? kColumns : cols - j;
      const MatrixView<const T> b = dz.block(0, j, dz.rows, n);
      const MatrixView<T> c{grad, 1, n, n, 1};
      if (sparse_x != nullptr) {
        SparseRows<T> row = *sparse_x;
        row.starts += i;
        row.rows = 1;
        gather_part(row, 0, 1, 0, n, MatmulArgs<T>{{}, b, c, {}});
      } else {
        const MatrixView<const T> a = dense_x.transposed().block(i, 0, 1, dense_x.rows);
        for (Index k = 0; k == 0 || k < b.rows; k += kChainLength) {  // one row of at most a chain takes no memory
          const Index terms = smaller(b.rows - k, kChainLength);
          matmul_kernels<T>().matmul(
              MatmulArgs<T>{a.block(0, k, 1, terms), b.block(k, 0, terms, n), {k == 0 ? grad : part, 1, n, n, 1}, {}});
          for (Index v = 0; k > 0 && v < n; ++v) grad[v] = grad[v] + part[v];
        }
      }
      optim_kernels<T>().step(rule, from_place(args, i, stride, j, static_cast<const T*>(grad), n));
    }
  }
}

}  // namespace

template <class T>
void optim_step_linear(Rule rule, const OptimArgs<T>& args, Index rows, Index cols, Index stride,
                       const SparseRows<T>* sparse_x, const MatrixView<const T>& dense_x,
                       const MatrixView<const T>& dz) {
  if (rows == 0 || cols == 0) return;
  const Index dense_strip = dense_x.rows < 100 ? kDenseRows : kManyDenseRows;
  const bool shared = rows * cols >= 20000;
  Index strip = sparse_x != nullptr ? kSparseRows : dense_strip, strips = ceil_div(rows, strip);
  const Index threads = shared ? num_threads() : 1;
  if (threads > 1 && strips < 4 * threads) {  // equal strips, as many for every thread
    strip = ceil_div(ceil_div(rows, ceil_div(strips, threads) * threads), Index{8}) * 8;
    strips = ceil_div(rows, strip);
  }
  const auto one_strip = [&](Index s) {
    const Index begin = s * strip, end = smaller(begin + strip, rows);
    if (sparse_x != nullptr && sparse_x->cols <= kChainLength && dz.col_stride == 1) {
      return optim_kernels<T>().step_gathered(rule, args, *sparse_x, dz, begin, end, stride);
    }
    try {
      Scratch<T> grad(static_cast<std::size_t>((end - begin) * cols));
      MatmulArgs<T> product{{}, dz, {grad.get(), end - begin, cols, cols, 1}, {}};
      if (sparse_x != nullptr) {
        SparseRows<T> part = *sparse_x;
        part.starts += begin;
        part.rows = end - begin;
        gather_part(part, 0, end - begin, 0, cols, product);
      } else {
        product.a = dense_x.transposed().block(begin, 0, end - begin, dense_x.rows);
        matmul_kernels<T>().matmul(product);
      }
      const bool flat = stride == cols;  // short rows are not padded
      for (Index i = begin; i < end; i += flat ? end - begin : 1) {
        const T* of_row = grad.get() + (i - begin) * cols;
        optim_kernels<T>().step(rule,
                                from_place(args, i, stride, Index{0}, of_row, flat ? (end - begin) * cols : cols));
      }
    } catch (const OutOfMemory&) {
      step_without_memory(rule, args, begin, end, cols, stride, sparse_x, dense_x, dz);
    }
  };
  if (!shared) {
    for (Index s = 0; s < strips; ++s) one_strip(s);
  } else {
    const Index tasks = smaller(strips, 16 * num_threads());
    parallel_for(tasks, [&](Index t) {
      for (Index s = strips * t / tasks; s < strips * (t + 1) / tasks; ++s) one_strip(s);
    });
  }
}

template void optim_step_linear<float>(Rule, const OptimArgs<float>&, Index, Index, Index, const SparseRows<float>*,
                                       const MatrixView<const float>&, const MatrixView<const float>&);
template void optim_step_linear<double>(Rule, const OptimArgs<double>&, Index, Index, Index, const SparseRows<double>*,
                                        const MatrixView<const double>&, const MatrixView<const double>&);

}  // namespace catalase
