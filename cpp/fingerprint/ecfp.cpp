// Molecules are shared out among the threads in small blocks, taken as they come: their sizes differ.
#include "fingerprint/ecfp.h"

#include <atomic>
#include <bit>

#include "common/memory.h"
#include "common/thread_pool.h"
#include "cpu/dispatch.h"

namespace catalase {

void ecfp(const EcfpBatch& given, int threads) {
  EcfpBatch batch = given;
  batch.memory = {cached_alloc, cached_free};
  constexpr Index kBlock = 64;  // some 200 microseconds of work
  const Index blocks = (batch.molecules + kBlock - 1) / kBlock;
  std::atomic<Index> next{0};
  const auto work = [&](Index) {
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      const Index end = (i + 1) * kBlock;
      level().ecfp->rows(batch, i * kBlock, end < batch.molecules ? end : batch.molecules);
    }
  };
  parallel_for(threads < blocks ? threads : blocks, work);
}

void count_set_bits(const std::uint8_t* rows, Index n, Index bytes, std::int64_t* counts) {
  parallel_ranges(n, 1024, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      std::int64_t count = 0;
      for (Index j = 0; j < bytes; ++j) count += std::popcount(rows[i * bytes + j]);
      counts[i] = count;
    }
  });
}

void list_set_bits(const std::uint8_t* rows, Index n, Index bytes, const std::int64_t* indptr, std::int32_t* indices) {
  parallel_ranges(n, 1024, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      std::int32_t* out = indices + indptr[i];
      for (Index j = 0; j < bytes; ++j) {
        for (unsigned byte = rows[i * bytes + j]; byte != 0; byte &= byte - 1) {
          *out++ = static_cast<std::int32_t>(8 * j + std::countr_zero(byte));
        }
      }
    }
  });
}

}  // namespace catalase
