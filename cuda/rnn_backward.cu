// Recurrent cells backward through time: from the gradients at y and at the last states to dz, the gradient before the
// gates' functions at every time step, and the gradients at the first states; float32. The formulas are in
// cpp/rnn/rnn.h; rows are in the order of time, as in rnn_forward.cu. From dz the gradients of x, w_x, w_h and b are
// products over all time steps (rnn_weights.cu, matmul.cu).
//
// Threads: as in rnn_forward.cu a thread block computes 1 or 4 sequences for all time steps, latest first. At each step
// the threads divide the units and compute dz from the arrays that forward kept; after a barrier, dh of the step before
// is dz @ w_h^T (GRU: added to dh * z): for each unit one chain over the columns of all gates in ascending order (GRU:
// n r z), the CPU's order and so its bits. If a gate's weights are held in registers (64 or 128 of the H a thread),
// thread (gate, unit) holds its part of the unit's row of w_h, and the chain is passed from gate to gate through shared
// memory, with a barrier each: a relay, in which the threads of one gate run at a time, because a single thread could
// not hold the whole row. For wider cells a thread walks the whole chain of its units. Weights that do not fit into
// registers are in shared memory as far as the device has it, and otherwise read at each step from L2, as in
// rnn_forward.cu.
//
// Bound: the latency of the chain (4 cycles a term, G * H terms a step), which four rows share; for wide cells reading
// w_h at each step by each block. Not taken: several chains added up at the end, which have other bits than the CPU's.
#include "rnn.cuh"

namespace catalase {

struct Backward {
  i64 cell;
  i32 hidden;
  const float *gates, *candidates, *states, *cells;  // kept by forward
  const float* w_t;                                  // w_h^T (G*H, H), contiguous
  const float *dy, *dh, *dc;                         // null for zeros
  float *dz, *dh0, *dc0;                             // dz (rows, G*H, GRU: 4*H [q r z n])
  Order order;
  i64 steps;  // of the longest sequence
  i64 kept;   // rows of each gate of w_t in shared memory
};

// dz of unit u at one time step, from d, the gradient at h'. `dc` is the carried gradient at c', written for the step
// before. Returns the part of dh that does not come through the product. Each gate's dz also goes to `lines`, `apart`
// floats from gate to gate.
struct Unit {
  i64 row, after;  // of gates, and of states after the time step
  i32 u;
};
__device__ __forceinline__ float step_back(const Backward& b, const Unit& at, float d, float* dc, float* lines,
                                           i32 apart) {
  const i64 H = b.hidden, u = at.u;
  if (b.cell == kLstmCell) {
    const float* g = b.gates + at.row * 4 * H + u;
    const float i = g[0], f = g[H], n = g[2 * H], o = g[3 * H];
    const float t = gate_tanh(b.cells[at.after * H + u]), before = b.cells[at.row * H + u];
    const float sum = fmaf(d * o, 1.0f - t * t, *dc);
    const float dz[4] = {sum * n * (i * (1.0f - i)), sum * before * (f * (1.0f - f)), sum * i * (1.0f - n * n),
                         d * t * (o * (1.0f - o))};
#pragma unroll
    for (i32 k = 0; k < 4; ++k) b.dz[(at.row * 4 + k) * H + u] = lines[k * apart] = dz[k];
    *dc = sum * f;
    return 0.0f;
  }
  if (b.cell == kGruCell) {
    const float* g = b.gates + at.row * 3 * H + u;
    const float r = g[0], z = g[H], n = g[2 * H];
    const float q = b.candidates[at.row * H + u], before = b.states[at.row * H + u];
    const float dn = d * (1.0f - z) * (1.0f - n * n);
    const float dz[3] = {dn * r, dn * q * (r * (1.0f - r)), d * (before - n) * (z * (1.0f - z))};
#pragma unroll
    for (i32 k = 0; k < 3; ++k) b.dz[(at.row * 4 + k) * H + u] = lines[k * apart] = dz[k];
    b.dz[(at.row * 4 + 3) * H + u] = dn;
    return d * z;
  }
  const float h = b.states[at.after * H + u];
  const float dz = b.cell == kReluCell ? (h > 0.0f ? d : 0.0f) : d * (1.0f - h * h);
  b.dz[at.row * H + u] = lines[0] = dz;
  return 0.0f;
}

// The places of a block's rows: dz of the time step, a line of padded length a gate; dh; dc.
struct Memory {
  float *dz, *dh, *dc;
  float* weights;  // (kept, G*H), gates in the order of dz
  i32 line, wide;  // floats of a gate's line, and of a row's lines

