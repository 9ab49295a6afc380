// Divides rows among the threads, or channels if there are fewer rows than threads.
#include "pool/pool.h"

#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kGrain = 16384;  // elements read a thread at least
constexpr Index kLine = 16;      // channels are cut at multiples of this

template <class F>
void share(Index rows, Index channels, Index work, F f) {
  if (rows == 0 || channels == 0) return;
  const Index parts = smaller(work / kGrain, num_threads());
  if (parts <= 1) return f(PoolPart{0, rows, 0, channels});
  if (rows >= parts) {
    const Index tasks = rows < 4 * parts ? parts : 4 * parts;
    return parallel_for(tasks, [&](Index i) { f(PoolPart{rows * i / tasks, rows * (i + 1) / tasks, 0, channels}); });
  }
  const Index lines = ceil_div(channels, kLine);
  const Index tasks = smaller(lines, parts);
  parallel_for(tasks, [&](Index i) {
    const Index last = lines * (i + 1) / tasks * kLine;
    f(PoolPart{0, rows, lines * i / tasks * kLine, smaller(last, channels)});
  });
}

Index elements(const PoolShape& s) {
  return s.batch * s.in[0] * s.in[1] * s.in[2] * s.channels;
}

}  // namespace

template <class T>
void pool(Pool kind, const PoolShape& shape, const T* x, T* y) {
  if (shape.out[2] == 0) return;
  share(shape.batch * shape.out[0] * shape.out[1], shape.channels, elements(shape),
        [&](PoolPart part) { pool_kernels<T>().forward(kind, shape, x, y, part); });
}

template <class T>
void pool_backward(Pool kind, const PoolShape& shape, const T* x, const T* dy, T* dx) {
  share(shape.batch, shape.channels, elements(shape),
        [&](PoolPart part) { pool_kernels<T>().backward(kind, shape, x, dy, dx, part); });
}

template void pool<float>(Pool, const PoolShape&, const float*, float*);
template void pool<double>(Pool, const PoolShape&, const double*, double*);
template void pool_backward<float>(Pool, const PoolShape&, const float*, const float*, float*);
template void pool_backward<double>(Pool, const PoolShape&, const double*, const double*, double*);

}  // namespace catalase
