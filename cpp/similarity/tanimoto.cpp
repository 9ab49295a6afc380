// The order in which pairs are counted. The counting itself is in tanimoto_level.cpp.
//
// Loop order, outermost first, in tanimoto() and tanimoto_topk(): blocks of queries, parts of the targets, tiles (16 KB
// of 2048-bit rows, which stay in L1), the block's queries. A part goes to one thread; targets are cut into parts if
// there are fewer blocks of queries than threads. A tile's own popcounts are computed once for a block of queries.
//
// The bound of Swamidass and Baldi (2007, doi:10.1021/ci600358f): |a & b| / |a | b| is at most |a & b| / |a|, so as
// long as no common count of a tile reaches threshold * |a|, its targets' popcounts are not computed. With one query
// that saves half of the work, and the rest is bound by reading 256 bytes a pair.
#include "similarity/tanimoto.h"

#include <atomic>

#include "common/partition.h"
#include "common/thread_pool.h"
#include "cpu/features.h"
#include "similarity/top_k.h"

namespace catalase {
namespace {

constexpr Index kTile = 64;
constexpr Index kLeastTile = 8;    // rows that every level takes at a time
constexpr Index kAhead = 2048;     // bytes of one query's tile; 16 KB was as good from L3, a third worse from memory
constexpr Index kQueries = 16;     // a block: 4 KB of 2048-bit rows, in L1 together with the tile
constexpr Index kLeastPart = 512;  // targets; fewer are not worth a thread

// The number of parts of the targets, so that `blocks` blocks of queries keep all threads busy.
Index parts_of(Index blocks, Index m) {
  const Index threads = num_threads();
  if (blocks >= threads || blocks == 0) return 1;
  const Index parts = ceil_div(threads, blocks), most = ceil_div(m, kLeastPart);
  return parts < most ? parts : most > 0 ? most : 1;
}

struct Part {
  Index begin, end;
};
Part part_of(Index part, Index parts, Index m) {
  const Index tiles = ceil_div(m, kTile);
  const Index end = tiles * (part + 1) / parts * kTile;
  return {tiles * part / parts * kTile, smaller(end, m)};
}

// A few targets that stay in L1 while the queries of a block are processed.
class Tile {
 public:
  Tile(const std::uint8_t* rows, Index n, Index bytes) : rows_(rows), n_(n), bytes_(bytes) {}
  Index size() const { return n_; }

  // both[t] = the bits that target t has in common with the query. The first query prefetches the next tile's cache
  // lines.
  void intersect(const std::uint8_t* query) {
    kernels_.intersections(query, rows_, n_, bytes_, fetched_ ? nullptr : rows_ + n_ * bytes_, both);
    fetched_ = true;
  }
  bool any_reaches(std::int32_t least) const {
    bool any = false;
    for (Index t = 0; t < n_; ++t) any |= both[t] >= least;
    return any;
  }
  // The set bits of one target, or of all at once.
  Index count(Index t) {
    if (!counted_[t]) kernels_.popcounts(rows_ + t * bytes_, 1, bytes_, popcounts + t);
    counted_[t] = true;
    return popcounts[t];
  }
  void count_all() { kernels_.popcounts(rows_, n_, bytes_, popcounts); }

  std::int32_t both[kTile], popcounts[kTile];

 private:
  const TanimotoKernels& kernels_ = counting_kernels();
  const std::uint8_t* rows_;
  Index n_, bytes_;
  bool fetched_ = false;
  bool counted_[kTile] = {};
};

// Calls visit(tile, first) for each tile of a part, alternating between its two halves: two streams are read faster
// than one. With one query, which waits for memory, tiles are 2 KB, and each prefetches the next tile of its half.
template <class Visit>
void for_each_tile(const std::uint8_t* targets, Index bytes, Part part, Index queries, Visit visit) {
  const Index fitting = bytes > 0 ? kAhead / bytes : kTile;
  const Index size = queries > 1 ? kTile : fitting < kLeastTile ? kLeastTile : smaller(fitting, kTile);
  const Index tiles = ceil_div(part.end - part.begin, size), half = (tiles + 1) / 2;
  const auto visit_one = [&](Index index) {
    const Index j = part.begin + index * size, rows = smaller(part.end - j, size);
    Tile tile(targets + j * bytes, rows, bytes);
    visit(tile, j);
  };
  for (Index i = 0; i < half; ++i) {
    visit_one(i);
    if (half + i < tiles) visit_one(half + i);
  }
}

std::atomic<bool> vpopcntdq_allowed{true};

}  // namespace

void allow_vpopcntdq(bool allowed) {
  vpopcntdq_allowed.store(allowed, std::memory_order_relaxed);
}

const TanimotoKernels& counting_kernels() {
  const TanimotoKernels& of_level = tanimoto_kernels();
#ifdef CATALASE_X86_LEVELS
  if (&of_level == &tanimoto_avx512 && cpu_features().vpopcntdq && vpopcntdq_allowed.load(std::memory_order_relaxed)) {
    return tanimoto_avx512vpopcntdq;
  }
#endif
  return of_level;
}

void tanimoto(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out) {
  const Index blocks = ceil_div(n, kQueries), parts = parts_of(blocks, m);
  parallel_for(blocks * parts, [&](Index task) {
    const Index begin = task / parts * kQueries, end = smaller(begin + kQueries, n);
    std::int32_t own[kQueries];
    counting_kernels().popcounts(a + begin * bytes, end - begin, bytes, own);
    for_each_tile(b, bytes, part_of(task % parts, parts, m), end - begin, [&](Tile& tile, Index j) {
      tile.count_all();
      for (Index i = begin; i < end; ++i) {
        tile.intersect(a + i * bytes);
        for (Index t = 0; t < tile.size(); ++t) {
          out[i * m + j + t] = tanimoto_of(tile.both[t], own[i - begin] + tile.popcounts[t] - tile.both[t]);
        }
      }
    });
  });
}

void tanimoto_topk(const std::uint8_t* queries, Index n, const std::uint8_t* targets, Index m, Index bytes, Index k,
                   float threshold, std::int64_t* indices, float* similarities) {
  const Index blocks = ceil_div(n, kQueries), parts = parts_of(blocks, m);
  PartialHits hits(n, parts, smaller(k, m), k, threshold, indices, similarities);
  parallel_for(blocks * parts, [&](Index task) {
    const Index begin = task / parts * kQueries, end = smaller(begin + kQueries, n);
    std::int32_t own[kQueries];
    counting_kernels().popcounts(queries + begin * bytes, end - begin, bytes, own);
    for_each_tile(targets, bytes, part_of(task % parts, parts, m), end - begin, [&](Tile& tile, Index j) {
      for (Index i = begin; i < end; ++i) {
        TopK& best = hits.at(i, task % parts);
        tile.intersect(queries + i * bytes);
        // Slightly below the bound; the exact comparison follows for everything that passes.
        const auto least = static_cast<std::int32_t>(static_cast<double>(best.bar()) * own[i - begin] * (1 - 1e-6));
        if (!tile.any_reaches(least)) continue;
        for (Index t = 0; t < tile.size(); ++t) {
          if (tile.both[t] < least) continue;
          best.offer(tanimoto_of(tile.both[t], own[i - begin] + tile.count(t) - tile.both[t]), j + t);
        }
      }
    });
  });
  hits.finish();
}

}  // namespace catalase
