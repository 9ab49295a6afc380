// Cuts C into one block a thread. Each thread runs the whole blocked algorithm on its block: it packs its own panels
// and waits for nobody. Columns are cut first where rows are few, because then A, which is packed twice, is the small
// one.
#include "matmul/matmul.h"

#include "common/thread_pool.h"
#include "cpu/dispatch.h"
#include "elementwise/elementwise.h"

namespace catalase {
namespace {

// Below this many multiply-adds a second thread costs more than it brings (about 10 microseconds of work).
constexpr double kWorthAThread = 250e3;

Index ceil_div(Index a, Index b) {
  return (a + b - 1) / b;
}

void run_level(const MatmulArgs<float>& args) {
  level().matmul->matmul_f32(args);
}
void run_level(const MatmulArgs<double>& args) {
  level().matmul->matmul_f64(args);
}

template <class T>
Index tile_cols() {
  return sizeof(T) == 4 ? level().matmul->tile_cols_f32 : level().matmul->tile_cols_f64;
}

// A grid of parts_m x parts_n blocks with the least packing: A is read parts_n times and B parts_m times.
template <class T>
void choose_grid(const MatmulArgs<T>& args, Index threads, Index* parts_m, Index* parts_n) {
  const Index tiles_m = ceil_div(args.c.rows, level().matmul->tile_rows),
              tiles_n = ceil_div(args.c.cols, tile_cols<T>());
  double best = -1;
  for (Index pm = 1; pm <= threads; ++pm) {
    const Index pn = threads / pm;
    const Index rows = ceil_div(tiles_m, pm), cols = ceil_div(tiles_n, pn);
    // Time of the largest block in tiles of work, plus what packing costs beside it.
    const double cost = static_cast<double>(rows * cols) + 0.15 * static_cast<double>(rows + cols);
    if (best < 0 || cost < best) best = cost, *parts_m = pm, *parts_n = pn;
  }
}

}  // namespace

template <class T>
void matmul(const MatmulArgs<T>& args) {
  const Index m = args.c.rows, n = args.c.cols, k = args.a.cols;
  if (m == 0 || n == 0) return;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  Index threads = num_threads();
  if (work < kWorthAThread * 2) threads = 1;
  if (threads == 1) return run_level(args);

  Index parts_m = 1, parts_n = 1;
  choose_grid(args, threads, &parts_m, &parts_n);
  const Index step_m = ceil_div(ceil_div(m, parts_m), level().matmul->tile_rows) * level().matmul->tile_rows;
  const Index step_n = ceil_div(ceil_div(n, parts_n), tile_cols<T>()) * tile_cols<T>();
  const Index blocks_m = ceil_div(m, step_m), blocks_n = ceil_div(n, step_n);
  parallel_for(blocks_m * blocks_n, [&](Index block) {
    const Index i = block / blocks_n * step_m, j = block % blocks_n * step_n;
    const Index rows = i + step_m < m ? step_m : m - i, cols = j + step_n < n ? step_n : n - j;
    MatmulArgs<T> part = args;
    part.a = args.a.block(i, 0, rows, k);
    part.b = args.b.block(0, j, k, cols);
    part.c = args.c.block(i, j, rows, cols);
    if (part.bias != nullptr) part.bias += j;
    run_level(part);
  });
}

template <class T>
void column_sum(MatrixView<const T> x, T* out) {
  parallel_ranges(x.cols, x.rows > 0 ? 65536 / x.rows + 64 : x.cols, [&](Index begin, Index end) {
    const MatrixView<const T> part = x.block(0, begin, x.rows, end - begin);
    if constexpr (sizeof(T) == 4) {
      level().matmul->column_sum_f32(part, out + begin);
    } else {
      level().matmul->column_sum_f64(part, out + begin);
    }
  });
}

template void matmul<float>(const MatmulArgs<float>&);
template void matmul<double>(const MatmulArgs<double>&);
template void column_sum<float>(MatrixView<const float>, float*);
template void column_sum<double>(MatrixView<const double>, double*);

}  // namespace catalase
