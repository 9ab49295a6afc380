// Orders the sequences, gathers them in the order of time, and divides them: matmul computes the parts that all time
// steps have in common, and each thread walks through time once.
#include "rnn/rnn.h"

#include <cstring>

#include "common/memory.h"
#include "common/thread_pool.h"
#include "matmul/matmul.h"
#include "rnn/plan.h"

namespace catalase {
namespace {

template <class T>
RnnSteps<T> steps_of(const Plan& plan, Cell cell, Index hidden, Index axis, bool reverse) {
  RnnSteps<T> s;
  s.cell = cell, s.hidden = hidden, s.stop = plan.steps, s.axis = axis, s.reverse = reverse;
  s.offset = plan.offset, s.active = plan.active, s.sequence = plan.sequence, s.length = plan.length;
  return s;
}

template <class T>
void copy(T* to, const T* from, Index count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}
template <class T>
void clear(T* to, Index count) {
  std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(count) * sizeof(T));
}

// Whether rows are in the order of time already, and need no gathering.
bool in_order(Index batch, Index axis, const Plan& plan, bool reverse) {
  return plan.total == batch * axis && (axis <= 1 || (batch == 1 && !reverse));
}

// The rows of the chunk of s, in the order of time.
template <class T>
void gather(const RnnSteps<T>& s, const Plan& plan, const T* x, Index inputs, T* out) {
  each_step(plan, s.first, s.stop, inputs, [&](Index t) {
    T* row = out + (plan.offset[t] - plan.offset[s.first]) * inputs;
    for (Index r = 0; r < plan.active[t]; ++r, row += inputs) copy(row, x + s.output_row(r, t) * inputs, inputs);
    clear(row, (plan.rows_of(t) - plan.active[t]) * inputs);
  });
}

template <class T>
MatrixView<T> rows_view(T* data, Index rows, Index cols) {
  return {data, rows, cols, cols, 1};
}

// Writes zeros beyond each sequence's end.
template <class T>
void clear_tails(const Plan& plan, Index batch, Index axis, Index width, T* y) {
  for (Index r = 0; r < batch; ++r) {
    clear(y + (plan.sequence[r] * axis + plan.length[r]) * width, (axis - plan.length[r]) * width);
  }
}

// The states before the first time step, in the order of rows.
template <class T>
void first_states(const Plan& plan, Index batch, Index hidden, const T* given, T* states) {
  for (Index r = 0; r < batch; ++r) {
    given == nullptr ? clear(states + r * hidden, hidden)
                     : copy(states + r * hidden, given + plan.sequence[r] * hidden, hidden);
  }
}

}  // namespace

template <class T>
void rnn_forward(const RnnForward<T>& call) {
  const Index batch = call.batch, H = call.hidden, I = call.inputs, width = gates_of(call.cell) * H;
  const RnnKernels<T>& rnn = rnn_kernels<T>();
  const Plan plan(batch, call.axis, call.lengths);
  const bool ordered = in_order(batch, call.axis, plan, call.reverse), lstm = call.cell == Cell::kLstm;
  const bool keeps_gates = call.gates != nullptr;
  const Index state_size = (batch + plan.total) * H, rows = chunk_rows<T>(plan, width);
  const auto panels = scratch<T>(rnn.forward_size(call.cell, H));
  const auto x = scratch<T>(ordered ? 0 : rows * I), own_gates = scratch<T>(keeps_gates ? 0 : rows * width);
  const auto own_states = scratch<T>(call.states == nullptr ? state_size : 0);
  const auto own_cells = scratch<T>(lstm && call.cells == nullptr ? state_size : 0);
  RnnSteps<T> s = steps_of<T>(plan, call.cell, H, call.axis, call.reverse);
  s.panels = panels.get(), s.bias_h = call.b + width, s.y = call.y, s.candidates = call.candidates;
  s.gates = keeps_gates ? call.gates : own_gates.get();
  s.states = call.states != nullptr ? call.states : own_states.get();
  if (lstm) s.cells = call.cells != nullptr ? call.cells : own_cells.get();
  rnn.pack_forward(call.cell, call.w_h, panels.get());
  first_states(plan, batch, H, call.h0, s.states);
  if (lstm) first_states(plan, batch, H, call.c0, s.cells);
  for (s.first = 0; s.first < plan.steps; s.first = s.stop) {
    s.stop = chunk_stop<T>(plan, s.first, width);
    const Index start = plan.offset[s.first], count = plan.offset[s.stop] - start;
    if (!ordered) gather(s, plan, call.x, I, x.get());
    s.gates_start = keeps_gates ? 0 : start;
    const T* from = ordered ? call.x + start * I : x.get();
    T* gates = s.gates + (start - s.gates_start) * width;
    matmul<T>({rows_view(from, count, I), call.w_x, rows_view(gates, count, width), {call.b}});
    share_rows(plan, s.first, s.stop, batch, static_cast<double>(width * H),
               [&](Index begin, Index end) { rnn.forward(s, begin, end); });
  }
  clear_tails(plan, batch, call.axis, H, call.y);
  for (Index r = 0; r < batch; ++r) {
    copy(call.h + plan.sequence[r] * H, s.states + plan.last_state(r) * H, H);
    if (lstm) copy(call.c + plan.sequence[r] * H, s.cells + plan.last_state(r) * H, H);
  }
}

