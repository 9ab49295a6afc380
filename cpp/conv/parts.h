// Small helpers that the drivers of direct convolution share.
#pragma once

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "conv/direct.h"
#include "conv/rows.h"
#include "cpu/dispatch.h"

namespace catalase {

constexpr Index kBlockBytes = 256 << 10;  // of x a block, in an L2 of 512 KiB or more
constexpr Index kBlockPixels = 1024, kFewestPixels = 144;

inline Index tap_count(const ConvShape& s) {
  return s.kernel[0] * s.kernel[1] * s.kernel[2];
}
inline Index pixel_count(const ConvShape& s) {
  return s.batch * s.out[0] * s.out[1] * s.out[2];
}
inline double multiply_adds(const ConvShape& s) {
  return static_cast<double>(pixel_count(s)) * static_cast<double>(tap_count(s) * (s.in_channels / s.groups)) *
         static_cast<double>(s.out_channels);
}
inline Index threads_for(const ConvShape& s) {
  return threads_for(multiply_adds(s));
}

template <class T>
struct LevelConv {
  static Index width() { return sizeof(T) == 4 ? level().conv->width_f32 : level().conv->width_f64; }
  static Index vectors(Index cols) { return ceil_div(cols, width()); }
  static Index panels(Index cols) { return ceil_div(vectors(cols), level().conv->panel_vectors); }
  static void product(const SegmentProduct<T>& p) {
    if constexpr (sizeof(T) == 4) {
      level().conv->product_f32(p);
    } else {
      level().conv->product_f64(p);
    }
  }
  static void pack(MatrixView<const T> source, Index panel_terms, Index term, T* packed) {
    if constexpr (sizeof(T) == 4) {
      level().conv->pack_f32(source, panel_terms, term, packed);
    } else {
      level().conv->pack_f64(source, panel_terms, term, packed);
    }
  }
  static void windows(const WindowSums<T>& args) {
    if constexpr (sizeof(T) == 4) {
      level().conv->windows_f32(args);
    } else {
      level().conv->windows_f64(args);
    }
  }
  static void add_taps(const TapSums<T>& args) {
    if constexpr (sizeof(T) == 4) {
      level().conv->add_taps_f32(args);
    } else {
      level().conv->add_taps_f64(args);
    }
  }
  static void interleave(const PlanesToPixels<T>& args) {
    if constexpr (sizeof(T) == 4) {
      level().conv->interleave_f32(args);
    } else {
      level().conv->interleave_f64(args);
    }
  }
  static void depthwise(const DepthwiseForward<T>& args) {
    if constexpr (sizeof(T) == 4) {
      level().conv->depthwise_f32(args);
    } else {
      level().conv->depthwise_f64(args);
    }
  }
  static void depthwise_weights(const DepthwiseWeights<T>& args) {
    if constexpr (sizeof(T) == 4) {
      level().conv->depthwise_weights_f32(args);
    } else {
      level().conv->depthwise_weights_f64(args);
    }
  }
};

// Units in a block: what of x stays in L2, and enough pixels that reading the weights again costs little.
template <class T>
Index units_per_block(const RowReader<T>& reader) {
  const Index by_bytes = kBlockBytes / (reader.unit_bytes() > 0 ? reader.unit_bytes() : 1);
  const Index most = kBlockPixels / reader.widest(), fewest = ceil_div(kFewestPixels, reader.widest());
  const Index units = smaller(by_bytes, most);
  return units > fewest ? units : fewest;
}

// Terms [from, to) of a chain of segments; returns how many segments that gives.
inline Index slice(const Segment* segments, Index count, Index step, Index from, Index to, Segment* out) {
  Index n = 0, at = 0;
  for (Index i = 0; i < count && at < to; at += segments[i++].length) {
    const Index begin = from > at ? from - at : 0;
    const Index end = smaller(to - at, segments[i].length);
    if (begin < end) out[n++] = {segments[i].offset + begin * step, end - begin};
  }
  return n;
}

}  // namespace catalase
