// The gradient of the weights: terms are pixels, rows are (tap, channel), columns are output channels. If one vector
// holds all output channels and the window of a pixel is long, rows and columns are exchanged (the chains are the
// same).
//
// The chain over pixels is cut every kChainLength. Each part is a separate task, cut further by rows of dw if parts are
// few; its sums go to a buffer, and the parts are added in order. So the bits do not depend on the number of threads.
#include "common/partition.h"
#include "conv/direct.h"
#include "conv/parts.h"

namespace catalase {
namespace {

constexpr Index kPartBytes = 32 << 20;  // buffers for the parts of a round
// Pixels in a block of the chain. Their x lies C apart, which for C = 64 uses a quarter of the sets of L1.
constexpr Index kWeightTerms = 128;
constexpr Index kFewestRows = 64;  // of a task; with fewer, reading x would cost too much

template <class T>
struct WeightsTask {
  const ConvShape& s;
  const T* x;
  const T* dy;
  bool flip;
  Index first_pixel, last_pixel;  // pixels of the part
  Index row, row_end;             // (tap, channel) of a group; channels of dy if depthwise
  T* sums;                        // (taps, C / groups, O)

  void run() const;
  void add_block(const RowReader<T>& reader, const T* data, const Segment* segments, Index count, Index pixel,
                 Index pixels, Index* index, Segment* slices, T* packed, bool from_sums) const;
  void add_windows(const RowReader<T>& reader, const T* data, const Segment* segments, Index count, Index pixel,
                   Index pixels, Segment* slices, T* turned, bool from_sums) const;
  void turn_back(const T* turned) const;
  void add_depthwise(const RowReader<T>& reader, const T* data, const Segment* segments, Index count, Index pixel,
                     Index* index, bool from_sums) const;

  Index tap_of(const RowReader<T>& reader, Index t) const {
    return reader.tap(t / (s.kernel[1] * s.kernel[2]), t / s.kernel[2] % s.kernel[1], t % s.kernel[2]);
  }
};

// One block of units in slices of block_terms pixels.
template <class T>
void WeightsTask<T>::add_block(const RowReader<T>& reader, const T* data, const Segment* segments, Index count,
                               Index pixel, Index pixels, Index* index, Segment* slices, T* packed,
                               bool from_sums) const {
  const Index channels = s.in_channels / s.groups, outputs = s.out_channels / s.groups, rows = row_end - row;
  Index* a = index;
  Index* c = index + rows;
  for (Index i = 0; i < rows; ++i) {
    const Index k = row + i, t = k / channels;
    a[i] = tap_of(reader, t) + k % channels;
    c[i] = ((flip ? tap_count(s) - 1 - t : t) * channels + k % channels) * s.out_channels;
  }
  const Index blocks = ceil_div(pixels, kWeightTerms);
  for (Index b = 0; b < blocks; ++b) {
    const Index from = even_start(pixels, blocks, b), to = even_start(pixels, blocks, b + 1);
    SegmentProduct<T> p;
    p.segments = slices;
    p.segment_count = slice(segments, count, reader.pixel_step(), from, to, slices);
    p.step = reader.pixel_step();
    p.row_count = rows;
    p.panel_terms = to - from;
    p.cols = outputs;
    p.panel_end = panels_of<T>(outputs);
    for (Index g = 0; g < s.groups; ++g) {
      const T* source = dy + (pixel + from) * s.out_channels + g * outputs;
      const bool in_place = s.groups == 1 && p.panel_end == 1 && outputs % conv_kernels<T>().width == 0;
      if (!in_place) conv_kernels<T>().pack({source, to - from, outputs, s.out_channels, 1}, to - from, 0, packed);
      p.b = in_place ? source : packed;
      p.a = {data + g * channels, a};
      p.c = {sums + g * outputs, c};
      p.start = from_sums || b > 0 ? RowTable<const T>{p.c.data, c} : RowTable<const T>();
      conv_kernels<T>().product(p);
    }
  }
}

// Whether the windows of a pixel are used: one for each (kd, kh), as long as kw and the channels, with one row for each
// output in `turned`.
bool by_windows(const ConvShape& s, Index width) {
  const Index window = s.kernel[2] * s.in_channels, used = round_up(window, width);
  return s.groups == 1 && (s.dilation[2] == 1 || s.kernel[2] == 1) && s.out_channels <= width && window >= 2 * width &&
         used * s.out_channels <= window * width + window * width / 4;
}

template <class T>
struct Turned {
  Index windows, window, padded;

