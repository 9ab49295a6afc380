// Scaled dot-product attention of several heads, forward and backward; float32. The formulas are in
// cpp/attention/attention.h.
//
// Rows of all heads have unit stride; their other strides are given as (sequence, head, row). A thread block of 256
// computes a tile of 64 queries (or, for the gradients of keys and values, 64 keys) by 64 columns of the result, and
// walks the keys (the queries) in tiles of 64 in ascending order. A tile of scores is multiplied from shared memory in
// steps of 32 columns, 4 x 4 scores a thread; the probabilities pass through shared memory to the second product. With
// results wider than 64 columns each block of columns computes the scores again. A row's maximum and sum are joined
// over the 16 threads of the row by shuffles, in a fixed order: no atomics, the same bits from run to run, for any grid
// and any batch. A score, and a sum over the keys, is one chain of FMAs in ascending order, rescaled when the maximum
// rises; the blocks differ from the CPU's, and so do the bits.
//
// Backward: `attention_delta_f32`, then the gradients of keys and values, then those of queries, which compute the
// probabilities again from the statistics of the forward pass. `factor` is scale times the logarithm of e to the base
// 2. 34 KB of shared memory; bound: FMAs and shared loads.
#include "types.cuh"

namespace catalase {

constexpr i32 kTile = 64, kDepth = 32, kThreads = 256, kLine = kTile + 1;

struct Heads {
  i64 sequence, head, row;
  __device__ __forceinline__ i64 at(i64 n, i64 h) const { return n * sequence + h * head; }
};

// Thread (ty, tx) has the rows 4 ty + r and the columns tx + 16 c of a tile, r and c below 4.
struct Place {
  i32 tx, ty;
};
__device__ __forceinline__ Place place() {
  return {static_cast<i32>(threadIdx.x % 16), static_cast<i32>(threadIdx.x / 16)};
}

struct Shared {
  float a[kDepth * kLine], b[kDepth * kLine], p[kTile * kLine];
};

// sum[r][c] = products of rows of a and rows of b, `terms` columns; rows beyond the counts are zeros.
__device__ __forceinline__ void dot_rows(const float* a, i64 a_row, i64 a_count, const float* b, i64 b_row, i64 b_count,
                                         i64 terms, Shared& s, float (&sum)[4][4]) {
  const Place at = place();
#pragma unroll
  for (i32 r = 0; r < 4; ++r) {
#pragma unroll
    for (i32 c = 0; c < 4; ++c) sum[r][c] = 0.0f;
  }
  for (i64 k = 0; k < terms; k += kDepth) {
    __syncthreads();
    for (i32 e = threadIdx.x; e < kTile * kDepth; e += kThreads) {
      const i32 line = e / kDepth, d = e % kDepth;
      const bool there = k + d < terms;
      s.a[d * kLine + line] = there && line < a_count ? a[line * a_row + k + d] : 0.0f;
      s.b[d * kLine + line] = there && line < b_count ? b[line * b_row + k + d] : 0.0f;
    }
    __syncthreads();
    const i32 depth = static_cast<i32>(smaller(terms - k, kDepth));
    for (i32 d = 0; d < depth; ++d) {
      float x[4], y[4];
#pragma unroll
      for (i32 i = 0; i < 4; ++i) {
        x[i] = s.a[d * kLine + 4 * at.ty + i];
        y[i] = s.b[d * kLine + at.tx + 16 * i];
      }
#pragma unroll
      for (i32 r = 0; r < 4; ++r) {
#pragma unroll
        for (i32 c = 0; c < 4; ++c) sum[r][c] = fmaf(x[r], y[c], sum[r][c]);
      }
    }
  }
}

// sum[r][c] += s.p times rows of b (columns [0, columns) of them): over the columns of s.p, or over its rows.
template <bool kTransposed>
__device__ __forceinline__ void add_product(const float* b, i64 b_row, i64 b_count, i64 columns, Shared& s,
                                            float (&sum)[4][4]) {
  const Place at = place();
  for (i32 k = 0; k < b_count; k += kDepth) {
    __syncthreads();  // s.p is written, and s.b read
    for (i32 e = threadIdx.x; e < kTile * kDepth; e += kThreads) {
      const i32 line = e / kTile, c = e % kTile;
      s.b[line * kLine + c] = k + line < b_count && c < columns ? b[(k + line) * b_row + c] : 0.0f;
    }
    __syncthreads();
    const i32 depth = static_cast<i32>(smaller(b_count - k, kDepth));
    for (i32 d = 0; d < depth; ++d) {
      float x[4], y[4];
#pragma unroll
      for (i32 i = 0; i < 4; ++i) {
        x[i] = kTransposed ? s.p[(k + d) * kLine + 4 * at.ty + i] : s.p[(4 * at.ty + i) * kLine + k + d];
        y[i] = s.b[d * kLine + at.tx + 16 * i];
      }
#pragma unroll
      for (i32 r = 0; r < 4; ++r) {
#pragma unroll
        for (i32 c = 0; c < 4; ++c) sum[r][c] = fmaf(x[r], y[c], sum[r][c]);
      }
    }
  }
}

__device__ __forceinline__ void put_shares(const float (&p)[4][4], Shared& s) {
  const Place at = place();
  __syncthreads();  // the product of what was there
#pragma unroll
  for (i32 r = 0; r < 4; ++r) {
#pragma unroll
    for (i32 c = 0; c < 4; ++c) s.p[(4 * at.ty + r) * kLine + at.tx + 16 * c] = p[r][c];
  }
}

// The columns of a tile of results, times by[r]; rows beyond `count` and columns beyond `columns` are not there.
__device__ __forceinline__ void put_rows(const float (&sum)[4][4], const float (&by)[4], float* y, i64 row, i64 count,
                                         i64 columns) {
  const Place at = place();
#pragma unroll
  for (i32 r = 0; r < 4; ++r) {
#pragma unroll
    for (i32 c = 0; c < 4; ++c) {
      if (4 * at.ty + r < count && at.tx + 16 * c < columns) {
        y[(4 * at.ty + r) * row + at.tx + 16 * c] = sum[r][c] * by[r];
      }
    }
  }
}

__device__ __forceinline__ float row_max(float x) {
#pragma unroll
  for (i32 d = 8; d > 0; d /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, x, d);
    x = other > x ? other : x;
  }
  return x;
}
__device__ __forceinline__ float row_sum(float x) {
#pragma unroll
  for (i32 d = 8; d > 0; d /= 2) x = x + __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}

