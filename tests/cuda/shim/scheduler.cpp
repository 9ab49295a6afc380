// Blocks one after the other; within a block every thread is a fiber that runs until it waits or ends. When none can
// run on, whoever has all that it waited for is let go; if that is nobody, some barrier is not reached by all.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cuda_on_host.h"
#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

extern "C" {
// The bounds of the section that `__shared__` names; absent where no kernel has any.
extern std::uint8_t __start_cuda_shared[] __attribute__((weak));
extern std::uint8_t __stop_cuda_shared[] __attribute__((weak));
}

namespace shim {
namespace {

constexpr std::size_t kStack = 256 * 1024, kGuard = 4096, kMostShared = 227 * 1024;
enum class State { kReady, kBlock, kWarp, kDone };

struct Copy {
  void* to;
  int bytes;
  std::uint8_t value[16];
};

struct Fiber {
  State state;
  const char* file;
  int line;
  unsigned mask;  // of a warp's exchange
  bool is_ballot;
  std::uint64_t value;  // given, then received
  int source;
  std::uint8_t* stack;
  void* fake_stack;
  std::vector<std::vector<Copy>> copies;  // groups; the last is not committed yet
#if defined(__x86_64__)
  void* stack_pointer;
#else
  ucontext_t context;
#endif
};

std::vector<Fiber> fibers;
std::size_t current;
const Kernel* running;
const std::vector<Value>* arguments;
void* main_fake_stack;
const void* main_bottom;
std::size_t main_size;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "cuda shim: kernel %s, block (%u, %u, %u): %s\n", running->name, blockIdx.x, blockIdx.y,
               blockIdx.z, what.c_str());
  std::fflush(stderr);
  std::_Exit(70);
}

std::string place(const Fiber& f) {
  const std::string file = f.file;
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(f.line);
}

#if defined(__x86_64__)
void* main_pointer;
extern "C" void shim_switch(void** save, void* to);
asm(R"(
.text
.globl shim_switch
.type shim_switch, @function
shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shim_switch, .-shim_switch
)");
#else
ucontext_t main_context;
#endif

void leave_fiber(bool for_good) {
  Fiber& f = fibers[current];
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &f.fake_stack, main_bottom, main_size);
#endif
#if defined(__x86_64__)
  shim_switch(&f.stack_pointer, main_pointer);
#else
  swapcontext(&f.context, &main_context);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(f.fake_stack, &main_bottom, &main_size);
#endif
  (void)for_good;
}

void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &main_bottom, &main_size);
#endif
  running->call(*arguments);
  for (const auto& group : fibers[current].copies) {
    if (!group.empty()) fail("a thread ends before its asynchronous copies have come");
  }
  fibers[current].state = State::kDone;
  leave_fiber(true);
  std::abort();
}

void prepare(Fiber& f) {
  f.state = State::kReady;
  f.copies.assign(1, {});
#if defined(__x86_64__)
  void** top = reinterpret_cast<void**>(f.stack + kStack) - 2;
  top[0] = reinterpret_cast<void*>(&fiber_main);  // where the first switch returns to
  top[1] = nullptr;                               // keeps the stack aligned as after a call
  f.stack_pointer = top - 6;
#else
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack;
  f.context.uc_stack.ss_size = kStack;
  makecontext(&f.context, &fiber_main, 0);
#endif
}

void resume(std::size_t i) {
  current = i;
  const unsigned t = static_cast<unsigned>(i);
  threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&main_fake_stack, fibers[i].stack, kStack);
#endif
#if defined(__x86_64__)
  shim_switch(&main_pointer, fibers[i].stack_pointer);
#else
  swapcontext(&main_context, &fibers[i].context);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(main_fake_stack, nullptr, nullptr);
#endif
}

// Threads that have ended do not count, as on the device; all others must wait at one line.
bool release_block() {
  const Fiber* first = nullptr;
  for (const Fiber& f : fibers) {
    if (f.state == State::kDone) continue;
    if (f.state != State::kBlock) return false;
    if (first == nullptr) first = &f;
    if (f.line != first->line || std::strcmp(f.file, first->file) != 0) {
      fail("threads of one block wait at different barriers, " + place(*first) + " and " + place(f));
    }
  }
  for (Fiber& f : fibers) {
    if (f.state == State::kBlock) f.state = State::kReady;
  }
  return first != nullptr;
}