  __device__ __forceinline__ Memory(float* memory, i64 cell, i32 hidden, i32 rows) {
    line = padded(hidden);
    wide = gates_of(cell) * line;
    dz = memory;
    dh = dz + rows * wide;
    dc = dh + rows * hidden;
    weights = memory + (rows * (wide + (cell == kLstmCell ? 2 : 1) * hidden) + 3) / 4 * 4;
  }
};

// Writes the gradients at the last states, and zeros in lines and in the rows of dz that belong to no time step.
__device__ __forceinline__ void enter(const Backward& b, const Memory& m, i64 first_row, i32 rows, i32 lines) {
  const i32 H = b.hidden, dz_row = b.cell == kGruCell ? 4 * H : gates_of(b.cell) * H;
#pragma unroll 1
  for (i32 i = own_thread(); i < lines * m.wide; i += block_threads()) m.dz[i] = 0.0f;
#pragma unroll 1
  for (i32 i = own_thread(); i < lines * H; i += block_threads()) {
    const i32 r = i / H;
    const i64 at = r < rows ? b.order.sequence_of(first_row + r) * H + i % H : 0;
    m.dh[i] = r < rows && b.dh != nullptr ? b.dh[at] : 0.0f;
    if (b.cell == kLstmCell) m.dc[i] = r < rows && b.dc != nullptr ? b.dc[at] : 0.0f;
  }
  for (i32 r = 0; r < rows; ++r) {
    const i64 own = b.order.length_of(first_row + r);
    if (own >= b.steps) continue;
    float* idle = b.dz + (b.order.start(own) + first_row + r) * dz_row;
#pragma unroll 1
    for (i32 j = own_thread(); j < dz_row; j += block_threads()) idle[j] = 0.0f;
  }
}

// The weights that gate k of dz multiplies in w_h's row of unit u: column k * H + u. GRU's q takes n's.
template <i32 kHeld>
__device__ __forceinline__ void start(const Backward& b, const Memory& m, i32 k, i32 u, Column<kHeld>& w) {
  const i32 H = b.hidden, first = (b.cell == kGruCell ? (k + 2) % 3 : k) * H;
  w.start(b.w_t + static_cast<i64>(first) * H + u, H, H);
  w.keep(m.weights + k * H + u, gates_of(b.cell) * H, static_cast<i32>(b.kept));
}

template <i32 kRows, i32 kHeld>
__device__ __forceinline__ void multiply_back(const Backward& b, const Memory& m, const Column<kHeld>& own, i32 now) {
  const i32 H = b.hidden, gates = gates_of(b.cell), t = own_thread();
  if constexpr (kHeld == 0) {
#pragma unroll 1
    for (i32 u = t; u < H; u += block_threads()) {
      float sum[kRows];
#pragma unroll
      for (i32 r = 0; r < kRows; ++r) sum[r] = m.dh[r * H + u];
#pragma unroll 1
      for (i32 k = 0; k < gates; ++k) {
        Column<0> w;
        start(b, m, k, u, w);
        w.multiply(m.dz + k * m.line, m.wide, sum);
      }
#pragma unroll
      for (i32 r = 0; r < kRows; ++r) {
        if (r < now) m.dh[r * H + u] = sum[r];
      }
    }
    __syncthreads();
  } else {
#pragma unroll 1
    for (i32 k = 0; k < gates; ++k) {
      if (t / H == k) {
        const i32 u = t % H;
        float sum[kRows];
#pragma unroll
        for (i32 r = 0; r < kRows; ++r) sum[r] = m.dh[r * H + u];
        own.multiply(m.dz + k * m.line, m.wide, sum);
#pragma unroll
        for (i32 r = 0; r < kRows; ++r) {
          if (r < now) m.dh[r * H + u] = sum[r];
        }
      }
      __syncthreads();  // the next gate's threads continue these sums
    }
  }
}

template <i32 kRows, i32 kHeld>
__device__ __forceinline__ void walk_back(const Backward& b, float* memory) {
  const i32 H = b.hidden;
  const i64 first_row = static_cast<i64>(blockIdx.x) * kRows;
  const i32 rows = static_cast<i32>(smaller(kRows, b.order.batch - first_row));
  const Memory m(memory, b.cell, H, kRows);
  Column<kHeld> w;
  const i32 units = kHeld > 0 ? gates_of(b.cell) * H : H;  // of all gates, or of one
#pragma unroll 1
  for (i32 i = own_thread(); i < units; i += block_threads()) {
#pragma unroll 1
    for (i32 k = i / H; k < (kHeld > 0 ? i / H + 1 : gates_of(b.cell)); ++k) {
      start(b, m, k, i % H, w);
      w.fill();  // read by this thread only
    }
  }
  enter(b, m, first_row, rows, kRows);
  __syncthreads();
  i32 now = 0;  // active rows
#pragma unroll 1
  for (i64 t = b.order.length_of(first_row) - 1; t >= 0; --t) {
    while (now < rows && b.order.length_of(first_row + now) > t) ++now;
    const i64 row = b.order.start(t) + first_row, after = b.order.start(t + 1) + first_row;
#pragma unroll 1
    for (i32 i = own_thread(); i < now * H; i += block_threads()) {
      const i32 r = i / H, u = i % H;
      float d = m.dh[i];
      if (b.dy != nullptr) d = d + b.dy[b.order.outside(first_row + r, t) * H + u];
      m.dh[i] = step_back(b, Unit{row + r, after + r, u}, d, m.dc + i, m.dz + r * m.wide + u, m.line);
    }
    __syncthreads();
    multiply_back<kRows, kHeld>(b, m, w, now);
  }
#pragma unroll 1
  for (i32 i = own_thread(); i < rows * H; i += block_threads()) {
    const i64 at = b.order.sequence_of(first_row + i / H) * H + i % H;
    b.dh0[at] = m.dh[i];
    if (b.cell == kLstmCell) b.dc0[at] = m.dc[i];
  }
}

}  // namespace catalase

