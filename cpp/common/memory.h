// The caching allocator: blocks that are given back are kept and handed out again, because the page faults of fresh
// memory cost more than small kernels do. All blocks are aligned to 64 bytes (large ones to 2 MiB huge pages).
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace catalase {

// The one exception of kernels. A task of the pool may throw it: the pool passes it on to the caller. Bindings make it
// Python's MemoryError, with the name of the function and the number of bytes.
class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::size_t bytes) noexcept : bytes_(bytes) {}
  const char* what() const noexcept override;
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
};

// A block of so many bytes (0 gives a valid one), or for `count` items of `item_bytes` each. Throws OutOfMemory where
// the system has none left even after what is cached was given back. Thread-safe, survives fork.
void* cached_alloc(std::size_t bytes);
void* cached_alloc(std::size_t count, std::size_t item_bytes);
void cached_free(void* block) noexcept;

struct CacheStats {
  std::size_t cached_bytes;  // held for reuse
  std::size_t live_bytes;    // handed out
};
CacheStats cache_stats();
void release_cached_memory();

// For tests: the n-th call of cached_alloc from now on fails, once; with n = 0 none does. Returns how many calls were
// still to come until the one that had been set before: 0 where it has failed.
std::int64_t fail_allocation(std::int64_t n) noexcept;

// Scratch memory inside a kernel: a cached block that goes back at the end of the scope. Throws OutOfMemory.
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

// Lists inside a kernel come from the same place.
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
