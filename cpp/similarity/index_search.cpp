// The walk over an index that top-k and neighbour search share. The search target is a Sink:
//   reaches(both, either)  whether a pair with these counts is wanted; never true for fewer common bits of the same sum
//   ratio()                approximately the similarity at which pairs are wanted; only a first guess
//   take(both, either, place)
#include <algorithm>

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "similarity/index.h"
#include "similarity/top_k.h"

namespace catalase {
namespace {

constexpr Index kQueries = 256;      // a block: so many queries share one read of a chunk from L3
constexpr Index kQueryRound = 4096;  // queries whose set bits are held as lists at a time

struct Query {
  Index place;                // in the caller's array
  Index count;                // set bits
  const std::uint32_t* bits;  // rarest first
};

struct BestHits {
  TopK& best;
  bool reaches(Index both, Index either) const { return tanimoto_of(both, either) >= best.bar(); }
  double ratio() const { return best.bar(); }
  void take(Index both, Index either, std::int64_t place) { best.offer(tanimoto_of(both, either), place); }
};

struct Neighbors {
  double cutoff;
  std::int64_t count = 0;
  std::int64_t* places = nullptr;
  bool reaches(Index both, Index either) const {
    const double similarity = either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 0.0;
    return 1.0 - similarity <= cutoff;
  }
  double ratio() const { return cutoff < 1 ? 1 - cutoff : 0; }
  void take(Index both, Index either, std::int64_t place) {
    if (!reaches(both, either)) return;
    if (places != nullptr) places[count] = place;
    ++count;
  }
};

// The fewest common bits with which popcounts a and b are wanted; min(a, b) + 1 if none are enough.
template <class Sink>
Index least_common(const Sink& sink, Index a, Index b) {
  const Index most = smaller(a, b);
  const double s = sink.ratio();
  Index c = smaller(static_cast<Index>(s / (1 + s) * static_cast<double>(a + b)), most);
  while (c > 0 && sink.reaches(c - 1, a + b - c + 1)) --c;
  while (c <= most && !sink.reaches(c, a + b - c)) ++c;
  return c;
}

// Whether a row with a popcount from low to high can be wanted: the best such row shares as many bits as possible.
template <class Sink>
bool can_reach(const Sink& sink, Index a, Index low, Index high) {
  const Index b = a < low ? low : a > high ? high : a;
  return sink.reaches(smaller(a, b), a < b ? b : a);
}

template <class Sink>
void take_column(const ColumnCounts& counts, const Query& query, const std::int32_t* popcounts,
                 const std::int64_t* places, Index rows, Sink& sink) {
  for (Index w = 0; 64 * w < rows; ++w) {
    std::uint64_t reached = counts.reached[w];
    if (rows - 64 * w < 64) reached &= (std::uint64_t{1} << (rows - 64 * w)) - 1;
    for (; reached != 0; reached &= reached - 1) {
      const int lane = __builtin_ctzll(reached);
      Index both = 0;
      for (int p = 0; p < counts.n_planes; ++p) both |= static_cast<Index>(counts.planes[p][w] >> lane & 1) << p;
      const Index row = 64 * w + lane;
      sink.take(both, query.count + popcounts[row] - both, places[row]);
    }
  }
}

template <class Sink>
void search_chunk(const IndexView& index, Index chunk, const Query& query, Sink& sink) {
  const Index begin = chunk * kChunkRows, end = smaller(begin + kChunkRows, index.rows);
  if (!can_reach(sink, query.count, index.popcounts[begin], index.popcounts[end - 1])) return;
  const Index stride = round_up(end - begin, kColumnRows) / 8;
  const std::uint8_t* slices = index.slices + begin * index.bytes;
  const TanimotoKernels& kernels = counting_kernels();
  ColumnCounts counts;
  Index least = 0, least_for = -1;
  double least_at = -1;
  for (Index row = begin; row < end; row += kColumnRows) {
    const Index rows = smaller(end - row, kColumnRows), low = index.popcounts[row];
    __builtin_prefetch(index.popcounts + row + 2 * kColumnRows - 1);  // the last of the next column: 100 ns from memory
    if (!can_reach(sink, query.count, low, index.popcounts[row + rows - 1])) continue;
    if (low != least_for || sink.ratio() != least_at) {
      least = least_common(sink, query.count, low);
      least_for = low;
      least_at = sink.ratio();
    }
    if (kernels.count_column(slices + (row - begin) / 8, stride, query.bits, query.count, least, &counts)) {
      take_column(counts, query, index.popcounts + row, index.places + row, rows, sink);
    }
  }
}

// Chunks ordered by how near their popcounts are to `count`: from the chunk that holds it outwards, nearer side first.
class ChunkOrder {
 public:
  ChunkOrder(const IndexView& index, Index count)
      : index_(index), count_(count), chunks_(ceil_div(index.rows, kChunkRows)) {
    const std::int32_t* after = std::upper_bound(index.popcounts, index.popcounts + index.rows, count);
    above_ = std::min((after - index.popcounts) / kChunkRows, chunks_);
  }
  Index size() const { return chunks_; }
  Index next() {
    const Index below = above_ - 1 - taken_below_, above = above_ + taken_above_;
    const bool up = below < 0 || (above < chunks_ && likeness(above) >= likeness(below));
    return up ? above_ + taken_above_++ : above_ - ++taken_below_;
  }

