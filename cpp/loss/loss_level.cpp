// Softmax and losses, one thread, one level.
//
// Lanes are rows: a group of kWidth rows is first transposed into [class][lane], so rows of two classes fill a register
// as well as rows of a thousand, and every sum over classes is one chain in ascending order, with the same bits at
// every level and for any batch. Bound: the exponentials; the transposition costs one load and one store a value.

#include "common/memory.h"
#include "common/partition.h"
#include "cpu/simd.h"
#include "elementwise/vecmath.h"
#include "loss/loss.h"

namespace catalase {
namespace {

// Rows [0, lanes) of x become tile[class * W + lane]; spare lanes repeat row 0.
template <class T>
inline void turn_in(const T* x, Index lanes, Index classes, T* tile) {
  constexpr Index W = kWidth<T>;
  for (Index lane = 0; lane < W; ++lane) {
    const T* row = x + (lane < lanes ? lane : 0) * classes;
    for (Index c = 0; c < classes; ++c) tile[c * W + lane] = row[c];
  }
}

template <class T>
inline void turn_out(const T* tile, Index lanes, Index classes, T* y) {
  constexpr Index W = kWidth<T>;
  for (Index lane = 0; lane < lanes; ++lane) {
    for (Index c = 0; c < classes; ++c) y[lane * classes + c] = tile[c * W + lane];
  }
}

template <class T>
inline Vec<T> tile_max(const T* tile, Index classes) {
  Vec<T> top = load(tile);
  for (Index c = 1; c < classes; ++c) {
    const Vec<T> x = load(tile + c * kWidth<T>);
    top = select<T>((x > top) | (x != x), x, top);
  }
  return top;
}

// tile[c] = exp(tile[c] - top); returns the sum.
template <class T>
inline Vec<T> tile_exp(T* tile, Index classes, Vec<T> top) {
  Vec<T> sum = {};
  for (Index c = 0; c < classes; ++c) {
    const Vec<T> e = exp(load(tile + c * kWidth<T>) - top);
    store(tile + c * kWidth<T>, e);
    sum = sum + e;
  }
  return sum;
}

template <class T>
void softmax_level(bool log_form, const T* x, T* y, Index rows, Index classes) {
  constexpr Index W = kWidth<T>;
  if (classes == 0) return;
  Scratch<T> scratch(static_cast<std::size_t>(2 * classes * W));
  T *tile = scratch.get(), *exps = tile + classes * W;
  for (Index r = 0; r < rows; r += W) {
    const Index lanes = smaller(rows - r, W);
    turn_in(x + r * classes, lanes, classes, tile);
    const Vec<T> top = tile_max(tile, classes);
    for (Index i = 0; i < classes * W; i += W) store(exps + i, load(tile + i));
    const Vec<T> sum = tile_exp(exps, classes, top);
    if (log_form) {
      const Vec<T> log_sum = log(sum);
      for (Index i = 0; i < classes * W; i += W) store(exps + i, (load(tile + i) - top) - log_sum);
    } else {
      for (Index i = 0; i < classes * W; i += W) store(exps + i, load(exps + i) / sum);
    }
    turn_out(exps, lanes, classes, y + r * classes);
  }
}

// softmax: dx = y (dy - sum dy y).  log softmax: dx = dy - exp(y) sum dy.
template <class T>
void softmax_backward_level(bool log_form, const T* dy, const T* y, T* dx, Index rows, Index classes) {
  for (Index r = 0; r < rows; ++r, dy += classes, y += classes, dx += classes) {
    T sum = T(0);
    for (Index c = 0; c < classes; ++c) sum = log_form ? sum + dy[c] : fma(dy[c], y[c], sum);
    if (log_form) {
      Index c = 0;
      const Vec<T> total = broadcast(sum);
      for (; c + kWidth<T> <= classes; c += kWidth<T>) store(dx + c, load(dy + c) - exp(load(y + c)) * total);
      if (c < classes) {
        const Index rest = classes - c;
        const LaneMask<T> lanes = first_lanes<T>(rest);
        store_lanes(dx + c, load_lanes(dy + c, lanes) - exp(load_lanes(y + c, lanes)) * total, lanes);
      }
    } else {
      for (Index c = 0; c < classes; ++c) dx[c] = y[c] * (dy[c] - sum);
    }
  }
}

// The label of a row; a label out of range (a missing label, whose weight is 0) counts as class 0.
inline Index safe_label(std::int64_t label, Index classes) {
  return label >= 0 && label < classes ? label : 0;
}

template <class T>
inline T weight_of(const LossArgs<T>& args, Index i) {
  return args.weights == nullptr ? T(1) : args.weights[i];
}

// loss = w sum_c p_c (log sum exp x - x_c);  gradient = dloss w (softmax_c sum p - p_c).
template <class T>
void softmax_loss(bool backward, const LossArgs<T>& args) {
  constexpr Index W = kWidth<T>;
  const Index classes = args.classes;
  if (classes == 0) return;
  Scratch<T> scratch(static_cast<std::size_t>(classes * W));
  T* tile = scratch.get();
  for (Index r = 0; r < args.rows; r += W) {
    const Index lanes = smaller(args.rows - r, W);
    turn_in(args.logits + r * classes, lanes, classes, tile);
    const Vec<T> top = tile_max(tile, classes);
    const Vec<T> sum = tile_exp(tile, classes, top);
    const Vec<T> log_sum = log(sum) + top;
    for (Index lane = 0; lane < lanes; ++lane) {
      const Index i = r + lane;
      const T* x = args.logits + i * classes;
      const T* p = args.targets == nullptr ? nullptr : args.targets + i * classes;
      const Index label = p == nullptr ? safe_label(args.labels[i], classes) : 0;
      const T weight = weight_of(args, i);
      if (!backward) {
        T value = T(0);
        if (weight != T(0)) {
          if (p == nullptr) value = log_sum[lane] - x[label];
          for (Index c = 0; p != nullptr && c < classes; ++c) value = fma(p[c], log_sum[lane] - x[c], value);
          value = weight * value;
        }
        args.out[i] = value;
        continue;
      }
      T* dx = args.out + i * classes;
      if (weight == T(0)) {
        for (Index c = 0; c < classes; ++c) dx[c] = T(0);
        continue;
      }
      const T scale = args.dloss[i] * weight;
      T total = T(1);
      if (p != nullptr) {
        total = T(0);
        for (Index c = 0; c < classes; ++c) total = total + p[c];
      }
      for (Index c = 0; c < classes; ++c) {
        const T target = p != nullptr ? p[c] : (c == label ? T(1) : T(0));
        dx[c] = scale * (tile[c * W + lane] / sum[lane] * total - target);
      }
    }
  }
}

// f(logit, target) at every element, times the weight (and dloss); weight 0 gives 0.
template <class T, class F>
inline void elementwise_loss(bool backward, const LossArgs<T>& args, F f) {
  using V = Vec<T>;
  for (Index i = 0; i < args.rows; i += kWidth<T>) {
    const Index n = args.rows - i;
    const bool full = n >= kWidth<T>;
    const auto read = [&](const T* p) {
      if (p == nullptr) return broadcast(T(1));
      return full ? load(p + i) : load_lanes(p + i, first_lanes<T>(n));
    };
    const V weight = read(args.weights);
    V value = weight * f(read(args.logits), read(args.targets));
    if (backward) value = read(args.dloss) * value;
    value = select<T>(weight == V{}, V{}, value);
    if (full) {
      store(args.out + i, value);
    } else {
      store_lanes(args.out + i, value, first_lanes<T>(n));
    }
  }
}

template <class T>
void loss_level(Loss kind, bool backward, const LossArgs<T>& args) {
  using V = Vec<T>;
  switch (kind) {
    case Loss::kSoftmax:
      return softmax_loss(backward, args);
#define CATALASE_CASE(enumerator, name, loss_of_xz, slope)                                  \
  case Loss::enumerator:                                                                    \
    if (backward) return elementwise_loss(true, args, [](V x, V z) -> V { return slope; }); \
    return elementwise_loss(false, args, [](V x, V z) -> V { return loss_of_xz; });
      CATALASE_ELEMENTWISE_LOSSES(CATALASE_CASE)
#undef CATALASE_CASE
    case Loss::kCount:
      break;
  }
}

template <class T>
constexpr LossKernels<T> kKernels = {
    softmax_level<T>,
    softmax_backward_level<T>,
    loss_level<T>,
};

}  // namespace

extern const BothTypes<LossKernels> CATALASE_AT_LEVEL(loss) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
