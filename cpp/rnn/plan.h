// Which sequences are active at each time step, and how the work is cut into chunks of time steps and ranges of rows
// for threads. Only rnn.cpp includes this file.
#pragma once

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "common/views.h"

namespace catalase {
namespace {

// With fewer multiply-adds in a walk, another thread costs more than it saves.
constexpr double kWalkWorthAThread = 100e3;
constexpr Index kChunkBytes = 1 << 20;
constexpr Index kRowsAThread = 4;  // fewer take as long as these: each time step must read the weights once

template <class T>
Scratch<T> scratch(Index count) {
  return Scratch<T>(static_cast<std::size_t>(count > 0 ? count : 0));
}

// Which sequences are active at each time step; see rnn.h.
class Plan {
 public:
  Plan(Index batch, Index axis, const Index* lengths)
      : batch_(batch), memory_(scratch<Index>(2 * batch + 2 * axis + 2)) {
    sequence = memory_.get(), length = sequence + batch, active = length + batch, offset = active + axis;
    // Counting sort, longest first; equal lengths stay in order.
    for (Index t = 0; t <= axis; ++t) offset[t] = 0;
    for (Index n = 0; n < batch; ++n) ++offset[lengths == nullptr ? axis : lengths[n]];
    Index before = 0;
    for (Index t = axis; t >= 0; --t) {
      const Index count = offset[t];
      offset[t] = before, before += count;
      if (t > 0) active[t - 1] = before;  // sequences of length t and more
    }
    for (Index n = 0; n < batch; ++n) {
      const Index own = lengths == nullptr ? axis : lengths[n], r = offset[own]++;
      sequence[r] = n, length[r] = own, total += own;
    }
    while (steps < axis && active[steps] > 0) ++steps;
    offset[0] = 0;
    for (Index t = 0; t < steps; ++t) offset[t + 1] = offset[t] + rows_of(t);
  }

  Index rows_of(Index t) const { return t == 0 ? batch_ : active[t - 1]; }
  Index rows() const { return offset[steps]; }
  // The place of row r's state after its last time step.
  Index last_state(Index r) const { return offset[length[r]] + r; }

  Index *sequence = nullptr, *length = nullptr, *active = nullptr, *offset = nullptr;
  Index steps = 0, total = 0;

 private:
  Index batch_;
  Scratch<Index> memory_;
};

// Calls f(begin, end) for ranges of rows with equal work in the time steps from first to stop, one range a thread.
template <class F>
void share_rows(const Plan& plan, Index first, Index stop, Index batch, double work_a_step, F f) {
  const Index total = plan.offset[stop] - plan.offset[first], rows = plan.active[first];
  Index parts = smaller(num_threads(), ceil_div(rows, kRowsAThread));
  const double worth = static_cast<double>(total) * work_a_step / kWalkWorthAThread;
  if (worth < static_cast<double>(parts)) parts = static_cast<Index>(worth);
  if (parts <= 1) return f(Index{0}, batch);
  const auto steps_of_row = [&](Index r) { return smaller(plan.length[r], stop) - first; };
  Index work = 0;
  for (Index r = 0; r < rows; ++r) work += steps_of_row(r);
  const auto start_of = [&](Index part) {
    Index r = 0, done = 0;
    while (r < rows && done + steps_of_row(r) / 2 < work * part / parts) done += steps_of_row(r++);
    return part == parts ? batch : r;
  };
  parallel_for(parts, [&](Index part) { f(start_of(part), start_of(part + 1)); });
}

// Calls f(t) for each time step from first to stop, divided among the threads.
template <class F>
void each_step(const Plan& plan, Index first, Index stop, Index row_size, F f) {
  const Index chunks = (plan.offset[stop] - plan.offset[first]) * row_size < 65536 ? 1 : 4 * num_threads();
  const auto run = [&](Index chunk) {
    const Index steps = stop - first;
    for (Index t = steps * chunk / chunks; t < steps * (chunk + 1) / chunks; ++t) f(first + t);
  };
  chunks == 1 ? run(0) : parallel_for(chunks, run);
}

// The end of the chunk that starts at time step `first`: its gates or dz stay in L2. It does not depend on the threads,
// since the gradients of the weights are summed chunk by chunk.
template <class T>
Index chunk_stop(const Plan& plan, Index first, Index width) {
  const Index most = kChunkBytes / (width * static_cast<Index>(sizeof(T)));
  Index stop = first + 1;
  while (stop < plan.steps && plan.offset[stop + 1] - plan.offset[first] <= most) ++stop;
  return stop;
}
// The rows of the largest chunk.
template <class T>
Index chunk_rows(const Plan& plan, Index width) {
  Index most = 0;
  for (Index t = 0, stop; t < plan.steps; t = stop) {
    stop = chunk_stop<T>(plan, t, width);
    if (plan.offset[stop] - plan.offset[t] > most) most = plan.offset[stop] - plan.offset[t];
  }
  return most;
}

}  // namespace
}  // namespace catalase
