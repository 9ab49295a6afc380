// Attention, one head of one sequence, one thread, one level.
//
// Loops, outermost first: blocks of keys, whose rows are arranged once into panels for the micro-kernels of matmul
// (matmul/micro_kernels.h); blocks of at most kQueryRows queries; the products. Of 512 keys and 64 columns the panels
// of keys and of values are 128 KiB each and the scores of a block of queries 140 KiB, all in L2; a panel of 64 columns
// and 64 terms (16 KiB) stays in L1 over the rows of a block. Backward, blocks of 256 keys keep four arrangements and
// two blocks of scores in as much. With `causal`, tiles of scores above the diagonal are not computed, and sums leave
// out the terms that are zero there.
#include <utility>

#include "attention/attention.h"
#include "common/memory.h"
#include "common/partition.h"
#include "cpu/simd.h"
#include "elementwise/vecmath.h"
#include "matmul/blocks.h"
#include "matmul/micro_kernels.h"
#include "matmul/pack.h"

namespace catalase {
namespace {

constexpr Index kLanes = 32;       // of the sums over a row
constexpr Index kQueryRows = 66;   // eleven tiles of 6 rows
constexpr Index kMargin = kLanes;  // zeros behind a row's last score: a tile of up to 18 rows may read them

// Columns in panels of equal numbers of vectors, at most kSinglePanel: a panel of one vector would be bound by loads.
template <class T>
struct Columns {
  Index count, vectors, panels;

