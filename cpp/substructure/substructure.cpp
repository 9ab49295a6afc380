// Divides molecules among the threads in small blocks, on demand, since their costs differ.
#include "substructure/substructure.h"

#include "common/blocks.h"
#include "substructure/matched_atoms.h"

namespace catalase {

void substructure(const SubstructureBatch& given, MatchedAtoms* listed, int threads) {
  SubstructureBatch batch = given;
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  batch.emit = [](void* sink, const std::uint8_t* atoms, unsigned count) {
    auto& list = *static_cast<MatchedAtoms*>(sink);
    list.insert(list.end(), atoms, atoms + count);
  };
  if (listed == nullptr) batch.emit = nullptr;
  in_blocks(batch.molecules, kSubstructureBlock, threads, [&](Index begin, Index end) {
    substructure_kernels().rows(batch, begin, end, listed == nullptr ? nullptr : listed + begin / kSubstructureBlock);
  });
}

}  // namespace catalase
