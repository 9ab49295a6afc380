// A batch over threads.
#include "descriptor/descriptor.h"

#include "common/blocks.h"

namespace catalase {

constexpr Index kDescriptorBlock = 64;  // molecules: about a millisecond of work

void descriptors(const DescriptorBatch& batch, int threads) {
  in_blocks(batch.molecules, kDescriptorBlock, threads,
            [&](Index begin, Index end) { descriptor_kernels().rows(batch, begin, end); });
}

}  // namespace catalase