  explicit Columns(Index n) : count(n), vectors(ceil_div(n, kWidth<T>)), panels(ceil_div(vectors, kSinglePanel<T>)) {}
  Index start(Index panel) const { return even_start(vectors, panels, panel) * kWidth<T>; }
  Index width() const { return vectors * kWidth<T>; }
};

// Rows of unit stride to panels: panel p has all `rows` rows of its columns, zeros beyond the last.
template <class T>
void arrange_rows(const T* from, Index row_stride, Index rows, const Columns<T>& columns, T* to) {
  constexpr Index W = kWidth<T>;
  for (Index p = 0; p < columns.panels; ++p) {
    const Index first = columns.start(p), last = columns.start(p + 1);
    for (Index i = 0; i < rows; ++i) {
      const T* row = from + i * row_stride;
      for (Index c = first; c < last; c += W, to += W) {
        store(to, c + W <= columns.count ? load(row + c) : load_lanes(row + c, first_lanes<T>(columns.count - c)));
      }
    }
  }
}

// The same of the transposed matrix: its columns are the rows of `from`, each of `terms` values.
template <class T>
void arrange_turned(const T* from, Index row_stride, Index terms, const Columns<T>& columns, T* to) {
  for (Index p = 0; p < columns.panels; ++p) {
    const Index first = columns.start(p), width = columns.start(p + 1) - first;
    pack_transposed<T>({from + first * row_stride, terms, smaller(columns.count - first, width), 1, row_stride},
                       to + first * terms, width);
  }
}

struct Terms {
  Index first, last;
};

// C (+)= A @ B for panels of B with `terms` rows; range(i, rows, c) tells the terms that the outputs of a tile have.
template <class T, class Range>
void multiply(const T* a, Index a_row, Index a_col, Index rows, const T* panels, Index terms, const Columns<T>& columns,
              T* c, Index ldc, bool from_c, Range range) {
  constexpr Index W = kWidth<T>;
  for (Index p = 0; p < columns.panels; ++p) {
    const Index first = columns.start(p), width = columns.start(p + 1) - first, vectors = width / W;
    const T* panel = panels + first * terms;
    const Index most = max_rows<T>(vectors), tiles = ceil_div(rows, most);
    const Index step = kSmallBytes / (width * static_cast<Index>(sizeof(T)));
    MicroArgs<T> args{};
    args.a_row = a_row, args.a_col = a_col, args.b_row = width, args.ldc = ldc;
    args.last = smaller(columns.count - first, width) - (vectors - 1) * W;
    const auto whole = pick_micro<T>(most, vectors, a_row == 1, true);
    const auto rest = rows % most == 0 ? whole : pick_micro<T>(rows % most, vectors, a_row == 1, true);
    for (Index k0 = 0; k0 == 0 || k0 < terms; k0 += step) {
      for (Index tile = 0; tile < tiles; ++tile) {
        const Index i = tile * most, count = smaller(most, rows - i);
        const Terms all = range(i, count, first);
        const Index begin = all.first > k0 ? all.first : k0, end = smaller(all.last, k0 + step);
        if (end <= begin && (from_c || k0 > 0)) continue;
        args.a = a + i * a_row + begin * a_col;
        args.b = panel + begin * width;
        args.k = end > begin ? end - begin : 0;
        args.c = c + i * ldc + first;
        args.from_c = from_c || k0 > 0;
        (count == most ? whole : rest)(args);
      }
    }
  }
}

// 2^x for x <= 0, and 0 below -126; NaN stays NaN. A third fewer operations than exp of vecmath.h, because the caller's
// factor has the logarithm in it. The polynomial is that of Cephes' exp2f (S. L. Moshier), for |rest| <= 1/2.
inline VecF exp2_share(VecF x) {
  const VecF shifted = x + vec(12582912.0f);  // 1.5 * 2^23: rounds to a whole number, kept in the low bits
  const VecF rest = x - (shifted - vec(12582912.0f));
  VecF p = vec(1.535336188319500e-4f);
  p = fma(p, rest, vec(1.339887440266574e-3f));
  p = fma(p, rest, vec(9.618437357674640e-3f));
  p = fma(p, rest, vec(5.550332471162809e-2f));
  p = fma(p, rest, vec(2.402264791363012e-1f));
  p = fma(p, rest, vec(6.931472028550421e-1f));
  p = fma(p, rest, vec(1.0f));
  return x < vec(-126.0f) ? VecF{} : p * (VecF)(((VecU)shifted + 127u) << 23);
}
inline VecD exp2_share(VecD x) {
  return each_lane(x, [](double v) { return __builtin_exp2(v); });
}
constexpr double kLog2E = 1.4426950408889634;

// Lane i joined with lane i ^ kHalf, and so on with half of kHalf.
template <class T, int kHalf, class Join, int... kLane>
inline Vec<T> folded(Vec<T> v, Join join, std::integer_sequence<int, kLane...> lanes) {
  if constexpr (kHalf == 0) {
    return v;
  } else {
    return folded<T, kHalf / 2>(join(v, __builtin_shuffle(v, Mask<T>{(kLane ^ kHalf)...})), join, lanes);
  }
}

// Joins the lanes of a row's sum, or of its maximum, in halves; every lane of the result has it.
template <class T, class Join>
inline Vec<T> joined(Vec<T> (&lanes)[kLanes / kWidth<T>], Join join) {
  constexpr int W = kWidth<T>, U = static_cast<int>(kLanes / W);
#pragma GCC unroll 4
  for (int half = U / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int u = 0; u < half; ++u) lanes[u] = join(lanes[u], lanes[u + half]);
  }
  return folded<T, W / 2>(lanes[0], join, std::make_integer_sequence<int, W>{});
}

// f(c, u) for the vectors of the columns [0, n), rounded up to kLanes: vector u of the lanes at column c.
template <class T, class F>
inline void for_lanes(Index n, F f) {
  for (Index c = 0; c < n; c += kLanes) {
#pragma GCC unroll 8
    for (int u = 0; u < static_cast<int>(kLanes / kWidth<T>); ++u) f(c + u * kWidth<T>, u);
  }
}

template <class T>
inline void fill(T* p, Index n, T value) {
  for (Index j = 0; j < n; ++j) p[j] = value;
}

// What follows a row's last score: `behind` up to a multiple of kLanes; zeros then, where tiles read them.
template <class T>
inline void end_row(T* row, Index n, T behind, bool causal) {
  const Index whole = round_up(n, kLanes);
  for (Index j = n; j < whole; ++j) row[j] = behind;
  if (causal) for_lanes<T>(kMargin, [&](Index c, int) { store(row + whole + c, Vec<T>{}); });
}

// The scores of a block: which keys the queries see, and where they lie in memory.
struct Block {
  Index query, rows, key, keys;  // the first query and key of the sequence, and how many of each
  bool causal;
  Index stride;