using namespace catalase;

#define CATALASE_PARAMETERS                                                                                   \
  i64 cell, i64 hidden, const float *gates, const float *candidates, const float *states, const float *cells, \
      const float *w_t, const float *dy, const float *dh, const float *dc, float *dz, float *dh0, float *dc0, \
      const i64 *offset, const i64 *sequence, const i64 *length, i64 batch, i64 axis, i64 reverse, i64 steps, i64 kept
#define CATALASE_CALL                                                                                \
  Backward {                                                                                         \
    cell, static_cast<i32>(hidden), gates, candidates, states, cells, w_t, dy, dh, dc, dz, dh0, dc0, \
        Order{offset, sequence, length, batch, axis, reverse}, steps, kept                           \
  }

// The launch's shared_bytes: for each of `rows` rows G * padded(H) floats for dz, H for dh, and for LSTM H for dc;
// rounded up to fours; kept * G * H for weights.
#define CATALASE_BACKWARD(name, threads, rows, held)                                   \
  extern "C" __global__ void __launch_bounds__(threads, 1) name(CATALASE_PARAMETERS) { \
    walk_back<rows, held>(CATALASE_CALL, dynamic_shared());                            \
  }

CATALASE_BACKWARD(rnn_backward_128_1, 256, 1, 128)
CATALASE_BACKWARD(rnn_backward_128_4, 256, 4, 128)
CATALASE_BACKWARD(rnn_backward_64_1, 512, 1, 64)
CATALASE_BACKWARD(rnn_backward_64_4, 512, 4, 64)
CATALASE_BACKWARD(rnn_backward_0_1, 512, 1, 0)
CATALASE_BACKWARD(rnn_backward_0_4, 512, 4, 0)

// One row a block, kept in `scratch`; the rows of two blocks lie `apart` floats apart.
extern "C" __global__ void __launch_bounds__(512, 1) rnn_backward_far(CATALASE_PARAMETERS, float* scratch, i64 apart) {
  walk_back<1, 0>(CATALASE_CALL, scratch + blockIdx.x * apart);
}
