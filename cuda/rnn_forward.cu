// Recurrent cells over whole sequences, forward: tanh and ReLU RNN, GRU (reset after the product), LSTM; float32. The
// formulas and the arrays' rows are those of cpp/rnn/rnn.h.
//
// The product of the input with w_x, over all time steps at once, comes from matmul.cu in `gates`; this walk computes
// the rest of each step: s = h @ w_h, then the gates. s is one chain of fused multiply-adds in ascending k from zero,
// to which the input's part is added: the CPU's bits, for any batch, for a sequence that is fed whole or in parts.
//
// Threads: a block computes 1 or 4 sequences for all time steps, so no block waits for another. A thread computes a
// column of w_h (a unit of one gate): it multiplies the states of the block's rows, which all lanes read at once from
// shared memory, adds the input's part (loaded before the product), and applies the gate's function. After a barrier
// the threads divide the units and compute the new states. There are two barriers a step.
// Weights: up to 256 columns, a thread keeps 128 values of its column in registers, up to 512 columns 64 (a hidden
// state of 64 completely, an LSTM of 128 by half). The rest of the columns is kept in shared memory as far as the
// device has it (an LSTM of 128 is then completely on chip if a block may have 132 KB), and only values that do not fit
// there are read again at each step, from L2. States, gates and cells are in shared memory too, or in global memory
// (`_far`) if they do not fit.
//
// Why it should be fast: there is one launch for all time steps, and if the weights are held only the input's part is
// read at each step. Bound: the latency of the chains (4 cycles a term) for few rows; for wide cells reading w_h at
// each step by each block. Not taken: clusters whose blocks share w_h.
#include "rnn.cuh"

namespace catalase {

struct Forward {
  i64 cell;
  i32 hidden;
  float* gates;  // from row gates_start of the order on: input the input's part, output the gates, if states are kept
  i64 gates_start;
  const float* w_h;
  i64 w_row;
  const float* bias_h;  // GRU: (3H,)
  const float *h_in, *c_in;
  float *h_out, *c_out, *y;
  float *states, *cells, *candidates;  // kept for the backward pass, or null
  Order order;
  i64 first, stop;  // the time steps to walk through
  i64 kept;         // rows of w_h in shared memory
};

// The places of a block's rows: states (lines of padded length), cells, and the gates of a time step.
struct Memory {
  float *h, *c, *act;
  float* weights;  // (kept, columns)
  i32 line, wide;  // floats from a row to the next, in h and in act