  // Keys of the block that row r sees, the first ones.
  Index seen(Index r) const {
    const Index n = query + r + 1 - key;
    return !causal || n > keys ? keys : n > 0 ? n : 0;
  }
  // The first row that sees key c of the block.
  Index row_of(Index c) const {
    const Index r = key + c - query;
    return !causal || r < 0 ? 0 : smaller(r, rows);
  }
};

// Rows an odd number of cache lines apart.
template <class T>
constexpr Index score_stride(Index keys) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  return round_up(keys, kLanes) + kMargin + line;
}

// Scores, or products of the output's gradient and the values: a (rows, terms) by the panels of turned keys.
template <class T>
void score(const Block& block, const T* a, Index a_row, Index terms, const T* panels, const Columns<T>& columns, T* s) {
  multiply<T>(a, a_row, 1, block.rows, panels, terms, columns, s, block.stride, false,
              [&](Index i, Index rows, Index c) { return Terms{0, block.seen(i + rows - 1) > c ? terms : 0}; });
}

// Sums over the keys of the block: shares (rows, keys) by the panels of values or keys.
template <class T>
void sum_over_keys(const Block& block, const T* shares, const T* panels, const Columns<T>& columns, T* c, Index ldc) {
  multiply<T>(shares, block.stride, 1, block.rows, panels, block.keys, columns, c, ldc, false,
              [&](Index i, Index rows, Index) { return Terms{0, block.seen(i + rows - 1)}; });
}

// Sums over the queries of the block, for each of its keys: from_c goes on with the chains of earlier queries.
template <class T>
void sum_over_queries(const Block& block, const T* shares, const T* panels, const Columns<T>& columns, T* c, Index ldc,
                      bool from_c) {
  multiply<T>(shares, 1, block.stride, block.keys, panels, block.rows, columns, c, ldc, from_c,
              [&](Index i, Index, Index) { return Terms{block.row_of(i), block.rows}; });
}

// The queries of each block: all blocks alike, in whole tiles.
inline Index query_step(Index queries) {
  return round_up(ceil_div(queries, ceil_div(queries, kQueryRows)), 6);
}

// A row's scores become 2^((score - top) factor), after what the row has had so far: its maximum, the sum of its
// exponentials. Returns by what the earlier sums are to be multiplied.
template <class T>
T soften(T* s, Index n, T factor, bool causal, T& top, T& sum) {
  constexpr int U = static_cast<int>(kLanes / kWidth<T>);
  end_row<T>(s, n, static_cast<T>(-__builtin_inf()), causal);
  Vec<T> most[U], total[U] = {};
  for (int u = 0; u < U; ++u) most[u] = broadcast(top);
  for_lanes<T>(n, [&](Index c, int u) {
    const Vec<T> x = load(s + c);
    most[u] = x > most[u] ? x : most[u];
  });
  const Vec<T> highest = joined<T>(most, [](Vec<T> a, Vec<T> b) { return b > a ? b : a; });
  const Vec<T> by = broadcast(factor);
  for_lanes<T>(n, [&](Index c, int u) {
    const Vec<T> p = exp2_share((load(s + c) - highest) * by);
    store(s + c, p);
    total[u] += p;
  });
  const T all = joined<T>(total, [](Vec<T> a, Vec<T> b) { return a + b; })[0];
  const T earlier = sum != 0 ? exp2_share((broadcast(top) - highest) * by)[0] : T(0);  // no block before: none
  top = highest[0];
  sum = sum * earlier + all;
  return earlier;
}

