// Reductions over lists of rows, one thread, one level.
//
// Loops, outermost first: lists, columns in blocks of vectors, entries. The block's sums (or maxima) stay in registers.

#include "common/partition.h"
#include "cpu/simd.h"
#include "cpu/simd_channels.h"
#include "elementwise/vecmath.h"
#include "graph/graph.h"

namespace catalase {
namespace {

// f.operator()<U>(c, lanes) for U vectors from column c on: eight, four, two or one, the last under a mask of lanes.
template <class T, class F>
inline void for_columns(Index left, Index right, F f) {
  constexpr Index W = kWidth<T>;
  Index c = left;
  for (; c + 8 * W <= right; c += 8 * W) f.template operator()<8>(c, AllLanes<T>{});
  if (c + 4 * W <= right) f.template operator()<4>(c, AllLanes<T>{}), c += 4 * W;
  if (c + 2 * W <= right) f.template operator()<2>(c, AllLanes<T>{}), c += 2 * W;
  if (c + W <= right) f.template operator()<1>(c, AllLanes<T>{}), c += W;
  if (c < right) f.template operator()<1>(c, SomeLanes<T>{first_lanes<T>(right - c)});
}

inline Index row_of(const RowLists& lists, Index e) {
  return lists.index == nullptr ? e : lists.index[e];
}

// The vector type's integers count entries as Winner<T> does.
template <class T>
inline Mask<T> everywhere(Index e) {
  return Mask<T>{} + static_cast<Winner<T>>(e);
}

// total = the sum of term(e, u) over the entries [begin, end), in chains of kChainLength.
template <class T, int U, class Term>
inline void chain_sum(Index begin, Index end, Vec<T> (&total)[U], Term term) {
  for (Index e = begin; e < end;) {
    const Index stop = smaller(e + kChainLength, end);
    Vec<T> part[U];
#pragma GCC unroll 8
    for (int u = 0; u < U; ++u) part[u] = term(e, u);
    for (Index i = e + 1; i < stop; ++i) {
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) part[u] = part[u] + term(i, u);
    }
#pragma GCC unroll 8
    for (int u = 0; u < U; ++u) total[u] = e == begin ? part[u] : total[u] + part[u];
    e = stop;
  }
}

template <class T>
void sum_level(const RowLists& lists, const SumArgs<T>& args, ListPart part) {
  constexpr Index W = kWidth<T>;
  const MatrixView<const T> x = args.x;
  for (Index r = part.first; r < part.last; ++r) {
    const Index begin = lists.offsets[r], end = lists.offsets[r + 1];
    const T count = static_cast<T>(end - begin);
    const T* z = args.z.data == nullptr ? nullptr : args.z.at(args.kind == nullptr ? r : args.kind[r], 0);
    for_columns<T>(part.left, part.right, [&]<int U>(Index c, auto lanes) {
      Vec<T> total[U] = {};
      chain_sum<T, U>(begin, end, total, [&](Index e, int u) { return lanes.get(x.at(row_of(lists, e), c) + u * W); });
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        Vec<T> v = args.mean && end > begin ? total[u] / count : total[u];
        if (z != nullptr) v = v + lanes.get(z + c + u * W);
        lanes.put(args.out.at(r, c) + u * W, args.relu ? relu<T>(v) : v);
      }
    });
  }
}

template <class T>
void max_level(const RowLists& lists, MatrixView<const T> x, MatrixView<T> out, Winner<T>* winners, ListPart part) {
  constexpr Index W = kWidth<T>;
  const Index columns = x.cols;
  for (Index r = part.first; r < part.last; ++r) {
    const Index begin = lists.offsets[r], end = lists.offsets[r + 1];
    for_columns<T>(part.left, part.right, [&]<int U>(Index c, auto lanes) {
      Vec<T> best[U] = {};
      Mask<T> winner[U];
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        winner[u] = everywhere<T>(begin < end ? begin : -1);
        if (begin < end) best[u] = lanes.get(x.at(row_of(lists, begin), c) + u * W);
      }
      for (Index e = begin + 1; e < end; ++e) {
        const T* row = x.at(row_of(lists, e), c);
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) {
          const Vec<T> v = lanes.get(row + u * W);
          const Mask<T> stays = (best[u] >= v) | (best[u] != best[u]);
          best[u] = select<T>(stays, best[u], v);
          winner[u] = (stays & winner[u]) | (~stays & everywhere<T>(e));
        }
      }
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        if (out.data != nullptr) lanes.put(out.at(r, c) + u * W, best[u]);
        if (winners != nullptr) {
          lanes.put(reinterpret_cast<T*>(winners) + r * columns + c + u * W, (Vec<T>)winner[u]);
        }
      }
    });
  }
}

template <class T, class Lanes>
inline Mask<T> winners_at(const Winner<T>* winners, Lanes lanes) {
  return (Mask<T>)lanes.get(reinterpret_cast<const T*>(winners));
}