// The lanes that wait together with lane `i`, if all that its mask names are there.
bool release_lanes(std::size_t warp, std::size_t i) {
  const Fiber& asks = fibers[i];
  std::uint64_t given[32], votes = 0;
  for (std::size_t l = 0; l < 32; ++l) {
    if ((asks.mask >> l & 1) == 0) continue;
    if (warp + l >= fibers.size() || fibers[warp + l].state == State::kDone) {
      fail("the mask at " + place(asks) + " names lane " + std::to_string(l) + ", which is not there any more");
    }
    const Fiber& f = fibers[warp + l];
    if (f.state != State::kWarp || f.mask != asks.mask || f.line != asks.line || f.file != asks.file) return false;
    given[l] = f.value;
    votes |= static_cast<std::uint64_t>(f.value != 0) << l;
  }
  if ((asks.mask >> (i - warp) & 1) == 0) fail("a lane is not in its own mask at " + place(asks));
  for (std::size_t l = 0; l < 32; ++l) {
    if ((asks.mask >> l & 1) == 0) continue;
    Fiber& f = fibers[warp + l];
    if (!f.is_ballot && (f.source < 0 || f.source > 31 || (f.mask >> f.source & 1) == 0)) {
      fail("lane " + std::to_string(l) + " reads lane " + std::to_string(f.source) + ", which is not in the mask, at " +
           place(f));
    }
    f.value = f.is_ballot ? votes : given[f.source];
    f.state = State::kReady;
  }
  return true;
}

bool release_warps() {
  bool any = false;
  for (std::size_t i = 0; i < fibers.size(); ++i) {
    if (fibers[i].state == State::kWarp) any |= release_lanes(i / 32 * 32, i);
  }
  return any;
}

void* dynamic_memory;  // its own allocation, so that the sanitizer knows its end
std::size_t dynamic_bytes;

// Not by memset: the sanitizer's red zones lie between the variables.
__attribute__((no_sanitize("address", "undefined"))) void poison_shared() {
  if (dynamic_memory != nullptr) std::memset(dynamic_memory, 0xff, dynamic_bytes);
  if (__start_cuda_shared == nullptr) return;
  for (volatile std::uint8_t* p = __start_cuda_shared; p < __stop_cuda_shared; ++p) *p = 0xff;  // NaN, or -1
}

std::uint32_t random_state;
std::uint32_t random_word() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

template <class T>
void arrange(std::vector<T>& order, unsigned schedule) {
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<T>(i);
  if (schedule == 1) std::reverse(order.begin(), order.end());
  for (std::size_t i = order.size(); schedule > 1 && i > 1; --i) std::swap(order[i - 1], order[random_word() % i]);
}

// As far as a warp comes without the others: it may then be a barrier ahead of them, as on the device.
void run_warp(std::size_t warp) {
  const std::size_t end = std::min(warp + 32, fibers.size());
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = warp; i < end; ++i) {
      if (fibers[i].state == State::kReady) resume(i), any = true;
    }
    for (std::size_t i = warp; i < end; ++i) {
      if (fibers[i].state == State::kWarp) any |= release_lanes(warp, i);
    }
  }
}

// Odd schedules run whole warps ahead, even ones let all threads take a step in turn.
void run_block(unsigned schedule) {
  static std::vector<std::uint32_t> order;
  poison_shared();
  for (Fiber& f : fibers) prepare(f);
  order.resize(fibers.size());
  for (;;) {
    arrange(order, schedule);
    for (const std::uint32_t i : order) {
      if (fibers[i].state != State::kReady) continue;
      if (schedule % 2 == 1) {
        run_warp(i / 32 * 32);
      } else {
        resume(i);
      }
    }
    if (std::all_of(fibers.begin(), fibers.end(), [](const Fiber& f) { return f.state == State::kDone; })) return;
    const bool warps = release_warps();
    const bool ready =
        std::any_of(fibers.begin(), fibers.end(), [](const Fiber& f) { return f.state == State::kReady; });
    if (warps || ready || release_block()) continue;
    for (const Fiber& f : fibers) {
      if (f.state != State::kDone) fail("a thread waits for ever at " + place(f) + ": others took another way");
    }
  }
}