namespace {

// Sums the gradients of the weights and the bias, chunk by chunk. Up to kRowsInPlace rows, which are one block of K at
// every level, the product adds to a sum in place. Longer chunks write each sum next to the one before, and the last
// sum in its final place. (The GRU's gradient of w_h has other columns: it is copied there.)
template <class T>
class WeightGradients {
 public:
  WeightGradients(const RnnBackward<T>& call, Index most_rows)
      : call_(call),
        width_(gates_of(call.cell) * call.hidden),
        dz_row_(gradients_of(call.cell) * call.hidden),
        of_h_(call.inputs * width_),
        size_(of_h_ + call.hidden * width_),
        in_place_(most_rows <= kRowsInPlace),
        memory_(scratch<T>((in_place_ ? (same_columns() ? 0 : size_) : 2 * size_) + 2 * dz_row_)) {
    x_ = in_place_ ? call.dw_x : memory_.get() + 2 * dz_row_;
    h_ = in_place_ && same_columns() ? call.dw_h : memory_.get() + 2 * dz_row_ + of_h_;
    clear(bias(), dz_row_);
  }

  void add(const T* x, const T* states, const T* dz, Index rows, bool last) {
    const bool first = chunks_++ == 0;
    const Index step = in_place_ ? 0 : chunks_ % 2 == 1 ? size_ : -size_;  // from one place to the other
    T *x_to = x_ + step, *h_to = h_ + step, *sums = bias() + dz_row_;
    if (last && !in_place_) x_to = call_.dw_x;
    if (last && !in_place_ && same_columns()) h_to = call_.dw_h;
    const auto product = [&](const T* a, Index cols, const T* b, const T* before, T* out) {
      Epilogue<T> sum;
      if (!first) sum.add = before, sum.add_row = width_;
      matmul<T>(
          {rows_view(a, rows, cols).transposed(), {b, rows, width_, dz_row_, 1}, rows_view(out, cols, width_), sum});
    };
    product(x, call_.inputs, dz + dz_row_ - width_, x_, x_to);
    product(states, call_.hidden, dz, h_, h_to);
    x_ = x_to, h_ = h_to;
    column_sum<T>({dz, rows, dz_row_, dz_row_, 1}, sums);
    for (Index j = 0; j < dz_row_; ++j) bias()[j] = bias()[j] + sums[j];
  }

  // After the last chunk.
  void finish() const {
    const Index H = call_.hidden;
    const T* sums = bias();
    if (chunks_ == 0) {
      clear(call_.dw_x, of_h_);
      clear(call_.dw_h, H * width_);
    }
    if (same_columns()) return copy(call_.db, sums, width_);
    for (Index i = 0; i < H && chunks_ > 0; ++i) {  // GRU: [q r z] to [r z n]
      copy(call_.dw_h + i * width_, h_ + i * width_ + H, 2 * H);
      copy(call_.dw_h + i * width_ + 2 * H, h_ + i * width_, H);
    }
    copy(call_.db, sums + H, 3 * H);
    copy(call_.db + 3 * H, sums + H, 2 * H);
    copy(call_.db + 5 * H, sums, H);
  }

 private:
  static constexpr Index kRowsInPlace = 256;

  bool same_columns() const { return dz_row_ == width_; }
  T* bias() const { return memory_.get(); }

