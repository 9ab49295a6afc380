// Allocates rows for the hits of each part of a search, and joins them.
#include "similarity/top_k.h"

#include "common/thread_pool.h"

namespace catalase {

PartialHits::PartialHits(Index n, Index parts, Index room, Index k, float threshold, std::int64_t* indices,
                         float* similarities)
    : n_(n),
      parts_(parts),
      indices_(static_cast<std::size_t>(n * (parts - 1) * room)),
      similarities_(static_cast<std::size_t>(n * (parts - 1) * room)) {
  best_.reserve(static_cast<std::size_t>(n * parts));
  for (Index i = 0; i < n; ++i) {
    best_.emplace_back(similarities + i * k, indices + i * k, k, threshold);
    for (Index part = 1; part < parts; ++part) {
      const Index row = (i * (parts - 1) + part - 1) * room;
      best_.emplace_back(similarities_.get() + row, indices_.get() + row, room, threshold);
    }
  }
}

void PartialHits::finish() {
  parallel_for(n_, [&](Index i) {
    TopK& best = at(i, 0);
    for (Index part = 1; part < parts_; ++part) best.offer_all(at(i, part));
    best.finish();
  });
}

}  // namespace catalase