// 2^x for x <= 0, and 0 below -126: the operations of cpp/attention/attention_level.cpp.
__device__ __forceinline__ float exp2_share(float x) {
  const float shifted = x + 12582912.0f;  // 1.5 * 2^23: rounds to a whole number, kept in the low bits
  const float rest = x - (shifted - 12582912.0f);
  float p = 1.535336188319500e-4f;
  p = fmaf(p, rest, 1.339887440266574e-3f);
  p = fmaf(p, rest, 9.618437357674640e-3f);
  p = fmaf(p, rest, 5.550332471162809e-2f);
  p = fmaf(p, rest, 2.402264791363012e-1f);
  p = fmaf(p, rest, 6.931472028550421e-1f);
  p = fmaf(p, rest, 1.0f);
  return x < -126.0f ? 0.0f : p * __uint_as_float((__float_as_uint(shifted) + 127u) << 23);
}

// Which tile a block has: of head h of sequence n, and of the columns of the result.
struct Work {
  i64 n, h, item, first, column;
};
__device__ __forceinline__ Work work_of(i64 heads, i64 tiles, i64 parts) {
  const i64 b = blockIdx.x, item = b / (tiles * parts), rest = b % (tiles * parts);
  return {item / heads, item % heads, item, rest / parts * kTile, rest % parts * kTile};
}