void make_fibers(std::size_t n) {
  static std::vector<std::uint8_t*> stacks;
  while (stacks.size() < n) {
    auto* memory = static_cast<std::uint8_t*>(
        mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (memory == MAP_FAILED) fail("no memory for stacks");
    mprotect(memory, kGuard, PROT_NONE);
    stacks.push_back(memory + kGuard);
  }
  fibers.assign(n, Fiber{});
  for (std::size_t i = 0; i < n; ++i) fibers[i].stack = stacks[i];
}

std::uint64_t wait_warp(unsigned mask, std::uint64_t value, int source, bool is_ballot, const char* file, int line) {
  Fiber& f = fibers[current];
  f.state = State::kWarp, f.mask = mask, f.value = value, f.source = source, f.is_ballot = is_ballot;
  f.file = file, f.line = line;
  leave_fiber(false);
  return f.value;
}

}  // namespace

void wait_block(const char* file, int line) {
  Fiber& f = fibers[current];
  f.state = State::kBlock, f.file = file, f.line = line;
  leave_fiber(false);
}

std::uint64_t exchange(unsigned mask, std::uint64_t value, int source, const char* file, int line) {
  return wait_warp(mask, value, source, false, file, line);
}

unsigned ballot(unsigned mask, bool predicate, const char* file, int line) {
  return static_cast<unsigned>(wait_warp(mask, predicate, 0, true, file, line));
}

void* dynamic_shared() {
  if (dynamic_memory == nullptr) fail("the launch has no shared_bytes");
  return dynamic_memory;
}

int lane() {
  return static_cast<int>(current % 32);
}

int warp() {
  return static_cast<int>(current / 32);
}

void copy_later(void* to, const void* from, int bytes, int valid) {
  const auto misaligned = [&](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bytes != 0; };
  if (valid < 0 || valid > bytes || misaligned(to) || misaligned(from)) fail("an asynchronous copy is misaligned");
  Copy copy = {to, bytes, {}};
  if (valid > 0) std::memcpy(copy.value, from, static_cast<std::size_t>(valid));
  std::memset(to, 0xff, static_cast<std::size_t>(bytes));
  fibers[current].copies.back().push_back(copy);
}

void commit_copies() {
  fibers[current].copies.emplace_back();
}

void wait_for_copies(int pending) {
  auto& groups = fibers[current].copies;
  while (groups.size() > static_cast<std::size_t>(pending) + 1) {
    for (const Copy& copy : groups.front()) std::memcpy(copy.to, copy.value, static_cast<std::size_t>(copy.bytes));
    groups.erase(groups.begin());
  }
}

void run(const Kernel& kernel, const Launch& launch, const std::vector<Value>& values) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // denormals count as zero, as -ftz=true has it
#endif
  running = &kernel;
  arguments = &values;
  gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
  blockDim = {launch.block[0], launch.block[1], launch.block[2]};
  random_state = launch.schedule | 1;
  const std::size_t threads = static_cast<std::size_t>(blockDim.x) * blockDim.y * blockDim.z;
  if (threads == 0 || threads > 1024) fail("a block of " + std::to_string(threads) + " threads");
  if (gridDim.x == 0 || gridDim.y == 0 || gridDim.z == 0 || gridDim.x > 2147483647u || gridDim.y > 65535 ||
      gridDim.z > 65535) {
    fail("a grid that no device takes");
  }
  if (launch.shared_bytes > kMostShared) fail("more shared memory than any device has");
  dynamic_bytes = launch.shared_bytes;
  dynamic_memory = dynamic_bytes > 0 ? std::aligned_alloc(16, (dynamic_bytes + 15) / 16 * 16) : nullptr;
  make_fibers(threads);
  std::vector<std::uint64_t> blocks(static_cast<std::size_t>(gridDim.x) * gridDim.y * gridDim.z);
  arrange(blocks, launch.schedule);
  for (const std::uint64_t b : blocks) {
    blockIdx = {static_cast<unsigned>(b % gridDim.x), static_cast<unsigned>(b / gridDim.x % gridDim.y),
                static_cast<unsigned>(b / gridDim.x / gridDim.y)};
    run_block(launch.schedule);
  }
  std::free(dynamic_memory);
}

}  // namespace shim
