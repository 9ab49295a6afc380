// Work in small blocks that threads take on demand, for items whose cost differs.
#pragma once

#include <atomic>

#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {

// Calls f(begin, end) for blocks of `block` items, on up to `threads` threads of the pool.
template <class F>
void in_blocks(Index items, Index block, int threads, F&& f) {
  const Index blocks = ceil_div(items, block);
  std::atomic<Index> next{0};
  const auto work = [&](Index) {
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      f(i * block, smaller((i + 1) * block, items));
    }
  };
  parallel_for(smaller(threads, blocks), work);
}

}  // namespace catalase