  __device__ __forceinline__ Memory(float* memory, i64 cell, i32 hidden, i32 rows) {
    line = padded(hidden);
    wide = (cell == kGruCell ? 4 : gates_of(cell)) * hidden;  // GRU: r, z, the recurrent half of n, the input's half
    h = memory;
    act = h + rows * line;
    c = act + rows * wide;
    weights = memory + (rows * (line + wide + (cell == kLstmCell ? hidden : 0)) + 3) / 4 * 4;
  }
};

// Writes the states before the first time step, and zeros in the padding of lines and in missing rows.
__device__ __forceinline__ void enter(const Forward& f, const Memory& m, i64 first_row, i32 rows, i32 lines) {
  const i32 H = f.hidden;
#pragma unroll 1
  for (i32 i = own_thread(); i < lines * m.line; i += block_threads()) {
    const i32 r = i / m.line, u = i % m.line;
    const bool there = r < rows && u < H;
    const i64 at = there ? f.order.sequence_of(first_row + r) * H + u : 0;
    const float h = there && f.h_in != nullptr ? f.h_in[at] : 0.0f;
    m.h[i] = h;
    if (!there) continue;
    if (f.states != nullptr) f.states[(first_row + r) * H + u] = h;
    if (f.cell != kLstmCell) continue;
    const float c = f.c_in != nullptr ? f.c_in[at] : 0.0f;
    m.c[r * H + u] = c;
    if (f.states != nullptr) f.cells[(first_row + r) * H + u] = c;
  }
}

// Adds the input's part to the sum of a thread's column, before the gate's function. GRU keeps the parts of n separate.
__device__ __forceinline__ void add_input(const Forward& f, float* act, i32 column, float input, float sum) {
  if (f.cell != kGruCell) {
    *act = input + sum;
    return;
  }
  const float s = sum + f.bias_h[column];
  const bool is_n = column >= 2 * f.hidden;
  *act = is_n ? s : input + s;
  if (is_n) act[f.hidden] = input;
}

__device__ __forceinline__ float gate_function(const Forward& f, i32 column, float x) {
  const i32 gate = column / f.hidden;
  if (f.cell == kReluCell) return x < 0.0f ? 0.0f : x;  // NaN stays NaN
  if (f.cell == kGruCell && gate == 2) return x;        // n waits for r
  return f.cell == kTanhCell || gate == 2 ? gate_tanh(x) : gate_sigmoid(x);
}

// The new state of unit u of row r from its gates; `row` is the row of `gates`.
__device__ __forceinline__ float new_state(const Forward& f, const Memory& m, i32 r, i32 u, i64 row, i64 after) {
  const i32 H = f.hidden;
  const float* act = m.act + r * m.wide + u;
  if (f.cell == kLstmCell) {
    float* cell = m.c + r * H + u;
    const float c = fmaf(act[H], *cell, act[0] * act[2 * H]);
    *cell = c;
    if (f.states != nullptr) f.cells[after * H + u] = c;
    return act[3 * H] * gate_tanh(c);
  }
  if (f.cell != kGruCell) return act[0];
  const float q = act[2 * H], n = gate_tanh(fmaf(act[0], q, act[3 * H]));
  if (f.states != nullptr) {
    f.gates[(row * 3 + 2) * H + u] = n;
    f.candidates[row * H + u] = q;
  }
  return fmaf(act[H], m.h[r * m.line + u] - n, n);
}

// Writes zeros to y beyond each sequence's end.
__device__ __forceinline__ void clear_tails(const Forward& f, i64 first_row, i32 rows) {
  for (i32 r = 0; r < rows; ++r) {
    const i64 n = f.order.sequence_of(first_row + r), own = f.order.length_of(first_row + r);
#pragma unroll 1
    for (i64 i = own * f.hidden + own_thread(); i < f.order.axis * f.hidden; i += block_threads()) {
      f.y[n * f.order.axis * f.hidden + i] = 0.0f;
    }
  }
}

template <i32 kRows, i32 kHeld>
__device__ __forceinline__ void walk_forward(const Forward& f, float* memory) {
  const i32 H = f.hidden, columns = gates_of(f.cell) * H;
  const i64 first_row = static_cast<i64>(blockIdx.x) * kRows;
  const i32 rows = static_cast<i32>(smaller(kRows, f.order.batch - first_row));
  const Memory m(memory, f.cell, H, kRows);
  Column<kHeld> w;
#pragma unroll 1
  for (i32 column = own_thread(); column < columns; column += block_threads()) {
    w.start(f.w_h + column, f.w_row, H);
    w.keep(m.weights + column, columns, static_cast<i32>(f.kept));
    w.fill();  // read by this thread only
  }
  enter(f, m, first_row, rows, kRows);
  if (f.first == 0) clear_tails(f, first_row, rows);
  __syncthreads();
  i32 now = rows;  // active rows
#pragma unroll 1
  for (i64 t = f.first; t < f.stop; ++t) {
    while (now > 0 && f.order.length_of(first_row + now - 1) <= t) --now;
    if (now == 0) break;
    const i64 row = f.order.start(t) + first_row - f.gates_start, after = f.order.start(t + 1) + first_row;
#pragma unroll 1
    for (i32 column = own_thread(); column < columns; column += block_threads()) {
      float input[kRows], sum[kRows];
#pragma unroll
      for (i32 r = 0; r < kRows; ++r) {
        sum[r] = 0.0f;
        input[r] = r < now ? f.gates[(row + r) * columns + column] : 0.0f;
      }
      if (kHeld == 0) {
        w.start(f.w_h + column, f.w_row, H);
        w.keep(m.weights + column, columns, static_cast<i32>(f.kept));
      }
      w.multiply(m.h, m.line, sum);
#pragma unroll
      for (i32 r = 0; r < kRows; ++r) add_input(f, m.act + r * m.wide + column, column, input[r], sum[r]);
#pragma unroll 1  // four copies of the functions would be longer than everything else
      for (i32 r = 0; r < now; ++r) {
        float* act = m.act + r * m.wide + column;  // this thread wrote it
        *act = gate_function(f, column, *act);
        if (f.states != nullptr) f.gates[(row + r) * columns + column] = *act;
      }
    }
    __syncthreads();  // the gates are complete, and no thread reads the states any more
#pragma unroll 1
    for (i32 i = own_thread(); i < now * H; i += block_threads()) {
      const i32 r = i / H, u = i % H;
      const float h = new_state(f, m, r, u, row + r, after + r);
      m.h[r * m.line + u] = h;
      f.y[f.order.outside(first_row + r, t) * H + u] = h;
      if (f.states != nullptr) f.states[(after + r) * H + u] = h;
    }
    __syncthreads();
  }
#pragma unroll 1
  for (i32 i = own_thread(); i < rows * H; i += block_threads()) {
    const i64 at = f.order.sequence_of(first_row + i / H) * H + i % H;
    f.h_out[at] = m.h[i / H * m.line + i % H];
    if (f.cell == kLstmCell) f.c_out[at] = m.c[i];
  }
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_PARAMETERS                                                                                           \
  i64 cell, i64 hidden, float *gates, i64 gates_start, const float *w_h, i64 w_row, const float *bias_h,              \
      const float *h_in, const float *c_in, float *h_out, float *c_out, float *y, float *states, float *cells,        \
      float *candidates, const i64 *offset, const i64 *sequence, const i64 *length, i64 batch, i64 axis, i64 reverse, \
      i64 first, i64 stop, i64 kept
#define CATALASE_CALL                                                                                            \
  Forward {                                                                                                      \
    cell, static_cast<i32>(hidden), gates, gates_start, w_h, w_row, bias_h, h_in, c_in, h_out, c_out, y, states, \
        cells, candidates, Order{offset, sequence, length, batch, axis, reverse}, first, stop, kept              \
  }

// The launch's shared_bytes: for each of `rows` rows padded(H) floats for h, 4 H (RNN: H) for the gates, and for LSTM H
// for c; rounded up to fours; kept * G * H for weights.
#define CATALASE_FORWARD(name, threads, rows, held)                                    \
  extern "C" __global__ void __launch_bounds__(threads, 1) name(CATALASE_PARAMETERS) { \
    walk_forward<rows, held>(CATALASE_CALL, dynamic_shared());                         \
  }

CATALASE_FORWARD(rnn_forward_128_1, 256, 1, 128)
CATALASE_FORWARD(rnn_forward_128_4, 256, 4, 128)
CATALASE_FORWARD(rnn_forward_64_1, 512, 1, 64)
CATALASE_FORWARD(rnn_forward_64_4, 512, 4, 64)
CATALASE_FORWARD(rnn_forward_0_1, 1024, 1, 0)
CATALASE_FORWARD(rnn_forward_0_4, 512, 4, 0)

// One row a block, kept in `scratch`; the rows of two blocks lie `apart` floats apart.
extern "C" __global__ void __launch_bounds__(1024, 1) rnn_forward_far(CATALASE_PARAMETERS, float* scratch, i64 apart) {
  walk_forward<1, 0>(CATALASE_CALL, scratch + blockIdx.x * apart);
}
