// Small helpers that the drivers of direct convolution share.
#pragma once

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"
#include "conv/direct.h"
#include "conv/rows.h"

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

// The vectors, and the panels of them, that `cols` columns fill.
template <class T>
Index vectors_of(Index cols) {
  return ceil_div(cols, conv_kernels<T>().width);
}
template <class T>
Index panels_of(Index cols) {
  return ceil_div(vectors_of<T>(cols), conv_kernels<T>().panel_vectors);
}

// Units in a block: as many as let x stay in L2, and enough pixels that reading the weights again costs little.
template <class T>
Index units_per_block(const RowReader<T>& reader) {
  const Index by_bytes = kBlockBytes / (reader.unit_bytes() > 0 ? reader.unit_bytes() : 1);
  const Index most = kBlockPixels / reader.widest(), fewest = ceil_div(kFewestPixels, reader.widest());
  const Index units = smaller(by_bytes, most);
  return units > fewest ? units : fewest;
}

// Terms [from, to) of a chain of segments; returns the number of segments.
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
