// The call for a whole batch, and the lists of matched atoms that it makes if they are asked for.
#pragma once

#include "common/memory.h"
#include "substructure/substructure.h"

namespace catalase {

constexpr Index kSubstructureBlock = 64;  // molecules a task

// The atoms of all matches of a block of molecules, one after the other, in the order of molecules and columns.
using MatchedAtoms = ScratchVector<std::uint8_t>;

// On up to `threads` threads of the pool. It uses the caching allocator and ignores batch.memory and batch.emit;
// `listed`, if it is not nullptr, is an array with an entry for each block.
void substructure(const SubstructureBatch& batch, MatchedAtoms* listed, int threads);

}  // namespace catalase
