// Every thread runs the same loop at the same time; the slowest thread determines the figure.
#include "peak/peak.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "common/memory.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

template <class F>
std::vector<double> timed(int repeats, F&& f) {
  std::vector<double> seconds(static_cast<std::size_t>(repeats > 0 ? repeats : 1));
  for (double& each : seconds) {
    const auto start = std::chrono::steady_clock::now();
    f();
    each = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

}  // namespace

double fma_peak(int repeats) {
  constexpr Index rounds = 100000;  // about half a millisecond
  const int threads = num_threads();
  // The median, because the clock is sometimes higher than it can stay (243 GFLOP/s, and 205 over seconds).
  const std::vector<double> seconds = timed(repeats, [&] {
    parallel_for(threads, [&](Index) {
      volatile float keep = peak_kernels().fma_f32(rounds);
      (void)keep;
    });
  });
  return 1e-9 * static_cast<double>(rounds * peak_kernels().flops_a_round) * threads / seconds[seconds.size() / 2];
}

double copy_peak(int repeats) {
  constexpr std::size_t bytes = 64 << 20;  // beyond every cache of a core
  const int threads = num_threads();
  Scratch<char> from(bytes), to(bytes);
  std::memset(from.get(), 1, bytes);
  std::memset(to.get(), 1, bytes);
  const std::size_t part = bytes / static_cast<std::size_t>(threads);
  const std::vector<double> seconds = timed(repeats, [&] {
    parallel_for(threads, [&](Index i) {
      std::memcpy(to.get() + static_cast<std::size_t>(i) * part, from.get() + static_cast<std::size_t>(i) * part, part);
    });
  });
  return 1e-9 * 2.0 * static_cast<double>(part) * threads / seconds.front();
}

}  // namespace catalase
