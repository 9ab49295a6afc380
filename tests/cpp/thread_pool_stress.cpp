// The pool, the allocator and the fork handlers under the thread sanitizer: many callers at once, the number of threads
// changed under them, forks in between. Built and run by .ci/sanitize; exits with 1 where a result is wrong.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "common/memory.h"
#include "common/thread_pool.h"

using namespace catalase;

namespace {

// Each task writes its own slot of scratch memory; the sum says whether all ran exactly once.
bool one_job(std::ptrdiff_t tasks) {
  Scratch<std::ptrdiff_t> slots(static_cast<std::size_t>(tasks));
  std::memset(slots.get(), 0, static_cast<std::size_t>(tasks) * sizeof(std::ptrdiff_t));
  parallel_for(tasks, [&](std::ptrdiff_t i) {
    Scratch<char> inner(static_cast<std::size_t>(64 + 16 * i));
    inner.get()[0] = static_cast<char>(i);
    slots.get()[i] += i + 1;
  });
  std::ptrdiff_t sum = 0;
  for (std::ptrdiff_t i = 0; i < tasks; ++i) sum += slots.get()[i];
  return sum == tasks * (tasks + 1) / 2;
}

// Some tasks find no memory: the job ends with the exception, and the pool takes the next one.
bool failing_job(std::ptrdiff_t tasks) {
  try {
    parallel_for(tasks, [&](std::ptrdiff_t i) {
      Scratch<char> inner(i % 5 == 3 ? std::size_t{1} << 50 : 64);
      inner.get()[0] = 1;
    });
  } catch (const OutOfMemory& e) {
    return tasks > 3 && e.bytes() == std::size_t{1} << 50;
  }
  return tasks <= 3;
}

}  // namespace

int main() {
  std::atomic<int> wrong{0};
  set_num_threads(4);
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&, c] {
      for (int round = 0; round < 2000; ++round) {
        if (!one_job(1 + (round * 7 + c) % 50)) ++wrong;
        if (!failing_job((round + c) % 20)) ++wrong;
        if (c == 0 && round % 20 == 0) set_num_threads(1 + round / 20 % 5);
        if (c == 1 && round % 50 == 0) release_cached_memory();
      }
    });
  }
  for (auto& caller : callers) caller.join();
  set_num_threads(4);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(one_job(30) ? 0 : 1);
    if (!one_job(30)) ++wrong;
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) ++wrong;
  }
  std::printf("thread pool: %d wrong\n", wrong.load());
  return wrong == 0 ? 0 : 1;
}
