// A batch over threads.
#include "descriptor/descriptor.h"

#include "common/blocks.h"
#include "common/memory.h"

namespace catalase {

constexpr Index kDescriptorBlock = 64;  // molecules: about a millisecond of work

void descriptors(const DescriptorBatch& given, int threads) {
  DescriptorBatch batch = given;
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  in_blocks(batch.molecules, kDescriptorBlock, threads,
            [&](Index begin, Index end) { descriptor_kernels().rows(batch, begin, end); });
}

}  // namespace catalase
