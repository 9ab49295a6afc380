// Each worker has one slot. The caller posts a job into as many slots as it needs, works through the tasks itself,
// takes back the slots that no worker has picked up yet, and waits only for workers that are in the middle of a task.
// So a sleeping worker never delays a call: it costs its help, not its wake-up time.
#include "common/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "common/memory.h"
#include "cpu/fpu.h"

namespace catalase {
namespace {

// How often an idle worker checks its slot before it sleeps: enough to last from one kernel of a training step to the
// next.
constexpr int kSpins = 2000;

struct Job {
  TaskFunction function;
  void* context;
  std::ptrdiff_t tasks;
  std::atomic<std::ptrdiff_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure{};  // of the first task that threw; read when no worker is inside any more

  void work() noexcept {
    try {
      for (;;) {
        const std::ptrdiff_t i = next.fetch_add(1, std::memory_order_relaxed);
        if (i >= tasks) return;
        function(context, i);
      }
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
      next.store(tasks, std::memory_order_relaxed);
    }
  }
};

inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

// A slot holds nullptr (idle), a job (posted), kBusy (a worker is inside the job), kStarting or kNoWorker.
Job* const kBusy = reinterpret_cast<Job*>(1);
Job* const kStarting = reinterpret_cast<Job*>(2);
Job* const kNoWorker = reinterpret_cast<Job*>(3);
struct alignas(64) Slot {
  std::atomic<Job*> job{kStarting};
};

// Allocates the thread's exception storage now, because a failure to allocate it during a throw would end the process.
// Returns false if there is no memory for it: near a process's limit, glibc may have no arena for a new thread.
bool prepare_to_throw() {
  constexpr std::size_t kMoreThanIsNeeded = 4096;
  void* volatile block = std::malloc(kMoreThanIsNeeded);  // volatile: compilers remove unused blocks
  if (block == nullptr) return false;
  std::free(block);
  (void)std::uncaught_exceptions();
  return true;
}

void worker_loop(Slot* slot) {
  enable_flush_to_zero();  // these threads belong to the pool, so the mode stays set
  if (!prepare_to_throw()) return slot->job.store(kNoWorker, std::memory_order_release);
  slot->job.store(nullptr, std::memory_order_release);
  for (;;) {
    Job* job = nullptr;
    for (int spin = 0; spin < kSpins; ++spin) {
      job = slot->job.load(std::memory_order_acquire);
      if (job != nullptr) break;
      pause_briefly();
    }
    if (job == nullptr) {
      slot->job.wait(nullptr, std::memory_order_acquire);
      continue;
    }
    if (!slot->job.compare_exchange_strong(job, kBusy, std::memory_order_acq_rel)) continue;
    job->work();
    slot->job.store(nullptr, std::memory_order_release);
  }
}

struct Pool {
  std::mutex mutex;                          // held while a job runs, and while the pool is changed
  std::vector<std::unique_ptr<Slot>> slots;  // one for each worker; workers are never ended
  std::atomic<int> threads{1};
};

alignas(Pool) unsigned char pool_storage[sizeof(Pool)];
Pool* pool_instance = nullptr;

// The child of a fork has no workers, so the pool is constructed again in its place. The old slots are leaked on
// purpose: no thread can be inside them.
void after_fork_in_child() {
  const int threads = pool_instance->threads.load();
  pool_instance = new (pool_storage) Pool;
  pool_instance->threads.store(threads);
}

Pool& pool() {
  static const bool ready = [] {
    pool_instance = new (pool_storage) Pool;  // never destroyed: workers may outlive every static object
    pool_instance->threads.store(usable_cores());
    // The allocator must register its fork handlers first. Handlers run last to first before a fork, so this mutex is
    // taken before the allocator's, in the same order as by a task that asks for memory. The other order could
    // deadlock.
    (void)cache_stats();
    const auto lock = [] { pool_instance->mutex.lock(); };
    const auto unlock = [] { pool_instance->mutex.unlock(); };
    if (pthread_atfork(lock, unlock, after_fork_in_child) != 0) throw std::bad_alloc();
    return true;
  }();
  (void)ready;
  return *pool_instance;
}

// Called with the mutex held. Fewer workers than requested is no error: the caller does the work.
void ensure_workers(Pool& p, int wanted) {
  std::erase_if(p.slots, [](const auto& slot) { return slot->job.load(std::memory_order_acquire) == kNoWorker; });
  while (static_cast<int>(p.slots.size()) < wanted) {
    try {
      auto slot = std::make_unique<Slot>();
      p.slots.reserve(p.slots.size() + 1);
      std::thread(worker_loop, slot.get()).detach();
      p.slots.push_back(std::move(slot));
    } catch (const std::system_error&) {
      return;
    } catch (const std::bad_alloc&) {
      return;
    }
  }
}

// "max 100000" or "200000 100000": the cores of one control group (version 2), rounded up; 0 if there is no limit.
int read_cpu_max(const std::string& folder) {
  double quota = 0, period = 0;
  if (std::FILE* f = std::fopen((folder + "/cpu.max").c_str(), "r")) {
    if (std::fscanf(f, "%lf %lf", &quota, &period) != 2) quota = 0;
    std::fclose(f);
  }
  return quota > 0 && period > 0 ? std::max(1, static_cast<int>(std::ceil(quota / period))) : 0;
}

// The same from the two files of version 1.
int read_cfs_quota(const std::string& folder) {
  double numbers[2] = {0, 0};
  const char* names[2] = {"/cpu.cfs_quota_us", "/cpu.cfs_period_us"};
  for (int i = 0; i < 2; ++i) {
    if (std::FILE* f = std::fopen((folder + names[i]).c_str(), "r")) {
      if (std::fscanf(f, "%lf", &numbers[i]) != 1) numbers[i] = 0;
      std::fclose(f);
    }
  }
  return numbers[0] > 0 && numbers[1] > 0 ? std::max(1, static_cast<int>(std::ceil(numbers[0] / numbers[1]))) : 0;
}

// The path of this process in the unified hierarchy: the line "0::/path".
std::string own_control_group() {
  std::string path;
  char line[4096];
  if (std::FILE* f = std::fopen("/proc/self/cgroup", "r")) {
    while (std::fgets(line, sizeof(line), f) != nullptr) {
      if (std::strncmp(line, "0::", 3) == 0) {
        path = line + 3;
        while (!path.empty() && path.back() == '\n') path.pop_back();
      }
    }
    std::fclose(f);
  }
  return path;
}

}  // namespace

int quota_cores(const std::string& root, std::string group) {
  int least = read_cfs_quota(root + "/cpu");
  for (;;) {  // the limits of all enclosing groups apply too
    const int cores = read_cpu_max(root + group);
    if (cores > 0 && (least == 0 || cores < least)) least = cores;
    const std::size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

int usable_cores() noexcept {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
#endif
  int quota = 0;
  try {
    quota = quota_cores("/sys/fs/cgroup", own_control_group());
  } catch (const std::bad_alloc&) {
  }
  if (quota > 0) cores = std::min(cores, quota);
  return std::max(1, cores);
}

int num_threads() {
  return pool().threads.load(std::memory_order_relaxed);
}

void set_num_threads(int count) {
  Pool& p = pool();
  std::lock_guard lock(p.mutex);
  p.threads.store(std::max(1, count));
}

void run_tasks(std::ptrdiff_t tasks, TaskFunction function, void* context) {
  if (tasks <= 0) return;
  Pool& p = pool();
  const int helpers = static_cast<int>(std::min<std::ptrdiff_t>(tasks, num_threads())) - 1;
  std::unique_lock lock(p.mutex, std::defer_lock);
  if (helpers < 1 || !lock.try_lock()) {  // one thread, or the pool is busy with another caller's job
    for (std::ptrdiff_t i = 0; i < tasks; ++i) function(context, i);
    return;
  }
  ensure_workers(p, helpers);
  Job job{function, context, tasks};
  const int posted = std::min<int>(helpers, static_cast<int>(p.slots.size()));
  for (int i = 0; i < posted; ++i) {
    Job* idle = nullptr;  // a worker that is still starting gets no job
    if (p.slots[i]->job.compare_exchange_strong(idle, &job, std::memory_order_acq_rel)) p.slots[i]->job.notify_one();
  }
  job.work();
  for (int i = 0; i < posted; ++i) {
    Job* expected = &job;
    if (p.slots[i]->job.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel)) continue;
    int spins = 0;
    while (p.slots[i]->job.load(std::memory_order_acquire) == kBusy) {
      if (++spins < 100000) {
        pause_briefly();
      } else {
        std::this_thread::yield();
      }
    }
  }
  if (job.failure != nullptr) std::rethrow_exception(job.failure);
}

}  // namespace catalase