template <class T>
void forward_level(const AttentionArgs<T>& args, Index n, Index h, Index first, Index last) {
  const Index D = args.width, DV = args.value_width, stop = smaller(last, args.queries_of(n));
  const Index item = (n * args.heads + h) * args.queries;
  const Columns<T> out(DV);
  const T factor = static_cast<T>(static_cast<double>(args.scale) * kLog2E);
  const Index all_keys = args.causal ? smaller(args.keys_of(n), stop) : args.keys_of(n);
  for (Index i = stop > first && all_keys > 0 ? stop : first; i < last; ++i) fill(args.y.at(n, h, i), DV, T(0));
  for (Index i = first; i < last; ++i) {
    args.top[item + i] = static_cast<T>(-__builtin_inf());
    args.inverse[item + i] = 0;  // the sum, until the last block of keys
  }
  if (stop <= first || all_keys == 0) return;
  const Index most = smaller(all_keys, kForwardKeys), step = query_step(stop - first);
  const Index panel = Columns<T>(most).width(), stride = score_stride<T>(most), rest = out.width();
  Scratch<T> memory(static_cast<std::size_t>(panel * D + most * rest + step * (stride + rest)));
  T *keys = memory.get(), *values = keys + panel * D, *scores = values + most * rest, *part = scores + step * stride;
  for (Index key = 0; key < all_keys; key += most) {
    const Index count = smaller(most, all_keys - key);
    const Columns<T> columns(count);
    arrange_turned(args.k.at(n, h, key), args.k.row, D, columns, keys);
    arrange_rows(args.v.at(n, h, key), args.v.row, count, out, values);
    for (Index i = first; i < stop; i += step) {
      const Block block{i, smaller(step, stop - i), key, count, args.causal, stride};
      if (block.seen(block.rows - 1) == 0) continue;
      score<T>(block, args.q.at(n, h, i), args.q.row, D, keys, columns, scores);
      T earlier[kQueryRows];
      for (Index r = 0; r < block.rows; ++r) {
        earlier[r] = 1;
        T *s = scores + r * stride, *top = args.top + item + i + r, *sum = args.inverse + item + i + r;
        if (const Index seen = block.seen(r); seen > 0) {
          earlier[r] = soften(s, seen, factor, args.causal, *top, *sum);
        } else {
          end_row<T>(s, 0, T(0), true);
        }
      }
      if (key == 0) {
        sum_over_keys<T>(block, scores, values, out, args.y.at(n, h, i), args.y.row);
        continue;
      }
      sum_over_keys<T>(block, scores, values, out, part, rest);
      for (Index r = 0; r < block.rows; ++r) {
        if (block.seen(r) == 0) continue;
        T *y = args.y.at(n, h, i + r), *p = part + r * rest;
        for (Index c = 0; c < DV; ++c) y[c] = y[c] * earlier[r] + p[c];
      }
    }
  }
  for (Index i = first; i < stop; ++i) {
    T* y = args.y.at(n, h, i);
    const T inverse = T(1) / args.inverse[item + i];
    args.inverse[item + i] = inverse;
    for (Index c = 0; c < DV; ++c) y[c] *= inverse;
  }
}

template <class T>
T dot(const T* a, const T* b, Index n) {
  T lanes[kLanes] = {};
  for (; n >= kLanes; n -= kLanes, a += kLanes, b += kLanes) {
    for (Index j = 0; j < kLanes; ++j) lanes[j] += a[j] * b[j];
  }
  for (Index j = 0; j < n; ++j) lanes[j] += a[j] * b[j];
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  }
  return lanes[0];
}

template <class T>
void add_rows(T* to, Index to_row, const T* from, Index from_row, Index rows, Index columns) {
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) to[r * to_row + c] += from[r * from_row + c];
  }
}

template <class T>
void zero_rows(const HeadRows<T>& rows, Index n, Index h, Index first, Index last, Index columns) {
  for (Index t = first; t < last; ++t) fill(rows.at(n, h, t), columns, T(0));
}