template <class T>
void max_backward_level(const RowLists& lists, const Winner<T>* winners, MatrixView<const T> dy, MatrixView<T> dx,
                        ListPart part) {
  constexpr Index W = kWidth<T>;
  for (Index r = part.first; r < part.last; ++r) {
    for (Index e = lists.offsets[r]; e < lists.offsets[r + 1]; ++e) {
      for_columns<T>(part.left, part.right, [&]<int U>(Index c, auto lanes) {
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) {
          const Mask<T> won = winners_at<T>(winners + r * dx.cols + c + u * W, lanes) == everywhere<T>(e);
          lanes.put(dx.at(e, c) + u * W, select<T>(won, lanes.get(dy.at(r, c) + u * W), Vec<T>{}));
        }
      });
    }
  }
}

template <class T>
void won_sum_level(const RowLists& lists, const std::int32_t* entries, const Winner<T>* winners, MatrixView<const T> x,
                   MatrixView<T> out, ListPart part) {
  constexpr Index W = kWidth<T>;
  for (Index r = part.first; r < part.last; ++r) {
    for_columns<T>(part.left, part.right, [&]<int U>(Index c, auto lanes) {
      Vec<T> total[U] = {};
      chain_sum<T, U>(lists.offsets[r], lists.offsets[r + 1], total, [&](Index e, int u) {
        const Index row = lists.index[e];
        const Mask<T> won = winners_at<T>(winners + row * x.cols + c + u * W, lanes) == everywhere<T>(entries[e]);
        return select<T>(won, lanes.get(x.at(row, c) + u * W), Vec<T>{});
      });
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) lanes.put(out.at(r, c) + u * W, total[u]);
    });
  }
}

template <class T>
void softmax_level(const RowLists& lists, MatrixView<const T> x, MatrixView<T> y, ListPart part) {
  for (Index r = part.first; r < part.last; ++r) {
    const Index begin = lists.offsets[r], end = lists.offsets[r + 1];
    if (begin == end) continue;
    const auto columns = [&](Index c, auto lanes) {
      Vec<T> most = lanes.get(x.at(begin, c));
      for (Index e = begin + 1; e < end; ++e) {
        const Vec<T> v = lanes.get(x.at(e, c));
        most = select<T>((most >= v) | (most != most), most, v);
      }
      Vec<T> total = {};
      for (Index e = begin; e < end; ++e) {
        const Vec<T> v = exp(lanes.get(x.at(e, c)) - most);
        total = total + v;
        lanes.put(y.at(e, c), v);
      }
      for (Index e = begin; e < end; ++e) lanes.put(y.at(e, c), lanes.get(y.at(e, c)) / total);
    };
    Index c = part.left;
    for (; c + kWidth<T> <= part.right; c += kWidth<T>) columns(c, AllLanes<T>{});
    if (c < part.right) columns(c, SomeLanes<T>{first_lanes<T>(part.right - c)});
  }
}

template <class T>
void softmax_backward_level(const RowLists& lists, MatrixView<const T> dy, MatrixView<const T> y, MatrixView<T> dx,
                            ListPart part) {
  for (Index r = part.first; r < part.last; ++r) {
    const Index begin = lists.offsets[r], end = lists.offsets[r + 1];
    const auto columns = [&](Index c, auto lanes) {
      Vec<T> total = {};
      for (Index e = begin; e < end; ++e) total = total + lanes.get(dy.at(e, c)) * lanes.get(y.at(e, c));
      for (Index e = begin; e < end; ++e) {
        lanes.put(dx.at(e, c), lanes.get(y.at(e, c)) * (lanes.get(dy.at(e, c)) - total));
      }
    };
    Index c = part.left;
    for (; c + kWidth<T> <= part.right; c += kWidth<T>) columns(c, AllLanes<T>{});
    if (c < part.right) columns(c, SomeLanes<T>{first_lanes<T>(part.right - c)});
  }
}

template <class T>
void spread_level(const RowLists& lists, bool mean, MatrixView<const T> dy, MatrixView<T> dx, ListPart part) {
  constexpr Index W = kWidth<T>;
  for (Index r = part.first; r < part.last; ++r) {
    const Index begin = lists.offsets[r], end = lists.offsets[r + 1];
    const T count = static_cast<T>(end - begin);
    for_columns<T>(part.left, part.right, [&]<int U>(Index c, auto lanes) {
      if (begin == end) return;
      Vec<T> v[U];
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) {
        v[u] = lanes.get(dy.at(r, c) + u * W);
        if (mean) v[u] = v[u] / count;
      }
      for (Index e = begin; e < end; ++e) {
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) lanes.put(dx.at(e, c) + u * W, v[u]);
      }
    });
  }
}

template <class T>
constexpr GraphKernels<T> kKernels = {
    sum_level<T>,    max_level<T>, max_backward_level<T>, won_sum_level<T>, softmax_level<T>, softmax_backward_level<T>,
    spread_level<T>,
};

}  // namespace

extern const BothTypes<GraphKernels> CATALASE_AT_LEVEL(graph) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
