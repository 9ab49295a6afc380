// Divides molecules among the threads in small blocks, on demand, since their sizes differ.
#include "fingerprint/ecfp.h"

#include <bit>
#include <cstring>

#include "common/blocks.h"
#include "common/memory.h"
#include "fingerprint/graphs.h"

namespace catalase {

constexpr Index kBlock = 64;  // molecules: some 200 microseconds of work

void ecfp(const EcfpBatch& given, int threads) {
  EcfpBatch batch = given;
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  in_blocks(batch.molecules, kBlock, threads, [&](Index begin, Index end) { ecfp_kernels().rows(batch, begin, end); });
}

void ecfp_graphs(const EcfpBatch& batch, const GraphRoom& room, int threads) {
  in_blocks(batch.molecules, kBlock, threads,
            [&](Index begin, Index end) { ecfp_kernels().graphs(batch, room, begin, end); });
}

void pack_graphs(const GraphRoom& room, Index molecules, Index atoms, std::uint32_t* graphs) {
  std::uint32_t *first_atom = graphs, *first_end = first_atom + molecules + 1;
  std::uint32_t *value = first_end + atoms + 1, *end = value + atoms;
  std::uint32_t at_atom = 0, at_end = 0;
  for (Index i = 0; i < molecules; ++i) {
    const Index start = room.start[i], count = room.atoms[i];
    first_atom[i] = at_atom;
    std::memcpy(value + at_atom, room.value + start, static_cast<std::size_t>(count) * sizeof(*value));
    std::memcpy(end + at_end, room.end + 2 * start, static_cast<std::size_t>(room.ends[i]) * sizeof(*end));
    for (Index a = 0; a < count; ++a) {
      first_end[at_atom++] = at_end;
      at_end += room.degree[start + a];
    }
  }
  first_atom[molecules] = at_atom;
  first_end[at_atom] = at_end;
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