template <class T>
void backward_level(const AttentionArgs<T>& args, Index n, Index h) {
  const Index D = args.width, DV = args.value_width, queries = args.queries_of(n);
  const Index all_keys = args.causal ? smaller(args.keys_of(n), queries) : queries > 0 ? args.keys_of(n) : 0;
  const Index item = (n * args.heads + h) * args.queries;
  zero_rows(args.dq, n, h, all_keys > 0 ? queries : 0, args.queries, D);
  zero_rows(args.dk, n, h, all_keys, args.keys, D);
  zero_rows(args.dv, n, h, all_keys, args.keys, DV);
  if (all_keys == 0) return;
  const Columns<T> in(D), out(DV);
  const T factor = static_cast<T>(static_cast<double>(args.scale) * kLog2E);
  const Index wide = in.width(), rest = out.width();
  const Index most = smaller(all_keys, kBackwardKeys), step = query_step(smaller(queries, kChainLength));
  const Index panel = Columns<T>(most).width(), stride = score_stride<T>(most);
  const bool cut = queries > kChainLength;
  Scratch<T> memory(static_cast<std::size_t>(panel * (D + DV) + most * wide + step * (wide + rest) + 2 * step * stride +
                                             step * wide + (cut ? most * (wide + rest) : 0) + queries));
  T *turned_keys = memory.get(), *turned_values = turned_keys + panel * D, *keys = turned_values + panel * DV;
  T *q = keys + most * wide, *dy = q + step * wide, *shares = dy + step * rest, *ds = shares + step * stride;
  T *part = ds + step * stride, *delta = part + step * wide, *dk_part = delta + queries;
  T* dv_part = dk_part + most * wide;
  for (Index i = 0; i < queries; ++i) delta[i] = dot(args.dy.at(n, h, i), args.y.at(n, h, i), DV);
  for (Index key = 0; key < all_keys; key += most) {
    const Index count = smaller(most, all_keys - key);
    const Columns<T> columns(count);
    arrange_turned(args.k.at(n, h, key), args.k.row, D, columns, turned_keys);
    arrange_turned(args.v.at(n, h, key), args.v.row, DV, columns, turned_values);
    arrange_rows(args.k.at(n, h, key), args.k.row, count, in, keys);
    bool begun = false;  // whether dk and dv have had earlier queries
    for (Index chain = 0; chain < queries; chain += kChainLength) {
      const Index stop = smaller(queries, chain + kChainLength);
      const bool apart = begun;  // a further chain, which is added at its end
      T *dk = apart ? dk_part : args.dk.at(n, h, key), *dv = apart ? dv_part : args.dv.at(n, h, key);
      const Index dk_row = apart ? wide : args.dk.row, dv_row = apart ? rest : args.dv.row;
      bool from_c = false;
      for (Index i = chain; i < stop; i += step) {
        const Block block{i, smaller(step, stop - i), key, count, args.causal, stride};
        if (block.seen(block.rows - 1) == 0) continue;
        score<T>(block, args.q.at(n, h, i), args.q.row, D, turned_keys, columns, shares);
        score<T>(block, args.dy.at(n, h, i), args.dy.row, DV, turned_values, columns, ds);
        for (Index r = 0; r < block.rows; ++r) {
          T *s = shares + r * stride, *d = ds + r * stride;
          const Index seen = block.seen(r);
          end_row<T>(s, seen, static_cast<T>(-__builtin_inf()), args.causal);
          end_row<T>(d, seen, T(0), args.causal);
          const Vec<T> top = broadcast(args.top[item + i + r]), inverse = broadcast(args.inverse[item + i + r]);
          const Vec<T> by = broadcast(factor), scale = broadcast(args.scale), of_row = broadcast(delta[i + r]);
          for_lanes<T>(seen, [&](Index c, int) {
            const Vec<T> p = exp2_share((load(s + c) - top) * by) * inverse;
            store(s + c, p);
            store(d + c, p * (load(d + c) - of_row) * scale);
          });
        }
        arrange_rows(args.q.at(n, h, i), args.q.row, block.rows, in, q);
        arrange_rows(args.dy.at(n, h, i), args.dy.row, block.rows, out, dy);
        sum_over_queries<T>(block, shares, dy, out, dv, dv_row, from_c);
        sum_over_queries<T>(block, ds, q, in, dk, dk_row, from_c);
        from_c = true;
        if (key == 0) {
          sum_over_keys<T>(block, ds, keys, in, args.dq.at(n, h, i), args.dq.row);
        } else {
          sum_over_keys<T>(block, ds, keys, in, part, wide);
          add_rows(args.dq.at(n, h, i), args.dq.row, part, wide, block.rows, D);
        }
      }
      if (apart) {
        add_rows(args.dk.at(n, h, key), args.dk.row, dk_part, wide, count, D);
        add_rows(args.dv.at(n, h, key), args.dv.row, dv_part, rest, count, DV);
      }
      begun = begun || from_c;
    }
  }
}

template <class T>
constexpr AttentionKernels<T> kKernels = {forward_level<T>, backward_level<T>};

}  // namespace

extern const BothTypes<AttentionKernels> CATALASE_AT_LEVEL(attention) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
