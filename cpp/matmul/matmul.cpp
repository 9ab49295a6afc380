// Cuts C into one block a thread. Each thread runs the whole blocked algorithm on its block: it packs its own panels
// and waits for no other thread. If C has few rows its columns are cut first, because A, which is then packed twice, is
// the smaller factor.
#include "matmul/matmul.h"

#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

// Finds the grid of parts_m x parts_n blocks with the least packing: A is read parts_n times and B parts_m times.
template <class T>
void choose_grid(Index rows, Index vectors, Index threads, Index* parts_m, Index* parts_n) {
  const Index tile = matmul_kernels<T>().tile_rows;
  double best = -1;
  for (Index pm = 1; pm <= threads; ++pm) {
    const Index pn = threads / pm;
    const double m = static_cast<double>(ceil_div(ceil_div(rows, tile), pm) * tile);
    const double n = static_cast<double>(ceil_div(vectors, pn));
    // The time of the largest block, plus the cost of reading A (rows) and B (vectors of columns).
    const double cost = m * n + 1.0 * m + 6.0 * n;
    if (best < 0 || cost < best) best = cost, *parts_m = pm, *parts_n = pn;
  }
}

Index start_of(Index n, Index pieces, Index t, Index unit, Index limit) {
  return smaller(even_start(n, pieces, t) * unit, limit);
}

}  // namespace

template <class T>
void matmul(const MatmulArgs<T>& args) {
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  if (m == 0 || n == 0) return;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const Index threads = threads_for(work);
  if (threads == 1) return matmul_kernels<T>().matmul(args);

  const Index width = matmul_kernels<T>().width, vectors = ceil_div(n, width);
  Index parts_m = 1, parts_n = 1;
  choose_grid<T>(m, vectors, threads, &parts_m, &parts_n);
  parts_m = smaller(parts_m, m), parts_n = smaller(parts_n, vectors);
  parallel_for(parts_m * parts_n, [&](Index block) {
    const Index bi = block / parts_n, bj = block % parts_n;
    const Index i = start_of(m, parts_m, bi, 1, m), i_stop = start_of(m, parts_m, bi + 1, 1, m);
    const Index j = start_of(vectors, parts_n, bj, width, n), j_stop = start_of(vectors, parts_n, bj + 1, width, n);
    matmul_kernels<T>().matmul(args.block(i, j, i_stop - i, j_stop - j));
  });
}

template <class T>
void matmul_batch(const MatmulArgs<T>& args, Index count, Index a_step, Index b_step, Index c_step) {
  const auto one = [&](Index i) {
    MatmulArgs<T> each = args;
    each.a.data += i * a_step;
    each.b.data += i * b_step;
    each.c.data += i * c_step;
    return each;
  };
  const double work = static_cast<double>(args.c.rows) * static_cast<double>(args.c.cols) *
                      static_cast<double>(args.a.cols) * static_cast<double>(count);
  if (args.c.rows == 0 || args.c.cols == 0) return;
  if (count < num_threads() || threads_for(work) == 1) {  // threads inside each product, or one thread
    for (Index i = 0; i < count; ++i) matmul(one(i));
    return;
  }
  const Index chunks = smaller(count, 8 * num_threads());
  parallel_for(chunks, [&](Index chunk) {
    for (Index i = count * chunk / chunks; i < count * (chunk + 1) / chunks; ++i) matmul_kernels<T>().matmul(one(i));
  });
}

template <class T>
void column_sum(MatrixView<const T> x, T* out) {
  parallel_ranges(x.cols, x.rows > 0 ? 65536 / x.rows + 64 : x.cols, [&](Index begin, Index end) {
    const MatrixView<const T> part = x.block(0, begin, x.rows, end - begin);
    matmul_kernels<T>().column_sum(part, out + begin);
  });
}

template void matmul_batch<float>(const MatmulArgs<float>&, Index, Index, Index, Index);
template void matmul_batch<double>(const MatmulArgs<double>&, Index, Index, Index, Index);
template void matmul<float>(const MatmulArgs<float>&);
template void matmul<double>(const MatmulArgs<double>&);
template void column_sum<float>(MatrixView<const float>, float*);
template void column_sum<double>(MatrixView<const double>, double*);

}  // namespace catalase
