// Free lists by size class (four classes an octave), a header of one cache line in front of every block, and a limit on
// the memory that is kept. One mutex is enough, since a kernel asks for one or two blocks.
#include "common/memory.h"

#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace catalase {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallest = 256;
constexpr std::size_t kMostCached = std::size_t{1} << 30;  // 1 GiB kept at most
constexpr int kClasses = 4 * 48;

struct Header {
  std::size_t size;    // of the whole block, header included
  std::size_t offset;  // from the start of the allocation to the header
  int size_class;
};
static_assert(sizeof(Header) <= kLine);

// Class 4 * octave + quarter holds blocks of (4 + quarter) * 2^octave / 4 bytes.
int class_of(std::size_t bytes) {
  if (bytes < kSmallest) bytes = kSmallest;
  const int octave = std::bit_width(bytes - 1) - 1;
  const std::size_t quarter_size = std::size_t{1} << (octave - 2);
  const int quarter = static_cast<int>((bytes - (std::size_t{1} << octave) + quarter_size - 1) / quarter_size);
  return 4 * octave + quarter;  // quarter is 1..4; 4 rolls over into the next octave
}

std::size_t size_of(int size_class) {
  const int octave = size_class / 4, quarter = size_class % 4;
  return (std::size_t{1} << octave) + quarter * (std::size_t{1} << (octave - 2));
}

struct Cache {
  std::mutex mutex;
  std::vector<void*> free_blocks[kClasses];
  std::size_t cached = 0;
  std::size_t live = 0;
};

alignas(Cache) unsigned char cache_storage[sizeof(Cache)];
std::atomic<std::int64_t> until_failure{0};  // see fail_allocation

Cache& cache() {
  static Cache* instance = [] {
    auto* c = new (cache_storage) Cache;  // never destroyed: arrays may outlive every static object
    const auto lock = [] { cache().mutex.lock(); };
    const auto unlock = [] { cache().mutex.unlock(); };
    if (pthread_atfork(lock, unlock, unlock) != 0) throw std::bad_alloc();
    return c;
  }();
  return *instance;
}

void* fresh_block(int size_class) {
  const std::size_t size = size_of(size_class);
  const bool huge = size >= 2 * kHugePage;
  // The data of a huge block starts on a huge page, so the header is one line before it, on a separate page.
  const std::size_t alignment = huge ? kHugePage : kLine;
  const std::size_t offset = huge ? kHugePage - kLine : 0;
  const std::size_t total = (offset + kLine + size + alignment - 1) / alignment * alignment;
  auto* base = static_cast<char*>(std::aligned_alloc(alignment, total));
  if (base == nullptr) return nullptr;
#ifdef MADV_HUGEPAGE
  if (huge) madvise(base + kHugePage, total - kHugePage, MADV_HUGEPAGE);
#endif
  return new (base + offset) Header{size, offset, size_class};
}

void free_to_system(Header* header) {
  std::free(reinterpret_cast<char*>(header) - header->offset);
}

}  // namespace

const char* OutOfMemory::what() const noexcept {
  return "out of memory";
}

void* cached_alloc(std::size_t count, std::size_t item_bytes) {
  std::size_t bytes;
  return cached_alloc(__builtin_mul_overflow(count, item_bytes, &bytes) ? SIZE_MAX : bytes);
}

void* cached_alloc(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 46)) throw OutOfMemory(bytes);
  if (until_failure.load(std::memory_order_relaxed) > 0 && until_failure.fetch_sub(1) == 1) throw OutOfMemory(bytes);
  const int size_class = class_of(bytes);
  Cache& c = cache();
  void* block = nullptr;
  {
    std::lock_guard lock(c.mutex);
    c.live += size_of(size_class);
    auto& list = c.free_blocks[size_class];
    if (!list.empty()) {
      block = list.back();
      list.pop_back();
      c.cached -= size_of(size_class);
    }
  }
  if (block == nullptr) block = fresh_block(size_class);
  if (block == nullptr) {
    release_cached_memory();  // blocks of other sizes
    block = fresh_block(size_class);
  }
  if (block == nullptr) {
    std::lock_guard lock(c.mutex);
    c.live -= size_of(size_class);
    throw OutOfMemory(bytes);
  }
  return static_cast<char*>(block) + kLine;
}

void cached_free(void* data) noexcept {
  if (data == nullptr) return;
  auto* header = reinterpret_cast<Header*>(static_cast<char*>(data) - kLine);
  Cache& c = cache();
  {
    std::lock_guard lock(c.mutex);
    c.live -= header->size;
    if (c.cached + header->size <= kMostCached) {
      try {
        c.free_blocks[header->size_class].push_back(header);
        c.cached += header->size;
        return;
      } catch (const std::bad_alloc&) {  // no room to remember the block: give it back below
      }
    }
  }
  free_to_system(header);
}

CacheStats cache_stats() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  return {c.cached, c.live};
}

void release_cached_memory() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  for (auto& list : c.free_blocks) {
    for (void* block : list) free_to_system(static_cast<Header*>(block));
    list.clear();
  }
  c.cached = 0;
}

std::int64_t fail_allocation(std::int64_t n) noexcept {
  const std::int64_t left = until_failure.exchange(n);
  return left > 0 ? left : 0;
}

}  // namespace catalase
