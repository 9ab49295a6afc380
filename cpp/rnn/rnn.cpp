// Orders the sequences, gathers them in time, and shares them out: matmul for what all steps have in common, one walk
// through time a thread.
#include "rnn/rnn.h"

#include <atomic>
#include <cstring>

#include "common/memory.h"
#include "common/thread_pool.h"
#include "cpu/dispatch.h"
#include "matmul/matmul.h"

namespace catalase {
namespace {

// Below this many multiply-adds of a walk another thread costs more than it brings.
constexpr double kWorthAThread = 100e3;
constexpr Index kRowsAThread = 4;  // fewer take as long as these: the weights have to be read once a step

template <class T>
struct Kernels;
template <>
struct Kernels<float> {
  static constexpr auto forward_size = &RnnKernels::forward_size_f32;
  static constexpr auto pack_forward = &RnnKernels::pack_forward_f32;
  static constexpr auto backward_width = &RnnKernels::backward_width_f32;
  static constexpr auto pack_backward = &RnnKernels::pack_backward_f32;
  static constexpr auto forward = &RnnKernels::forward_f32;
  static constexpr auto backward = &RnnKernels::backward_f32;
};
template <>
struct Kernels<double> {
  static constexpr auto forward_size = &RnnKernels::forward_size_f64;
  static constexpr auto pack_forward = &RnnKernels::pack_forward_f64;
  static constexpr auto backward_width = &RnnKernels::backward_width_f64;
  static constexpr auto pack_backward = &RnnKernels::pack_backward_f64;
  static constexpr auto forward = &RnnKernels::forward_f64;
  static constexpr auto backward = &RnnKernels::backward_f64;
};

template <class T>
Scratch<T> scratch(Index count) {
  return Scratch<T>(static_cast<std::size_t>(count > 0 ? count : 0));
}

// Who is at work when; see rnn.h.
class Plan {
 public:
  Plan(Index batch, Index axis, const Index* lengths)
      : batch_(batch), memory_(scratch<Index>(2 * batch + 2 * axis + 2)) {
    if (memory_.get() == nullptr) return;
    sequence = memory_.get(), length = sequence + batch, active = length + batch, offset = active + axis;
    // By counting, longest first; equal lengths stay in order.
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

  bool enough_memory() const { return memory_.get() != nullptr; }
  Index rows_of(Index t) const { return t == 0 ? batch_ : active[t - 1]; }
  Index rows() const { return offset[steps]; }
  // Where the state of row r after its last step lies.
  Index last_state(Index r) const { return offset[length[r]] + r; }

  Index *sequence = nullptr, *length = nullptr, *active = nullptr, *offset = nullptr;
  Index steps = 0, total = 0;

 private:
  Index batch_;
  Scratch<Index> memory_;
};

template <class T>
RnnSteps<T> steps_of(const Plan& plan, Cell cell, Index hidden, Index axis, bool reverse) {
  RnnSteps<T> s;
  s.cell = cell, s.hidden = hidden, s.steps = plan.steps, s.axis = axis, s.reverse = reverse;
  s.offset = plan.offset, s.active = plan.active, s.sequence = plan.sequence, s.length = plan.length;
  return s;
}

// f(begin, end) over ranges of rows with equal sums of lengths, one a thread.
template <class F>
void share_rows(const Plan& plan, Index batch, double work_a_step, F f) {
  Index parts = num_threads();
  if (parts > (batch + kRowsAThread - 1) / kRowsAThread) parts = (batch + kRowsAThread - 1) / kRowsAThread;
  const double worth = static_cast<double>(plan.total) * work_a_step / kWorthAThread;
  if (worth < static_cast<double>(parts)) parts = static_cast<Index>(worth);
  if (parts <= 1) return f(Index{0}, batch);
  const auto start_of = [&](Index part) {
    Index r = 0, done = 0;
    while (r < batch && done + plan.length[r] / 2 < plan.total * part / parts) done += plan.length[r++];
    return part == parts ? batch : r;
  };
  parallel_for(parts, [&](Index part) { f(start_of(part), start_of(part + 1)); });
}

// f(t) for each step, shared.
template <class F>
void each_step(const Plan& plan, Index row_size, F f) {
  const Index chunks = plan.rows() * row_size < 65536 ? 1 : 4 * num_threads();
  const auto run = [&](Index chunk) {
    for (Index t = plan.steps * chunk / chunks; t < plan.steps * (chunk + 1) / chunks; ++t) f(t);
  };
  chunks == 1 ? run(0) : parallel_for(chunks, run);
}

template <class T>
void copy(T* to, const T* from, Index count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}
template <class T>
void clear(T* to, Index count) {
  std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(T));
}

// Rows that are in the order of time already need no gathering.
bool in_order(Index batch, Index axis, const Plan& plan, bool reverse) {
  return plan.total == batch * axis && (axis <= 1 || (batch == 1 && !reverse));
}

template <class T>
void gather(const RnnSteps<T>& s, const Plan& plan, const T* x, Index inputs, T* out) {
  each_step(plan, inputs, [&](Index t) {
    T* row = out + plan.offset[t] * inputs;
    for (Index r = 0; r < plan.active[t]; ++r, row += inputs) copy(row, x + s.output_row(r, t) * inputs, inputs);
    clear(row, (plan.rows_of(t) - plan.active[t]) * inputs);
  });
}

template <class T>
MatrixView<T> rows_view(T* data, Index rows, Index cols) {
  return {data, rows, cols, cols, 1};
}

// Zeros beyond each sequence's end.
template <class T>
void clear_tails(const Plan& plan, Index batch, Index axis, Index width, T* y) {
  for (Index r = 0; r < batch; ++r) {
    clear(y + (plan.sequence[r] * axis + plan.length[r]) * width, (axis - plan.length[r]) * width);
  }
}

// The states before the first step, in the order of rows.
template <class T>
void first_states(const Plan& plan, Index batch, Index hidden, const T* given, T* states) {
  for (Index r = 0; r < batch; ++r) {
    given == nullptr ? clear(states + r * hidden, hidden)
                     : copy(states + r * hidden, given + plan.sequence[r] * hidden, hidden);
  }
}

}  // namespace

template <class T>
bool rnn_forward(const RnnForward<T>& call) {
  const Index batch = call.batch, H = call.hidden, width = gates_of(call.cell) * H;
  const RnnKernels& kernels = *level().rnn;
  const Plan plan(batch, call.axis, call.lengths);
  if (!plan.enough_memory()) return false;
  const bool ordered = in_order(batch, call.axis, plan, call.reverse), lstm = call.cell == Cell::kLstm;
  const Index state_size = (batch + plan.total) * H;
  const auto panels = scratch<T>((kernels.*Kernels<T>::forward_size)(call.cell, H));
  const auto x = scratch<T>(ordered ? 0 : plan.rows() * call.inputs);
  const auto own_gates = scratch<T>(call.gates == nullptr ? plan.rows() * width : 0);
  const auto own_states = scratch<T>(call.states == nullptr ? state_size : 0);
  const auto own_cells = scratch<T>(lstm && call.cells == nullptr ? state_size : 0);
  for (const T* p : {panels.get(), x.get(), own_gates.get(), own_states.get(), own_cells.get()}) {
    if (p == nullptr) return false;
  }
  RnnSteps<T> s = steps_of<T>(plan, call.cell, H, call.axis, call.reverse);
  s.panels = panels.get(), s.bias_h = call.b + width, s.y = call.y, s.candidates = call.candidates;
  s.gates = call.gates != nullptr ? call.gates : own_gates.get();
  s.states = call.states != nullptr ? call.states : own_states.get();
  s.cells = call.cells != nullptr ? call.cells : own_cells.get();
  if (!ordered) gather(s, plan, call.x, call.inputs, x.get());
  (kernels.*Kernels<T>::pack_forward)(call.cell, call.w_h, panels.get());
  first_states(plan, batch, H, call.h0, s.states);
  if (lstm) first_states(plan, batch, H, call.c0, s.cells);
  const T* rows = ordered ? call.x : x.get();
  matmul<T>({rows_view(rows, plan.rows(), call.inputs), call.w_x, rows_view(s.gates, plan.rows(), width), {call.b}});
  std::atomic<bool> enough{true};
  share_rows(plan, batch, static_cast<double>(width * H), [&](Index begin, Index end) {
    if (!(kernels.*Kernels<T>::forward)(s, begin, end)) enough = false;
  });
  clear_tails(plan, batch, call.axis, H, call.y);
  for (Index r = 0; r < batch; ++r) {
    copy(call.h + plan.sequence[r] * H, s.states + plan.last_state(r) * H, H);
    if (lstm) copy(call.c + plan.sequence[r] * H, s.cells + plan.last_state(r) * H, H);
  }
  return enough;
}

namespace {

// The gradients of the weights, from x and the states in the order of time.
template <class T>
bool weight_gradients(const RnnBackward<T>& call, const Plan& plan, const T* x, const T* dz) {
  const Index rows = plan.rows(), H = call.hidden, I = call.inputs, width = gates_of(call.cell) * H;
  const Index dz_row = gradients_of(call.cell) * H;
  const bool gru = call.cell == Cell::kGru;
  const auto of_input = [&](const T* start) { return MatrixView<const T>{start, rows, width, dz_row, 1}; };
  matmul<T>({rows_view(x, rows, I).transposed(), of_input(dz + dz_row - width), rows_view(call.dw_x, I, width), {}});
  const auto rotated = scratch<T>(gru ? (H + 1) * dz_row : 0);  // [q r z] of each row, and the sums of [q r z n]
  if (rotated.get() == nullptr) return false;
  T* dw_h = gru ? rotated.get() : call.dw_h;
  matmul<T>({rows_view(call.states, rows, H).transposed(), of_input(dz), rows_view(dw_h, H, width), {}});
  if (!gru) {
    column_sum<T>(of_input(dz), call.db);
    return true;
  }
  for (Index i = 0; i < H; ++i) {
    copy(call.dw_h + i * width, dw_h + i * width + H, 2 * H);
    copy(call.dw_h + i * width + 2 * H, dw_h + i * width, H);
  }
  T* sums = rotated.get() + H * dz_row;
  column_sum<T>({dz, rows, dz_row, dz_row, 1}, sums);
  copy(call.db, sums + H, 3 * H);
  copy(call.db + 3 * H, sums + H, 2 * H);
  copy(call.db + 5 * H, sums, H);
  return true;
}

template <class T>
void scatter(const RnnSteps<T>& s, const Plan& plan, const T* from, Index inputs, T* dx) {
  each_step(plan, inputs, [&](Index t) {
    const T* row = from + plan.offset[t] * inputs;
    for (Index r = 0; r < plan.active[t]; ++r, row += inputs) copy(dx + s.output_row(r, t) * inputs, row, inputs);
  });
}

template <class T>
bool input_gradient(const RnnBackward<T>& call, const RnnSteps<T>& s, const Plan& plan, bool ordered) {
  const Index width = gates_of(call.cell) * call.hidden, dz_row = gradients_of(call.cell) * call.hidden;
  const auto gathered = scratch<T>(ordered ? 0 : plan.rows() * call.inputs);
  if (gathered.get() == nullptr) return false;
  T* dx = ordered ? call.dx : gathered.get();
  const MatrixView<const T> dz{s.dz + dz_row - width, plan.rows(), width, dz_row, 1};
  matmul<T>({dz, call.w_x.transposed(), rows_view(dx, plan.rows(), call.inputs), {}});
  if (ordered) return true;
  scatter(s, plan, dx, call.inputs, call.dx);
  clear_tails(plan, call.batch, call.axis, call.inputs, call.dx);
  return true;
}

}  // namespace

template <class T>
bool rnn_backward(const RnnBackward<T>& call) {
  const Index batch = call.batch, H = call.hidden, dz_row = gradients_of(call.cell) * H;
  const RnnKernels& kernels = *level().rnn;
  const Plan plan(batch, call.axis, call.lengths);
  if (!plan.enough_memory()) return false;
  const bool ordered = in_order(batch, call.axis, plan, call.reverse), lstm = call.cell == Cell::kLstm;
  const Index stride = (kernels.*Kernels<T>::backward_width)(H);
  const auto panels = scratch<T>(stride * gates_of(call.cell) * H), dz = scratch<T>(plan.rows() * dz_row);
  const auto dh = scratch<T>(batch * stride), dc = scratch<T>(lstm ? batch * H : 0);
  const auto x = scratch<T>(ordered ? 0 : plan.rows() * call.inputs);
  for (const T* p : {panels.get(), dz.get(), dh.get(), dc.get(), x.get()}) {
    if (p == nullptr) return false;
  }
  RnnSteps<T> s = steps_of<T>(plan, call.cell, H, call.axis, call.reverse);
  s.panels = panels.get(), s.gates = const_cast<T*>(call.gates), s.candidates = const_cast<T*>(call.candidates);
  s.states = const_cast<T*>(call.states), s.cells = const_cast<T*>(call.cells);  // this walk only reads them
  s.dy = call.dy, s.dz = dz.get(), s.dh = dh.get(), s.dh_stride = stride, s.dc = dc.get();
  (kernels.*Kernels<T>::pack_backward)(call.cell, call.w_h, panels.get());
  clear(dh.get(), batch * stride);
  for (Index r = 0; r < batch && call.dh != nullptr; ++r) copy(s.dh + r * stride, call.dh + plan.sequence[r] * H, H);
  if (lstm) first_states(plan, batch, H, call.dc, s.dc);
  for (Index t = 0; t < plan.steps; ++t) {
    clear(s.dz + (plan.offset[t] + plan.active[t]) * dz_row, (plan.rows_of(t) - plan.active[t]) * dz_row);
  }
  share_rows(plan, batch, static_cast<double>(gates_of(call.cell) * H * H),
             [&](Index begin, Index end) { (kernels.*Kernels<T>::backward)(s, begin, end); });
  for (Index r = 0; r < batch; ++r) {
    copy(call.dh0 + plan.sequence[r] * H, s.dh + r * stride, H);
    if (lstm) copy(call.dc0 + plan.sequence[r] * H, s.dc + r * H, H);
  }
  if (call.dx != nullptr && !input_gradient(call, s, plan, ordered)) return false;
  if (!ordered) gather(s, plan, call.x, call.inputs, x.get());
  return weight_gradients(call, plan, ordered ? call.x : x.get(), dz.get());
}

template bool rnn_forward<float>(const RnnForward<float>&);
template bool rnn_forward<double>(const RnnForward<double>&);
template bool rnn_backward<float>(const RnnBackward<float>&);
template bool rnn_backward<double>(const RnnBackward<double>&);

}  // namespace catalase
