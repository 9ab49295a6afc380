// A small thread pool. Every kernel is parallel over outputs only, so the number of threads never changes a bit.
//
// Unlike libgomp it survives fork: the child starts with no workers and makes new ones when it first needs them. A
// second Python thread that calls a kernel while the pool is busy does its work alone, without waiting.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include "common/partition.h"

namespace catalase {

using TaskFunction = void (*)(void* context, std::ptrdiff_t task);

// Runs function(context, i) once for each i in [0, tasks), on up to num_threads() threads including the caller. If a
// task throws, tasks that have not begun are skipped, and the first exception is rethrown here once no thread is
// inside.
void run_tasks(std::ptrdiff_t tasks, TaskFunction function, void* context);

int num_threads();

// The number of threads for this much arithmetic: below kWorthAThread multiply-adds (about a microsecond of work) a
// second thread costs more than it saves.
constexpr double kWorthAThread = 60e3;
inline int threads_for(double multiply_adds) {
  return multiply_adds < 2 * kWorthAThread ? 1 : num_threads();
}

void set_num_threads(int count);  // 1 or more

// The cores that this process may use: the affinity mask, limited by the container's CPU quota if there is one.
int usable_cores() noexcept;

// The CPU quota of a control group (a path such as "/docker/1a2b", "" for the root) and of all enclosing groups below a
// mount point, in whole cores, rounded up; 0 if there is none.
int quota_cores(const std::string& root, std::string group);

// parallel_for(n, f) calls f(i) for each i in [0, n).
template <class F>
void parallel_for(std::ptrdiff_t n, F&& f) {
  using Callable = std::remove_reference_t<F>;
  run_tasks(
      n, [](void* context, std::ptrdiff_t i) { (*static_cast<Callable*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// parallel_ranges(n, grain, f) cuts [0, n) into at most num_threads() ranges of at least `grain` elements, each except
// the last a multiple of 64 long, and calls f(begin, end). For memory-bound elementwise work.
template <class F>
void parallel_ranges(std::ptrdiff_t n, std::ptrdiff_t grain, F&& f) {
  const std::ptrdiff_t parts = smaller(n / (grain > 0 ? grain : 1), num_threads());
  if (parts <= 1) {
    if (n > 0) f(std::ptrdiff_t{0}, n);
    return;
  }
  const std::ptrdiff_t step = round_up(ceil_div(n, parts), 64);
  parallel_for(ceil_div(n, step), [&](std::ptrdiff_t i) {
    const std::ptrdiff_t begin = i * step, end = smaller(begin + step, n);
    f(begin, end);
  });
}

}  // namespace catalase