// p and ds of a tile of queries by keys.
__device__ __forceinline__ void shares_again(const float* q, i64 q_row, const float* k, i64 k_row, const float* v,
                                             i64 v_row, const float* dy, i64 dy_row, const float* top,
                                             const float* inverse, const float* delta, i64 query, i64 queries, i64 key,
                                             i64 keys, i64 width, i64 value_width, bool causal, float factor,
                                             float scale, Shared& s, float (&p)[4][4], float (&ds)[4][4]) {
  const Place at = place();
  dot_rows(q + query * q_row, q_row, queries - query, k + key * k_row, k_row, keys - key, width, s, p);
  dot_rows(dy + query * dy_row, dy_row, queries - query, v + key * v_row, v_row, keys - key, value_width, s, ds);
#pragma unroll
  for (i32 r = 0; r < 4; ++r) {
    const i64 i = query + 4 * at.ty + r;
    const bool there = i < queries;
    const float most = there ? top[i] : 0.0f, share = there ? inverse[i] : 0.0f, mean = there ? delta[i] : 0.0f;
#pragma unroll
    for (i32 c = 0; c < 4; ++c) {
      const i64 j = key + at.tx + 16 * c;
      const bool seen = there && j < keys && (!causal || j <= i);
      p[r][c] = seen ? exp2_share((p[r][c] - most) * factor) * share : 0.0f;
      ds[r][c] = seen ? p[r][c] * (ds[r][c] - mean) * scale : 0.0f;
    }
  }
}

}  // namespace catalase

using namespace catalase;

// One block a tile of 64 queries and 64 columns of the values. top, inverse (N, H, Tq).
extern "C" __global__ void __launch_bounds__(256)
    attention_f32(const float* q, i64 q_seq, i64 q_head, i64 q_row, const float* k, i64 k_seq, i64 k_head, i64 k_row,
                  const float* v, i64 v_seq, i64 v_head, i64 v_row, const i64* query_lengths, const i64* lengths,
                  i64 heads, i64 queries, i64 keys, i64 width, i64 value_width, i64 causal, float factor, float* y,
                  i64 y_seq, i64 y_head, i64 y_row, float* top, float* inverse) {
  __shared__ Shared s;
  const i64 parts = (value_width + kTile - 1) / kTile;
  const Work w = work_of(heads, (queries + kTile - 1) / kTile, parts);
  const Place at = place();
  const i64 stop = query_lengths != nullptr ? query_lengths[w.n] : queries, all = smaller(queries - w.first, kTile);
  const i64 own = lengths != nullptr ? lengths[w.n] : keys, columns = smaller(value_width - w.column, kTile);
  const i64 last = causal != 0 ? smaller(own, w.first + kTile) : own;
  q += Heads{q_seq, q_head, q_row}.at(w.n, w.h) + w.first * q_row;
  k += Heads{k_seq, k_head, k_row}.at(w.n, w.h);
  v += Heads{v_seq, v_head, v_row}.at(w.n, w.h) + w.column;
  y += Heads{y_seq, y_head, y_row}.at(w.n, w.h) + w.first * y_row + w.column;
  float most[4], total[4], sum[4][4] = {};
#pragma unroll
  for (i32 r = 0; r < 4; ++r) most[r] = __uint_as_float(0xff800000u), total[r] = 0.0f;
  for (i64 key = 0; key < last && w.first < stop; key += kTile) {
    float p[4][4];
    dot_rows(q, q_row, smaller(stop - w.first, kTile), k + key * k_row, k_row, last - key, width, s, p);
#pragma unroll
    for (i32 r = 0; r < 4; ++r) {
      const i64 i = w.first + 4 * at.ty + r;
      const i64 seen = causal != 0 ? smaller(last, i + 1) : last;  // of row i
      float highest = most[r], part = 0.0f;
#pragma unroll
      for (i32 c = 0; c < 4; ++c) {
        if (key + at.tx + 16 * c < seen && p[r][c] > highest) highest = p[r][c];
      }
      highest = row_max(highest);
#pragma unroll
      for (i32 c = 0; c < 4; ++c) {
        p[r][c] = key + at.tx + 16 * c < seen ? exp2_share((p[r][c] - highest) * factor) : 0.0f;
        part = part + p[r][c];
      }
      const float earlier = key < seen ? exp2_share((most[r] - highest) * factor) : 1.0f;
      total[r] = total[r] * earlier + row_sum(part);
      most[r] = highest;
#pragma unroll
      for (i32 c = 0; c < 4; ++c) sum[r][c] = sum[r][c] * earlier;
    }
    put_shares(p, s);
    add_product<false>(v + key * v_row, v_row, smaller(last - key, kTile), columns, s, sum);
  }
  float by[4];
#pragma unroll
  for (i32 r = 0; r < 4; ++r) {
    const i64 i = w.first + 4 * at.ty + r;
    by[r] = i < stop && last > 0 ? 1.0f / total[r] : 0.0f;
    if (at.tx == 0 && w.column == 0 && i < queries) {
      top[w.item * queries + i] = i < stop ? most[r] : __uint_as_float(0xff800000u);
      inverse[w.item * queries + i] = by[r];
    }
#pragma unroll
    for (i32 c = 0; c < 4; ++c) {
      if (i >= stop) sum[r][c] = 0.0f;
    }
  }
  put_rows(sum, by, y, y_row, all, columns);
}

