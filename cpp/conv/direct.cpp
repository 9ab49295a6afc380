// The forward-like pass. Work is divided into blocks of output rows, and into groups of panels if blocks are few; every
// task makes its own copy of the rows that it reads, and waits for no other.
#include "conv/direct.h"

#include "common/partition.h"
#include "conv/parts.h"

namespace catalase {
namespace {

constexpr Index kShortSegment = 24;

template <class T>
struct Tables {  // of one block
  Index* a;
  Index* c;
  Index* part;  // rows of the buffer for later parts of the chain
  T* buffer;
  Segment* segments;
  Segment* slices;
};

// The addresses that the pixels of one unit read and write.
template <class T>
Index fill_rows(const DirectForward<T>& args, const RowReader<T>& reader, Index begin, Index end, const Index* first,
                Index* a, Index* c) {
  Index n = 0;
  for (Index u = begin; u < end; ++u) {
    const Unit at = reader.unit(u);
    const Index out = at.image * args.y_step[0] + at.d * args.y_step[1] + at.h * args.y_step[2] + at.w * args.y_step[3];
    for (Index i = 0; i < at.width; ++i, ++n) {
      a[n] = first[u - begin] + i * reader.pixel_step();
      c[n] = out + i * args.y_step[3];
    }
  }
  return n;
}

// Whether the taps of a row are one segment, because their channels are contiguous.
bool is_joined(const ConvShape& s) {
  return s.groups == 1 && (s.dilation[2] == 1 || s.kernel[2] == 1);
}
bool is_short(const ConvShape& s) {
  return s.in_channels / s.groups * (is_joined(s) ? s.kernel[2] : 1) < kShortSegment;
}

// The segments of one group's chain; short segments become single terms.
template <class T>
Index fill_segments(const ConvShape& s, const RowReader<T>& reader, Segment* out) {
  const Index channels = s.in_channels / s.groups;
  const bool joined = is_joined(s), single = is_short(s);
  const Index pieces = joined ? (s.kernel[2] > 0 ? 1 : 0) : s.kernel[2];
  const Index length = joined ? s.kernel[2] * channels : channels;
  Index n = 0;
  for (Index d = 0; d < s.kernel[0]; ++d) {
    for (Index h = 0; h < s.kernel[1]; ++h) {
      for (Index w = 0; w < pieces; ++w) {
        const Index at = reader.tap(d, h, w);
        if (!single) out[n++] = {at, length};
        for (Index t = 0; single && t < length; ++t) out[n++] = {at + t, 1};
      }
    }
  }
  return n;
}

// Computes the whole chain of a block of rows, part after part, and in a part one block of terms after the other.
template <class T>
void run_chain(SegmentProduct<T> p, Index terms, const Tables<T>& t, Index segments, const T* bias, bool relu) {
  const RowTable<T> y = p.c, buffer{t.buffer, t.part};
  const auto reading = [](const RowTable<T>& r) { return RowTable<const T>{r.data, r.rows}; };
  p.segments = t.slices;
  Index part = 0;
  do {
    const Index length = smaller(terms - part, kChainLength);
    const Index blocks = length > 0 ? ceil_div(length, conv_kernels<T>().block_terms) : 1;
    for (Index b = 0; b < blocks; ++b) {
      const Index from = part + even_start(length, blocks, b), to = part + even_start(length, blocks, b + 1);
      const bool last = b + 1 == blocks;
      const RowTable<T>& sums = part > 0 ? buffer : y;
      p.segment_count = slice(t.segments, segments, p.step, from, to, t.slices);
      p.term = from;
      p.start = b > 0 ? reading(sums) : RowTable<const T>();
      p.c = last ? y : sums;
      p.total = last && part > 0 ? reading(y) : RowTable<const T>();
      p.bias = last && part + length == terms ? bias : nullptr;
      p.relu = last && part + length == terms && relu;
      conv_kernels<T>().product(p);
    }
    part += length;
  } while (part < terms);
}

template <class T>
void run_block(const DirectForward<T>& args, RowReader<T> reader, Index begin, Index end, Index panel,
               Index panel_end) {
  const ConvShape& s = args.shape;
  const Index outputs = s.out_channels / s.groups, channels = s.in_channels / s.groups, taps = tap_count(s);
  const Index pixels = (end - begin) * reader.widest(), terms = taps * channels;
  const bool depthwise = is_depthwise(s), parts = terms > kChainLength;
  Scratch<T> copy(static_cast<std::size_t>(reader.copy_size(begin, end)));
  Scratch<T> buffer(static_cast<std::size_t>(parts ? pixels * outputs : 0));
  Scratch<Index> index(static_cast<std::size_t>(end - begin + 3 * pixels + taps));
  const Index most_segments = is_short(s) ? terms : taps;
  Scratch<Segment> segments(static_cast<std::size_t>(2 * most_segments + 1));
  Index* first = index.get();
  Index* a = first + (end - begin);
  Tables<T> tables{a, a + pixels, a + 2 * pixels, buffer.get(), segments.get(), segments.get() + most_segments};
  const T* x = reader.load(begin, end, copy.get(), first);
  const Index rows = fill_rows(args, reader, begin, end, first, tables.a, tables.c);
  if (depthwise) {
    Index* tap = a + 3 * pixels;
    for (Index i = 0; i < taps; ++i) {
      tap[i] = reader.tap(i / (s.kernel[1] * s.kernel[2]), i / s.kernel[2] % s.kernel[1], i % s.kernel[2]);
    }
    conv_kernels<T>().depthwise({{x, tables.a},
                                 rows,
                                 tap,
                                 taps,
                                 args.w,
                                 s.out_channels,
                                 s.out_channels,
                                 {args.y, tables.c},
                                 args.bias,
                                 args.relu});
    return;
  }
  const Index segment_count = fill_segments(s, reader, tables.segments);
  for (Index i = 0; parts && i < rows; ++i) tables.part[i] = i * outputs;
  const Index group_size = terms * round_up(outputs, conv_kernels<T>().width);
  for (Index g = 0; g < s.groups; ++g) {
    SegmentProduct<T> p;
    p.a = {x + g * channels, tables.a};
    p.c = {args.y + g * outputs, tables.c};
    p.row_count = rows;
    p.single = is_short(s);
    p.b = args.w + g * group_size;
    p.panel_terms = terms;
    p.cols = outputs;
    p.panel_begin = panel;
    p.panel_end = panel_end;
    run_chain(p, terms, tables, segment_count, args.bias == nullptr ? nullptr : args.bias + g * outputs, args.relu);
  }
}

}  // namespace

bool is_depthwise(const ConvShape& s) {
  return s.groups > 1 && s.in_channels == s.groups && tap_count(s) <= kChainLength;
}

template <class T>
Index weights_size(const ConvShape& s) {
  if (is_depthwise(s)) return tap_count(s) * s.out_channels;
  const Index outputs = s.out_channels / s.groups;
  return s.groups * tap_count(s) * (s.in_channels / s.groups) * round_up(outputs, conv_kernels<T>().width);
}

template <class T>
void pack_weights(const ConvShape& s, const WeightLayout<T>& layout, T* packed) {
  const Index taps = tap_count(s), channels = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  if (is_depthwise(s)) {
    for (Index t = 0; t < taps; ++t) {
      for (Index o = 0; o < s.out_channels; ++o) {
        packed[t * s.out_channels + o] =
            layout.w[layout.taps[t] + o / outputs * layout.group + o % outputs * layout.col];
      }
    }
    return;
  }
  const Index terms = taps * channels, group_size = terms * round_up(outputs, conv_kernels<T>().width);
  const auto one = [&](Index i) {
    const Index g = i / taps, t = i % taps;
    conv_kernels<T>().pack({layout.w + layout.taps[t] + g * layout.group, channels, outputs, layout.row, layout.col},
                           terms, t * channels, packed + g * group_size);
  };
  if (terms * outputs * s.groups > 65536) return parallel_for(s.groups * taps, one);
  for (Index i = 0; i < s.groups * taps; ++i) one(i);
}

template <class T>
void direct_forward(const DirectForward<T>& args) {
  const ConvShape& s = args.shape;
  if (pixel_count(s) == 0 || s.out_channels == 0) return;
  const bool depthwise = is_depthwise(s);
  const RowReader<T> reader(s, args.x, depthwise ? s.out_channels / s.groups : 1);
  const Index units = reader.units(), threads = threads_for(s);
  const Index panels = depthwise ? 1 : panels_of<T>(s.out_channels / s.groups);
  Index per_block = units_per_block(reader);
  if (threads > 1) {  // a few blocks a thread, but enough pixels in each to be worth reading the weights
    const Index fair = ceil_div(units, 4 * threads), fewest = ceil_div(kFewestPixels / 2, reader.widest());
    if (fair < per_block) per_block = fair > fewest ? fair : fewest;
  }
  const Index blocks = ceil_div(units, per_block);
  Index columns = blocks < threads ? ceil_div(threads, blocks) : 1;
  columns = smaller(columns, panels);
  const auto task = [&](Index i) {
    const Index b = i / columns, q = i % columns;
    run_block(args, reader, even_start(units, blocks, b), even_start(units, blocks, b + 1),
              even_start(panels, columns, q), even_start(panels, columns, q + 1));
  };
  if (threads > 1) return parallel_for(blocks * columns, task);
  for (Index i = 0; i < blocks * columns; ++i) task(i);
}

template Index weights_size<float>(const ConvShape&);
template Index weights_size<double>(const ConvShape&);
template void pack_weights<float>(const ConvShape&, const WeightLayout<float>&, float*);
template void pack_weights<double>(const ConvShape&, const WeightLayout<double>&, double*);
template void direct_forward<float>(const DirectForward<float>&);
template void direct_forward<double>(const DirectForward<double>&);

}  // namespace catalase
