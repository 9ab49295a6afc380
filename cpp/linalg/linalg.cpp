// The division of a matrix in halves; linalg.h has the formulas.
#include "linalg/linalg.h"

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "matmul/matmul.h"

namespace catalase {
namespace {

// Where a matrix of more than kTriangle rows is cut: near its middle, at a multiple of kTriangle.
Index half(Index n) {
  return ceil_div(n, 2 * kTriangle) * kTriangle;
}

template <class T>
MatrixView<const T> read(MatrixView<T> x) {
  return {x.data, x.rows, x.cols, x.row_stride, x.col_stride};
}

// c += a b
template <class T>
void add_product(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) {
  MatmulArgs<T> args{a, b, c, {}};
  args.epilogue.add = c.data;
  args.epilogue.add_row = c.row_stride;
  matmul(args);
}

// A triangle that is copied, so that its rows are contiguous; upper ones from the last row and column on.
template <class T>
class Copied {
 public:
  Copied(MatrixView<const T> t, bool lower) : memory_(kTriangle * (kTriangle + 1)) {
    const Index n = t.rows;
    T *own = memory_.get(), *scale = own + kTriangle * kTriangle;
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k <= i; ++k) own[i * kTriangle + k] = lower ? *t.at(i, k) : *t.at(n - 1 - i, n - 1 - k);
      scale[i] = T{-1} / own[i * kTriangle + i];
    }
    triangle_ = {n, own, scale};
  }
  const Triangle<T>& get() const { return triangle_; }

 private:
  Scratch<T> memory_;
  Triangle<T> triangle_;
};

// f(begin, end) for chunks of kSides of n rows or columns, on as many threads as the arithmetic of solving them is worth.
template <class F>
void for_each_chunk(Index n, Index triangle, F f) {
  const Index chunks = ceil_div(n, kSides);
  const auto work = static_cast<double>(triangle) * static_cast<double>(triangle) * static_cast<double>(n) / 2;
  const Index tasks = smaller(chunks, 4 * threads_for(work));
  const auto run = [&](Index task) {
    for (Index chunk = even_start(chunks, tasks, task); chunk < even_start(chunks, tasks, task + 1); ++chunk) {
      f(chunk * kSides, smaller((chunk + 1) * kSides, n));
    }
  };
  if (threads_for(work) > 1) return parallel_for(tasks, run);
  for (Index task = 0; task < tasks; ++task) run(task);
}

// x, which holds -B, becomes B l^-T.
template <class T>
void solve_right(MatrixView<const T> l, MatrixView<T> x) {
  const Index n = l.rows, m = x.rows;
  if (n <= kTriangle) {
    const Copied<T> triangle(l, true);
    for_each_chunk(m, n, [&](Index begin, Index end) {
      linalg_kernels<T>().solve_rows(triangle.get(), x.block(begin, 0, end - begin, n));
    });
    return;
  }
  const Index h = half(n);
  const MatrixView<T> left = x.block(0, 0, m, h), right = x.block(0, h, m, n - h);
  solve_right(l.block(0, 0, h, h), left);
  add_product(read(left), l.block(h, 0, n - h, h).transposed(), right);
  solve_right(l.block(h, h, n - h, n - h), right);
}

// The lower triangle of c += p p^T; of its upper triangle, what lies in squares of kTriangle on the diagonal changes too.
template <class T>
void add_square(MatrixView<const T> p, MatrixView<T> c) {
  const Index n = c.rows;
  if (n <= kTriangle) return add_product(p, p.transposed(), c);
  const Index h = half(n);
  const auto upper = p.block(0, 0, h, p.cols), below = p.block(h, 0, n - h, p.cols);
  add_square(upper, c.block(0, 0, h, h));
  add_product(below, upper.transposed(), c.block(h, 0, n - h, h));
  add_square(below, c.block(h, h, n - h, n - h));
}

// The lower triangle of a, which holds -A, becomes Cholesky's factor.
template <class T>
Pivot<T> factor(MatrixView<T> a) {
  const Index n = a.rows;
  if (n <= kTriangle) {
    Pivot<T> found;
    found.row = linalg_kernels<T>().factor(a, &found.value);
    return found;
  }
  const Index h = half(n);
  const MatrixView<T> first = a.block(0, 0, h, h), below = a.block(h, 0, n - h, h), rest = a.block(h, h, n - h, n - h);
  if (const Pivot<T> found = factor(first); found.row >= 0) return found;
  solve_right(read(first), below);
  add_square(read(below), rest);
  Pivot<T> found = factor(rest);
  if (found.row >= 0) found.row += h;
  return found;
}

// x, which holds -B, becomes t^-1 B.
template <class T>
void solve_left(MatrixView<const T> t, bool lower, MatrixView<T> x) {
  const Index n = t.rows, m = x.cols;
  if (n <= kTriangle) {
    const Copied<T> triangle(t, lower);
    for_each_chunk(m, n, [&](Index begin, Index end) {
      T* start = x.at(lower ? 0 : n - 1, begin);
      linalg_kernels<T>().solve(triangle.get(), start, lower ? x.row_stride : -x.row_stride, end - begin);
    });
    return;
  }
  const Index h = half(n), rest = n - h;
  const MatrixView<T> upper = x.block(0, 0, h, m), below = x.block(h, 0, rest, m);
  if (lower) {
    solve_left(t.block(0, 0, h, h), lower, upper);
    add_product(t.block(h, 0, rest, h), read(upper), below);
    solve_left(t.block(h, h, rest, rest), lower, below);
  } else {
    solve_left(t.block(h, h, rest, rest), lower, below);
    add_product(t.block(0, h, h, rest), read(below), upper);
    solve_left(t.block(0, 0, h, h), lower, upper);
  }
}

}  // namespace

template <class T>
Pivot<T> cholesky(MatrixView<const T> a, MatrixView<T> out) {
  const Index n = a.rows;
  if (n == 0) return {};
  const Index grain = ceil_div(16384, n);
  parallel_ranges(n, grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index k = 0; k <= i; ++k) *out.at(i, k) = -*a.at(i, k);
    }
  });
  const Pivot<T> found = factor(out);
  parallel_ranges(n, grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index k = i + 1; k < n; ++k) *out.at(i, k) = 0;
    }
  });
  return found;
}

template <class T>
void solve_triangular(MatrixView<const T> t, bool lower, MatrixView<T> x) {
  if (x.rows == 0 || x.cols == 0) return;
  parallel_ranges(x.rows, ceil_div(16384, x.cols), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index j = 0; j < x.cols; ++j) *x.at(i, j) = -*x.at(i, j);
    }
  });
  solve_left(t, lower, x);
}

template Pivot<float> cholesky<float>(MatrixView<const float>, MatrixView<float>);
template Pivot<double> cholesky<double>(MatrixView<const double>, MatrixView<double>);
template void solve_triangular<float>(MatrixView<const float>, bool, MatrixView<float>);
template void solve_triangular<double>(MatrixView<const double>, bool, MatrixView<double>);

}  // namespace catalase