// delta[n, h, i] = sum over the columns of dy y, a warp a row: lanes first, then halves of the lanes.
extern "C" __global__ void __launch_bounds__(256)
    attention_delta_f32(const float* dy, i64 dy_seq, i64 dy_head, i64 dy_row, const float* y, i64 y_seq, i64 y_head,
                        i64 y_row, i64 heads, i64 queries, i64 value_width, float* delta, i64 rows) {
  const i64 lane = threadIdx.x % 32;
  for (i64 i = global_thread() / 32; i < rows; i += global_threads() / 32) {
    const i64 item = i / queries, n = item / heads, h = item % heads, t = i % queries;
    const float* a = dy + n * dy_seq + h * dy_head + t * dy_row;
    const float* b = y + n * y_seq + h * y_head + t * y_row;
    float sum = 0.0f;
    for (i64 c = lane; c < value_width; c += 32) sum = fmaf(a[c], b[c], sum);
#pragma unroll
    for (i32 d = 16; d > 0; d /= 2) sum = sum + __shfl_xor_sync(0xffffffffu, sum, d);
    if (lane == 0) delta[i] = sum;
  }
}

// dk and dv: one block a tile of 64 keys and 64 columns.
extern "C" __global__ void __launch_bounds__(256)
    attention_key_gradients_f32(const float* dy, i64 dy_seq, i64 dy_head, i64 dy_row, const float* q, i64 q_seq,
                                i64 q_head, i64 q_row, const float* k, i64 k_seq, i64 k_head, i64 k_row, const float* v,
                                i64 v_seq, i64 v_head, i64 v_row, const float* top, const float* inverse,
                                const float* delta, const i64* query_lengths, const i64* lengths, i64 heads,
                                i64 queries, i64 keys, i64 width, i64 value_width, i64 causal, float factor,
                                float scale, float* dk, i64 dk_seq, i64 dk_head, i64 dk_row, float* dv, i64 dv_seq,
                                i64 dv_head, i64 dv_row) {
  __shared__ Shared s;
  const i64 widest = width > value_width ? width : value_width;
  const Work w = work_of(heads, (keys + kTile - 1) / kTile, (widest + kTile - 1) / kTile);
  const i64 stop = query_lengths != nullptr ? query_lengths[w.n] : queries;
  const i64 own = lengths != nullptr ? lengths[w.n] : keys;
  q += Heads{q_seq, q_head, q_row}.at(w.n, w.h);
  k += Heads{k_seq, k_head, k_row}.at(w.n, w.h);
  v += Heads{v_seq, v_head, v_row}.at(w.n, w.h);
  dy += Heads{dy_seq, dy_head, dy_row}.at(w.n, w.h);
  top += w.item * queries, inverse += w.item * queries, delta += w.item * queries;
  float of_k[4][4] = {}, of_v[4][4] = {};
  const i64 begin = causal != 0 ? w.first : 0;  // earlier queries see none of these keys
  for (i64 query = begin; query < stop && w.first < own; query += kTile) {
    float p[4][4], ds[4][4];
    shares_again(q, q_row, k, k_row, v, v_row, dy, dy_row, top, inverse, delta, query, stop, w.first, own, width,
                 value_width, causal != 0, factor, scale, s, p, ds);
    const i64 count = smaller(stop - query, kTile);
    put_shares(p, s);
    add_product<true>(dy + query * dy_row + w.column, dy_row, count, value_width - w.column, s, of_v);
    put_shares(ds, s);
    add_product<true>(q + query * q_row + w.column, q_row, count, width - w.column, s, of_k);
  }
  const float one[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  const i64 all = smaller(keys - w.first, kTile);
  put_rows(of_k, one, dk + Heads{dk_seq, dk_head, dk_row}.at(w.n, w.h) + w.first * dk_row + w.column, dk_row, all,
           width - w.column);
  put_rows(of_v, one, dv + Heads{dv_seq, dv_head, dv_row}.at(w.n, w.h) + w.first * dv_row + w.column, dv_row, all,
           value_width - w.column);
}

// dq: one block a tile of 64 queries and 64 columns.
extern "C" __global__ void __launch_bounds__(256)
    attention_query_gradients_f32(const float* dy, i64 dy_seq, i64 dy_head, i64 dy_row, const float* q, i64 q_seq,
                                  i64 q_head, i64 q_row, const float* k, i64 k_seq, i64 k_head, i64 k_row,
                                  const float* v, i64 v_seq, i64 v_head, i64 v_row, const float* top,
                                  const float* inverse, const float* delta, const i64* query_lengths,
                                  const i64* lengths, i64 heads, i64 queries, i64 keys, i64 width, i64 value_width,
                                  i64 causal, float factor, float scale, float* dq, i64 dq_seq, i64 dq_head,
                                  i64 dq_row) {
  __shared__ Shared s;
  const Work w = work_of(heads, (queries + kTile - 1) / kTile, (width + kTile - 1) / kTile);
  const i64 stop = query_lengths != nullptr ? query_lengths[w.n] : queries;
  const i64 own = lengths != nullptr ? lengths[w.n] : keys;
  const i64 last = causal != 0 ? smaller(own, w.first + kTile) : own;
  q += Heads{q_seq, q_head, q_row}.at(w.n, w.h);
  k += Heads{k_seq, k_head, k_row}.at(w.n, w.h);
  v += Heads{v_seq, v_head, v_row}.at(w.n, w.h);
  dy += Heads{dy_seq, dy_head, dy_row}.at(w.n, w.h);
  top += w.item * queries, inverse += w.item * queries, delta += w.item * queries;
  float sum[4][4] = {};
  for (i64 key = 0; key < last && w.first < stop; key += kTile) {
    float p[4][4], ds[4][4];
    shares_again(q, q_row, k, k_row, v, v_row, dy, dy_row, top, inverse, delta, w.first, stop, key, last, width,
                 value_width, causal != 0, factor, scale, s, p, ds);
    put_shares(ds, s);
    add_product<false>(k + key * k_row + w.column, k_row, smaller(last - key, kTile), width - w.column, s, sum);
  }
  const float one[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  put_rows(sum, one, dq + Heads{dq_seq, dq_head, dq_row}.at(w.n, w.h) + w.first * dq_row + w.column, dq_row,
           smaller(queries - w.first, kTile), width - w.column);
}