 private:
  double likeness(Index chunk) const {
    const Index first = chunk * kChunkRows, last = std::min(first + kChunkRows, index_.rows) - 1;
    const Index b = std::clamp<Index>(count_, index_.popcounts[first], index_.popcounts[last]);
    return b == count_ ? 1.0 : static_cast<double>(std::min(b, count_)) / static_cast<double>(std::max(b, count_));
  }
  const IndexView& index_;
  Index count_, chunks_, above_, taken_below_ = 0, taken_above_ = 0;
};

// The queries of one round, sorted by popcount so that a block's queries need the same chunks; set bits as lists.
class QueryRound {
 public:
  QueryRound(const IndexView& index, const std::uint8_t* queries, Index n)
      : counts_(static_cast<std::size_t>(n)), queries_(static_cast<std::size_t>(n)) {
    counting_kernels().popcounts(queries, n, index.bytes, counts_.data());
    for (Index i = 0; i < n; ++i)
      queries_[static_cast<std::size_t>(i)] = {i, counts_[static_cast<std::size_t>(i)], nullptr};
    std::stable_sort(queries_.begin(), queries_.end(),
                     [](const Query& a, const Query& b) { return a.count < b.count; });
    std::size_t total = 0;
    for (const Query& q : queries_) total += static_cast<std::size_t>(q.count);
    bits_.resize(total);
    std::size_t at = 0;
    for (Query& q : queries_) {
      q.bits = bits_.data() + at;
      at += static_cast<std::size_t>(q.count);
    }
    parallel_for(n, [&](Index i) {
      const Query& q = queries_[static_cast<std::size_t>(i)];
      list_bits(index, queries + q.place * index.bytes, const_cast<std::uint32_t*>(q.bits));
    });
  }
  const Query& operator[](Index i) const { return queries_[static_cast<std::size_t>(i)]; }

 private:
  static void list_bits(const IndexView& index, const std::uint8_t* query, std::uint32_t* bits) {
    std::uint32_t* end = bits;
    for (Index byte = 0; byte < index.bytes; ++byte) {
      for (unsigned rest = query[byte]; rest != 0; rest &= rest - 1) {
        *end++ = static_cast<std::uint32_t>(8 * byte + __builtin_ctz(rest));
      }
    }
    std::sort(bits, end, [&](std::uint32_t a, std::uint32_t b) {
      return index.bit_frequencies[a] != index.bit_frequencies[b] ? index.bit_frequencies[a] < index.bit_frequencies[b]
                                                                  : a < b;
    });
  }
  ScratchVector<std::int32_t> counts_;
  ScratchVector<Query> queries_;
  ScratchVector<std::uint32_t> bits_;
};

// Calls search(query, chunk, part) for all pairs; chunks are cut into parts if there are fewer blocks than threads.
template <class Search>
void walk(const IndexView& index, const QueryRound& queries, Index n, Index block, Index parts, Search search) {
  const Index blocks = ceil_div(n, block);
  parallel_for(blocks * parts, [&](Index task) {
    const Index begin = task / parts * block, end = std::min(begin + block, n), part = task % parts;
    ChunkOrder order(index, queries[(begin + end) / 2].count);
    for (Index c = 0; c < order.size(); ++c) {
      const Index chunk = order.next();
      if (c % parts != part) continue;
      for (Index i = begin; i < end; ++i) search(queries[i], chunk, part);
    }
  });
}

Index block_of(Index n) {
  const Index threads = num_threads(), fair = ceil_div(n, threads);
  return std::clamp<Index>(fair, 1, kQueries);
}

// The number of parts of the chunks, so that several threads can serve one query.
Index parts_of(const IndexView& index, Index n) {
  const Index blocks = (n + block_of(n) - 1) / block_of(n), threads = num_threads();
  const Index chunks = ceil_div(index.rows, kChunkRows);
  return std::clamp<Index>(threads / std::max<Index>(blocks, 1), 1, std::max<Index>(chunks, 1));
}

}  // namespace

void index_topk(const IndexView& index, const std::uint8_t* queries, Index n, Index k, float threshold,
                std::int64_t* indices, float* similarities) {
  for (Index start = 0; start < n; start += kQueryRound) {
    const Index count = std::min(kQueryRound, n - start), parts = parts_of(index, count);
    const QueryRound round(index, queries + start * index.bytes, count);
    PartialHits hits(count, parts, std::min(k, index.rows), k, threshold, indices + start * k,
                     similarities + start * k);
    walk(index, round, count, block_of(count), parts, [&](const Query& query, Index chunk, Index part) {
      BestHits sink{hits.at(query.place, part)};
      search_chunk(index, chunk, query, sink);
    });
    hits.finish();
  }
}

void index_neighbors(const IndexView& index, const std::uint8_t* queries, Index n, double cutoff, std::int64_t* counts,
                     const std::int64_t* starts, std::int64_t* places) {
  for (Index start = 0; start < n; start += kQueryRound) {
    const Index count = std::min(kQueryRound, n - start);
    const QueryRound round(index, queries + start * index.bytes, count);
    ScratchVector<Neighbors> sinks(static_cast<std::size_t>(count), Neighbors{cutoff});
    if (places != nullptr) {
      for (Index i = 0; i < count; ++i) sinks[static_cast<std::size_t>(i)].places = places + starts[start + i];
    }
    walk(index, round, count, block_of(count), 1, [&](const Query& query, Index chunk, Index) {
      search_chunk(index, chunk, query, sinks[static_cast<std::size_t>(query.place)]);
    });
    parallel_for(count, [&](Index i) {
      const Neighbors& found = sinks[static_cast<std::size_t>(i)];
      counts[start + i] = found.count;
      if (places != nullptr) std::sort(found.places, found.places + found.count);
    });
  }
}

}  // namespace catalase