  explicit Turned(const ConvShape& s)
      : windows(s.kernel[0] * s.kernel[1]),
        window(s.kernel[2] * s.in_channels),
        padded(vectors_of<T>(window) * conv_kernels<T>().width) {}
  Index row() const { return windows * padded; }
};

template <class T>
void WeightsTask<T>::add_windows(const RowReader<T>& reader, const T* data, const Segment* segments, Index count,
                                 Index pixel, Index pixels, Segment* slices, T* turned, bool from_sums) const {
  const Turned<T> t(s);
  const Index blocks = ceil_div(pixels, kWeightTerms);
  for (Index b = 0; b < blocks; ++b) {
    const Index from = even_start(pixels, blocks, b), to = even_start(pixels, blocks, b + 1);
    WindowSums<T> args;
    args.segments = slices;
    args.segment_count = slice(segments, count, reader.pixel_step(), from, to, slices);
    args.step = reader.pixel_step();
    args.window = t.window;
    args.dy = dy + (pixel + from) * s.out_channels;
    args.dy_row = args.outputs = s.out_channels;
    args.sum_row = t.row();
    args.from_sums = from_sums || b > 0;
    for (Index w = 0; w < t.windows; ++w) {
      args.x = data + reader.tap(w / s.kernel[1], w % s.kernel[1], 0);
      args.sums = turned + w * t.padded;
      conv_kernels<T>().windows(args);
    }
  }
}

template <class T>
void WeightsTask<T>::turn_back(const T* turned) const {
  const Turned<T> t(s);
  for (Index w = 0; w < t.windows; ++w) {
    for (Index i = 0; i < t.window; ++i) {
      const Index tap = w * s.kernel[2] + i / s.in_channels;
      T* target = sums + ((flip ? tap_count(s) - 1 - tap : tap) * s.in_channels + i % s.in_channels) * s.out_channels;
      for (Index o = 0; o < s.out_channels; ++o) target[o] = turned[o * t.row() + w * t.padded + i];
    }
  }
}

template <class T>
void WeightsTask<T>::add_depthwise(const RowReader<T>& reader, const T* data, const Segment* segments, Index count,
                                   Index pixel, Index* index, bool from_sums) const {
  const Index taps = tap_count(s);
  Index* pixels = index + taps;
  for (Index t = 0; t < taps; ++t) index[flip ? taps - 1 - t : t] = tap_of(reader, t);
  Index n = 0;
  for (Index i = 0; i < count; ++i) {
    for (Index j = 0; j < segments[i].length; ++j) pixels[n++] = segments[i].offset + j * reader.pixel_step();
  }
  DepthwiseWeights<T> args;
  args.x = {data, pixels};
  args.pixel_count = n;
  args.taps = index;
  args.tap_count = taps;
  args.dy = dy + pixel * s.out_channels;
  args.dy_row = args.channels = s.out_channels;
  args.dw = sums;
  args.from_dw = from_sums;
  conv_kernels<T>().depthwise_weights(args);
}

template <class T>
void WeightsTask<T>::run() const {
  const bool depthwise = is_depthwise(s);
  RowReader<T> reader(s, x, depthwise ? s.out_channels / s.groups : 1);
  const Index outputs = s.out_channels / s.groups, per_block = units_per_block(reader);
  const Index begin = reader.unit_of(first_pixel), end = reader.unit_of(last_pixel - 1) + 1;
  const Index most = smaller(per_block, end - begin), pixels = most * reader.widest();
  Scratch<Index> index(static_cast<std::size_t>(most + tap_count(s) + pixels + 2 * (row_end - row)));
  Scratch<Segment> segments(static_cast<std::size_t>(2 * most));
  const Index width = round_up(outputs, conv_kernels<T>().width);
  const bool windows = by_windows(s, conv_kernels<T>().width);
  const Index buffer = windows ? outputs * Turned<T>(s).row() : depthwise ? 0 : kWeightTerms * width;
  Scratch<T> packed(static_cast<std::size_t>(buffer));  // or `turned`
  const Index blocks = ceil_div(end - begin, per_block);
  Index pixel = first_pixel;
  for (Index b = 0; b < blocks; ++b) {
    const Index from = begin + even_start(end - begin, blocks, b), to = begin + even_start(end - begin, blocks, b + 1);
    Scratch<T> copy(static_cast<std::size_t>(reader.copy_size(from, to)));
    Index* first = index.get();
    const T* data = reader.load(from, to, copy.get(), first);
    Index count = 0, terms = 0;
    for (Index u = from; u < to; ++u) {  // the part may begin and end inside a row
      const Unit at = reader.unit(u);
      const Index start = ((at.image * s.out[0] + at.d) * s.out[1] + at.h) * s.out[2] + at.w;
      const Index skip = start < first_pixel ? first_pixel - start : 0;
      const Index stop = start + at.width > last_pixel ? last_pixel - start : at.width;
      segments.get()[count++] = {first[u - from] + skip * reader.pixel_step(), stop - skip};
      terms += stop - skip;
    }
    if (depthwise) {
      add_depthwise(reader, data, segments.get(), count, pixel, first + most, b > 0);
    } else if (windows) {
      add_windows(reader, data, segments.get(), count, pixel, terms, segments.get() + most, packed.get(), b > 0);
    } else {
      add_block(reader, data, segments.get(), count, pixel, terms, first + most, segments.get() + most, packed.get(),
                b > 0);
    }
    pixel += terms;
  }
  if (windows) turn_back(packed.get());
}

}  // namespace

template <class T>
void direct_backward_weights(const ConvShape& s, bool flip, const T* x, const T* dy, T* dw) {
  const Index rows = tap_count(s) * (s.in_channels / s.groups), size = rows * s.out_channels;
  const Index pixels = pixel_count(s);
  if (size == 0) return;
  if (pixels == 0) {
    __builtin_memset(dw, 0, static_cast<std::size_t>(size) * sizeof(T));
    return;
  }
  const Index parts = ceil_div(pixels, kChainLength), threads = threads_for(s);
  Index round = kPartBytes / (size * static_cast<Index>(sizeof(T)));
  round = smaller(round, 4 * threads);
  if (threads == 1 || round < 1) round = 1;
  round = smaller(round, parts);
  Index splits = threads > 1 && round < 4 * threads ? ceil_div(4 * threads, round) : 1;
  if (splits > rows / kFewestRows) splits = rows / kFewestRows;
  if (splits < 1 || is_depthwise(s) || by_windows(s, conv_kernels<T>().width)) splits = 1;
  Scratch<T> buffers(static_cast<std::size_t>(parts > 1 ? round * size : 0));
  for (Index part = 0; part < parts; part += round) {
    const Index here = smaller(parts - part, round);
    // The first part is written to dw directly.
    const auto target = [&](Index i) { return part + i == 0 ? dw : buffers.get() + i * size; };
    const auto task = [&](Index i) {
      const Index p = part + i / splits, q = i % splits;
      const Index end = smaller((p + 1) * kChainLength, pixels);
      WeightsTask<T>{s,
                     x,
                     dy,
                     flip,
                     p * kChainLength,
                     end,
                     even_start(rows, splits, q),
                     even_start(rows, splits, q + 1),
                     target(i / splits)}
          .run();
    };
    if (threads > 1) {
      parallel_for(here * splits, task);
    } else {
      for (Index i = 0; i < here * splits; ++i) task(i);
    }
    parallel_ranges(size, 65536, [&](Index begin, Index end) {
      for (Index i = part == 0 ? 1 : 0; i < here; ++i) {
        const T* sums = target(i);
        for (Index j = begin; j < end; ++j) dw[j] = dw[j] + sums[j];
      }
    });
  }
}

template void direct_backward_weights<float>(const ConvShape&, bool, const float*, const float*, float*);
template void direct_backward_weights<double>(const ConvShape&, bool, const double*, const double*, double*);

}  // namespace catalase
