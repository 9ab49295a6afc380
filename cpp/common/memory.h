// The caching allocator. Freed blocks are kept and reused, because the page faults of fresh memory cost more than small
// kernels do. All blocks are aligned to 64 bytes (large ones to 2 MiB huge pages).
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace catalase {

// The one exception of kernels. A task of the pool may throw it, and the pool rethrows it in the caller. The bindings
// translate it to MemoryError, with the name of the function and the number of bytes.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::size_t bytes) noexcept : bytes_(bytes) {}
  const char* what() const noexcept override;
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
};

// Returns a block of `bytes` bytes (0 gives a valid block), or of `count` items of `item_bytes` each. Throws
// OutOfMemory if the system has no memory left even after the cached blocks were returned. Thread-safe, survives fork.
void* cached_alloc(std::size_t bytes);
void* cached_alloc(std::size_t count, std::size_t item_bytes);
void cached_free(void* block) noexcept;

struct CacheStats {
  std::size_t cached_bytes;  // held for reuse
  std::size_t live_bytes;    // handed out
};
CacheStats cache_stats();
void release_cached_memory();

// For tests: the n-th call of cached_alloc from now on fails, once; with n = 0 none fails. Returns how many calls were
// left until the failure that was set before, or 0 if it has happened.
std::int64_t fail_allocation(std::int64_t n) noexcept;

// Scratch memory inside a kernel: a cached block that is freed at the end of the scope. Throws OutOfMemory.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t count) : data_(static_cast<T*>(cached_alloc(count, sizeof(T)))) {}
  ~Scratch() { cached_free(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

// Lists inside a kernel use the same allocator.
template <class T>
struct CachedAllocator {
  using value_type = T;
  CachedAllocator() = default;
  template <class U>
  CachedAllocator(const CachedAllocator<U>&) noexcept {}
  T* allocate(std::size_t count) { return static_cast<T*>(cached_alloc(count, sizeof(T))); }
  void deallocate(T* block, std::size_t) noexcept { cached_free(block); }
  bool operator==(const CachedAllocator&) const = default;
};
template <class T>
using ScratchVector = std::vector<T, CachedAllocator<T>>;

}  // namespace catalase