  const RnnBackward<T>& call_;
  Index width_, dz_row_, of_h_, size_, chunks_ = 0;
  bool in_place_;
  Scratch<T> memory_;
  T *x_ = nullptr, *h_ = nullptr;  // the sums so far
};

template <class T>
void scatter(const RnnSteps<T>& s, const Plan& plan, const T* from, Index inputs, T* dx) {
  each_step(plan, s.first, s.stop, inputs, [&](Index t) {
    const T* row = from + (plan.offset[t] - plan.offset[s.first]) * inputs;
    for (Index r = 0; r < plan.active[t]; ++r, row += inputs) copy(dx + s.output_row(r, t) * inputs, row, inputs);
  });
}

// The first time step of the chunk that ends before `stop`.
template <class T>
Index chunk_first(const Plan& plan, Index stop, Index width) {
  Index first = 0;
  for (Index next; (next = chunk_stop<T>(plan, first, width)) < stop;) first = next;
  return first;
}

}  // namespace

template <class T>
void rnn_backward(const RnnBackward<T>& call) {
  const Index batch = call.batch, H = call.hidden, I = call.inputs;
  const Index width = gates_of(call.cell) * H, dz_row = gradients_of(call.cell) * H;
  const RnnKernels<T>& rnn = rnn_kernels<T>();
  const Plan plan(batch, call.axis, call.lengths);
  const bool ordered = in_order(batch, call.axis, plan, call.reverse), lstm = call.cell == Cell::kLstm;
  const Index stride = rnn.backward_width(H), rows = chunk_rows<T>(plan, dz_row);
  const auto panels = scratch<T>(stride * width), dz = scratch<T>(rows * dz_row);
  const auto dh = scratch<T>(batch * stride), dc = scratch<T>(lstm ? batch * H : 0);
  const auto x = scratch<T>(ordered ? 0 : rows * I);  // then dx
  WeightGradients<T> gradients(call, rows);
  RnnSteps<T> s = steps_of<T>(plan, call.cell, H, call.axis, call.reverse);
  s.panels = panels.get(), s.gates = const_cast<T*>(call.gates), s.candidates = const_cast<T*>(call.candidates);
  s.states = const_cast<T*>(call.states), s.cells = const_cast<T*>(call.cells);  // this walk only reads them
  s.dy = call.dy, s.dz = dz.get(), s.dh = dh.get(), s.dh_stride = stride, s.dc = dc.get();
  rnn.pack_backward(call.cell, call.w_h, panels.get());
  clear(dh.get(), batch * stride);
  for (Index r = 0; r < batch && call.dh != nullptr; ++r) copy(s.dh + r * stride, call.dh + plan.sequence[r] * H, H);
  if (lstm) first_states(plan, batch, H, call.dc, s.dc);
  for (s.stop = plan.steps; s.stop > 0; s.stop = s.first) {
    s.first = chunk_first<T>(plan, s.stop, dz_row);
    s.dz_start = plan.offset[s.first];
    const Index count = plan.offset[s.stop] - s.dz_start;
    for (Index t = s.first; t < s.stop; ++t) {
      const Index idle = plan.rows_of(t) - plan.active[t];
      clear(s.dz + (plan.offset[t] - s.dz_start + plan.active[t]) * dz_row, idle * dz_row);
    }
    share_rows(plan, s.first, s.stop, batch, static_cast<double>(width * H),
               [&](Index begin, Index end) { rnn.backward(s, begin, end); });
    if (!ordered) gather(s, plan, call.x, I, x.get());
    gradients.add(ordered ? call.x + s.dz_start * I : x.get(), s.states + s.dz_start * H, s.dz, count, s.first == 0);
    if (call.dx == nullptr) continue;
    T* dx = ordered ? call.dx + s.dz_start * I : x.get();
    const MatrixView<const T> of_input{s.dz + dz_row - width, count, width, dz_row, 1};
    matmul<T>({of_input, call.w_x.transposed(), rows_view(dx, count, I), {}});
    if (!ordered) scatter(s, plan, dx, I, call.dx);
  }
  if (call.dx != nullptr) clear_tails(plan, batch, call.axis, I, call.dx);
  gradients.finish();
  for (Index r = 0; r < batch; ++r) {
    copy(call.dh0 + plan.sequence[r] * H, s.dh + r * stride, H);
    if (lstm) copy(call.dc0 + plan.sequence[r] * H, s.dc + r * H, H);
  }
}

template void rnn_forward<float>(const RnnForward<float>&);
template void rnn_forward<double>(const RnnForward<double>&);
template void rnn_backward<float>(const RnnBackward<float>&);
template void rnn_backward<double>(const RnnBackward<double>&);

}  // namespace catalase
