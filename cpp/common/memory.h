// The caching allocator: blocks that are given back are kept and handed out again, because the page faults of fresh
// memory cost more than small kernels do. All blocks are aligned to 64 bytes (large ones to 2 MiB huge pages).
#pragma once

#include <cstddef>
#include <cstdint>

namespace catalase {

// Returns nullptr when the system has no memory left. Size 0 gives a valid block. Thread-safe, survives fork.
void* cached_alloc(std::size_t bytes) noexcept;
void cached_free(void* block) noexcept;

struct CacheStats {
  std::size_t cached_bytes;  // held for reuse
  std::size_t live_bytes;    // handed out
};
CacheStats cache_stats() noexcept;
void release_cached_memory() noexcept;

// Scratch memory inside a kernel: a cached block that goes back at the end of the scope.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t count) : data_(static_cast<T*>(cached_alloc(count * sizeof(T)))) {}
  ~Scratch() { cached_free(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

}  // namespace catalase
