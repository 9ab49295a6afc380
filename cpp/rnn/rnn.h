// Recurrent cells over whole sequences: tanh and ReLU RNN, GRU, LSTM.
//
//   x (N, T, I) contiguous, w_x (I, G*H), w_h (H, G*H), states (N, H); s = h[t-1] @ w_h, a = x[t] @ w_x + b
//
//   RNN   h' = act(a + s)                                                                       b (H,)
//   GRU   r, z = sigmoid(a + (s + b1)); n = tanh(a_n + r * (s_n + b1_n)); h' = n + z * (h - n)  b (2, 3H): b0 is in a
//   LSTM  i, f, o = sigmoid(a + s); g = tanh(a + s); c' = f * c + i * g; h' = o * tanh(c')      b (4H,)
//
// Rows in the order of time. Sequences are sorted by length, longest first, so at time step t the first active[t] rows
// are active. Block t of `gates` (and of x, gathered) starts at row offset[t] and has active[t - 1] rows (block 0: N);
// the rows beyond active[t] belong to no step. Block t of `states` starts there too and holds the states before step t,
// so the gradient of w_h is one product of the two arrays, states^T @ dz, and ragged lengths cost at most N rows of
// zeros. states has N + sum(lengths) rows, gates has offset[steps].
//
// The time steps are walked in chunks that fit into L2. For each chunk one matmul computes a for all its steps; then
// threads divide the sequences, by their lengths, and each walks through the chunk with its sequences. In the backward
// pass the walk leaves dz, from which one matmul each computes the chunk's contribution to the gradients of x, w_x and
// w_h while dz is in cache. (One matmul over all steps instead: forward 11.7 ms in place of 10.7 for LSTM 64x100, 64 ->
// 128; backward no difference.)
//
// The recurrent weights are packed once a call into panels that hold all gates of a few units, and stay in L2; the
// gates are computed while their sums are in L1. s is one chain of fused multiply-adds in ascending order, as in
// matmul, and a is added to it, so a sequence that is fed whole, in parts or step by step has the same bits, alone or
// in any batch, with any number of threads.
//
// Bound: compute; for one or two sequences the reads of the recurrent weights from L2.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

// The order is part of the binding's contract.
enum class Cell : int { kTanh = 0, kRelu = 1, kGru = 2, kLstm = 3 };

constexpr Index gates_of(Cell cell) {
  return cell == Cell::kLstm ? 4 : cell == Cell::kGru ? 3 : 1;
}
// Columns of a row of dz, in units of H. GRU: [q r z n], where q is the recurrent half of n before r, so that [r z n]
// belongs to the input and [q r z] to the state.
constexpr Index gradients_of(Cell cell) {
  return cell == Cell::kGru ? 4 : gates_of(cell);
}

// One walk through time, forward or backward. Row r is the r-th longest sequence.
template <class T>
struct RnnSteps {
  Cell cell = Cell::kTanh;
  Index hidden = 0;
  Index first = 0, stop = 0;  // the steps to walk through
  Index gates_start = 0;      // forward: the first row of gates and candidates
  Index axis = 0;             // time steps on the axis of y and dy
  bool reverse = false;
  const Index* offset = nullptr;    // (steps + 1,)
  const Index* active = nullptr;    // (steps,)
  const Index* sequence = nullptr;  // (N,) the place of row r in y and dy
  const Index* length = nullptr;    // (N,) of row r
  const T* panels = nullptr;        // from pack_forward or pack_backward
  const T* bias_h = nullptr;        // GRU: b1 (3H,)
  // Forward: a as input, the gates after their activations as output. Backward: input.
  T* gates = nullptr;       // (offset[steps], G*H)
  T* candidates = nullptr;  // GRU: s_n + b1_n, (offset[steps], H); forward: may be null
  T* states = nullptr;      // (N + sum(lengths), H); block 0 is given
  T* cells = nullptr;       // LSTM: c, like states
  T* y = nullptr;           // (N, axis, H)
  // Backward.
  const T* dy = nullptr;  // (N, axis, H), or null for zeros
  T* dz = nullptr;        // (rows of the chunk, gradients_of * H), written
  Index dz_start = 0;     // its first row
  T* dh = nullptr;        // (N, dh_stride): input the gradient at the last state, output at the first
  Index dh_stride = 0;    // from backward_width
  T* dc = nullptr;        // LSTM: (N, H), like dh

  // The row of y and dy at step t of row r.
  Index output_row(Index r, Index t) const { return sequence[r] * axis + (reverse ? length[r] - 1 - t : t); }
};

template <class T>
struct RnnKernels {
  // Panels of w_h (H, G*H), rows of unit stride; sizes in elements.
  Index (*forward_size)(Cell, Index hidden);
  void (*pack_forward)(Cell, MatrixView<const T> w_h, T* panels);
  Index (*backward_width)(Index hidden);                            // H, rounded up to whole panels
  void (*pack_backward)(Cell, MatrixView<const T> w_h, T* panels);  // backward_width * G * H elements
  // All time steps of rows [begin, end), one thread.
  void (*forward)(const RnnSteps<T>&, Index begin, Index end);
  void (*backward)(const RnnSteps<T>&, Index begin, Index end);
};
CATALASE_TYPED_KERNELS(RnnKernels, rnn)

// A whole call. Null h0 and c0 mean zeros, null lengths the whole axis.
template <class T>
struct RnnForward {
  Cell cell;
  Index batch, axis, inputs, hidden;
  const T* x;
  MatrixView<const T> w_x, w_h;
  const T *b, *h0, *c0;
  const Index* lengths;
  bool reverse;
  T *y, *h, *c;       // (N, T, H), (N, H), (N, H)
  T* gates;           // kept for the backward pass, or all null
  T* candidates;      // GRU
  T *states, *cells;  // cells: LSTM
};

template <class T>
struct RnnBackward {
  Cell cell;
  Index batch, axis, inputs, hidden;
  const T* x;
  MatrixView<const T> w_x, w_h;
  const Index* lengths;
  bool reverse;
  const T *gates, *candidates, *states, *cells;
  const T *dy, *dh, *dc;  // null for zeros
  T* dx;                  // (N, T, I), or null if not needed
  T *dw_x, *dw_h, *db;    // contiguous, shapes of the parameters
  T *dh0, *dc0;
};

// All threads.
template <class T>
void rnn_forward(const RnnForward<T>& call);
template <class T>
void rnn_backward(const RnnBackward<T>& call);

}  // namespace catalase
