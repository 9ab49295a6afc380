// The best k hits of one query, kept in two rows of the caller: a heap with the worst hit on top, sorted at the end.
// Better means the higher similarity, then the lower index. No two hits are equal in that order, so the result does not
// depend on the order in which hits are offered, nor on how the targets were divided among threads.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>

#include "common/memory.h"
#include "common/views.h"

namespace catalase {

// The numerator and denominator are exact, and the quotient is rounded once.
inline float tanimoto_of(Index both, Index either) {
  return either > 0 ? static_cast<float>(both) / static_cast<float>(either) : 0.0f;
}

class TopK {
 public:
  TopK(float* similarities, std::int64_t* indices, Index k, float threshold)
      : similarities_(similarities), indices_(indices), k_(k), threshold_(threshold) {}

  // The threshold that a hit must reach. At exactly this similarity the lower index wins.
  float bar() const { return size_ < k_ ? threshold_ : similarities_[0]; }
  Index size() const { return size_; }

  void offer(float similarity, std::int64_t index) {
    if (!(similarity >= bar())) return;
    if (size_ < k_) {
      similarities_[size_] = similarity;
      indices_[size_] = index;
      rise(size_++);
    } else if (better(similarity, index, 0)) {
      similarities_[0] = similarity;
      indices_[0] = index;
      sink(0, k_);
    }
  }

  // Takes over the hits of another part.
  void offer_all(const TopK& other) {
    for (Index i = 0; i < other.size_; ++i) offer(other.similarities_[i], other.indices_[i]);
  }

  // Sorts the hits, best first, and fills the rest with -1 and NaN.
  void finish() {
    for (Index last = size_ - 1; last > 0; --last) {
      exchange(0, last);
      sink(0, last);
    }
    for (Index i = size_; i < k_; ++i) {
      indices_[i] = -1;
      similarities_[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }

 private:
  bool better(float similarity, std::int64_t index, Index than) const {
    return similarity > similarities_[than] || (similarity == similarities_[than] && index < indices_[than]);
  }
  bool better(Index i, Index than) const { return better(similarities_[i], indices_[i], than); }
  void exchange(Index i, Index j) {
    std::swap(similarities_[i], similarities_[j]);
    std::swap(indices_[i], indices_[j]);
  }
  void rise(Index i) {
    while (i > 0 && better((i - 1) / 2, i)) {
      exchange(i, (i - 1) / 2);
      i = (i - 1) / 2;
    }
  }
  void sink(Index i, Index size) {
    for (;;) {
      Index worst = i;
      for (Index child = 2 * i + 1; child <= 2 * i + 2 && child < size; ++child) {
        if (better(worst, child)) worst = child;
      }
      if (worst == i) return;
      exchange(i, worst);
      i = worst;
    }
  }

  float* similarities_;
  std::int64_t* indices_;
  Index k_;
  float threshold_;
  Index size_ = 0;
};

// The hits of n queries while each part of the targets is searched separately. Part 0 works in the caller's rows (n,
// k), the others in separate rows of length `room` (no part has more hits); finish() joins them.
class PartialHits {
 public:
  PartialHits(Index n, Index parts, Index room, Index k, float threshold, std::int64_t* indices, float* similarities);
  TopK& at(Index query, Index part) { return best_[static_cast<std::size_t>(query * parts_ + part)]; }
  void finish();  // all threads

 private:
  Index n_, parts_;
  Scratch<std::int64_t> indices_;
  Scratch<float> similarities_;
  ScratchVector<TopK> best_;
};

}  // namespace catalase
