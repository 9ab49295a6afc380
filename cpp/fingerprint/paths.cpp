// Divides molecules among the threads in small blocks, on demand, since their sizes differ.
#include "fingerprint/paths.h"

#include "common/blocks.h"
#include "common/memory.h"

namespace catalase {

constexpr Index kBlock = 16;  // molecules: up to some milliseconds of work

void path_fingerprints(const PathBatch& given, int threads) {
  PathBatch batch = given;
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  in_blocks(batch.molecules, kBlock, threads, [&](Index begin, Index end) { path_kernels().rows(batch, begin, end); });
}

}  // namespace catalase
