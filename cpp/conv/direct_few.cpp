// The gradient of an input of few channels (images, DNA). A forward-like pass would fill 1, 3 or 4 lanes of a vector,
// so here the lanes are pixels instead:
//
//   t[(tap, c), p] = sum over o of w[tap, c, o] * dy[p, o]    rows (tap, c), columns p, terms o; dy is transposed
//   plane[c][place(p, tap)] += t[(tap, c), p]                 rows of output pixels ascending, then taps ascending
//
// and the planes are interleaved at the end. A task is an image, or a band of rows of one if images are few; a band
// computes every output row that reaches into it.
//
// Additions into one element have a fixed order: planes and rows of output pixels ascending, then kw ascending. So t
// holds whole rows, or a piece of a long row; the pieces of a row come in descending order, because pixels further
// right reach an element by a smaller kw. The bits do not depend on how images are cut.
#include "common/partition.h"
#include "conv/direct.h"
#include "conv/parts.h"

namespace catalase {
namespace {

constexpr Index kPixelsAtOnce = 192;  // t stays in L1 or L2 while it is added
constexpr Index kFewestBandRows = 16;

template <class T>
struct FewChannels {
  const ConvShape& s;
  const T* dy;
  const T* w;
  bool flip;
  const T* bias;
  bool relu;
  T* dx;

  Index width() const { return (s.out[2] - 1) * s.stride[2] + (s.kernel[2] - 1) * s.dilation[2] + 1; }
  Index plane(Index band) const { return s.in[0] * band * width(); }
  void run(Index image, Index h0, Index h1, T* planes, T* sums, T* packed, Index* places, const Index* w_rows,
           const Index* sum_rows) const;
  void add(Index d, Index h, Index from, Index count, const T* sums, Index h0, Index h1, Index* places,
           T* planes) const;
  void interleave(Index image, Index h0, Index h1, const T* planes) const;
};

// Adds the taps of output pixels [from, from + count) of one row into the planes.
template <class T>
void FewChannels<T>::add(Index d, Index h, Index from, Index count, const T* sums, Index h0, Index h1, Index* places,
                         T* planes) const {
  const Index taps = tap_count(s);
  for (Index t = 0; t < taps; ++t) {
    const Index kd = t / (s.kernel[1] * s.kernel[2]), kh = t / s.kernel[2] % s.kernel[1], kw = t % s.kernel[2];
    const Index id = d * s.stride[0] - s.before[0] + kd * s.dilation[0];
    const Index ih = h * s.stride[1] - s.before[1] + kh * s.dilation[1];
    const bool inside = id >= 0 && id < s.in[0] && ih >= h0 && ih < h1;
    const Index at = (id * (h1 - h0) + ih - h0) * width() + from * s.stride[2] + kw * s.dilation[2];
    places[t] = inside ? at : -1;
  }
  conv_kernels<T>().add_taps(
      {sums, kPixelsAtOnce, taps, s.in_channels, count, s.stride[2], places, planes, plane(h1 - h0)});
}

template <class T>
void FewChannels<T>::interleave(Index image, Index h0, Index h1, const T* planes) const {
  const Index channels = s.in_channels, wide = width(), reached = wide - s.before[2];
  const Index seen = reached < 0 ? 0 : smaller(reached, s.in[2]);  // pixels that a window reaches
  for (Index d = 0; d < s.in[0]; ++d) {
    for (Index h = h0; h < h1; ++h) {
      const T* source = planes + (d * (h1 - h0) + h - h0) * wide + s.before[2];
      T* target = dx + ((image * s.in[0] + d) * s.in[1] + h) * s.in[2] * channels;
      conv_kernels<T>().interleave({source, plane(h1 - h0), channels, seen, bias, relu, target});
      for (Index i = seen * channels; i < s.in[2] * channels; ++i) {
        const T value = T(0) + (bias == nullptr ? T(0) : bias[i % channels]);
        target[i] = relu && value < T(0) ? T(0) : value;
      }
    }
  }
}

template <class T>
void FewChannels<T>::run(Index image, Index h0, Index h1, T* planes, T* sums, T* packed, Index* places,
                         const Index* w_rows, const Index* sum_rows) const {
  const Index outputs = s.out_channels, row_pixels = s.out[2], plane_pixels = s.out[1] * row_pixels;
  __builtin_memset(planes, 0, static_cast<std::size_t>(plane(h1 - h0) * s.in_channels) * sizeof(T));
  const Segment whole{0, outputs};
  SegmentProduct<T> p;
  p.a = {w, w_rows};
  p.row_count = tap_count(s) * s.in_channels;
  p.segments = &whole;
  p.segment_count = 1;
  p.b = packed;
  p.panel_terms = outputs;
  p.c = {sums, sum_rows};
  // The rows of output pixels whose windows meet the band.
  const Index reach = (s.kernel[1] - 1) * s.dilation[1];
  Index first = h0 + s.before[1] - reach, last = (h1 - 1 + s.before[1]) / s.stride[1];
  first = first > 0 ? ceil_div(first, s.stride[1]) : 0;
  if (last > s.out[1] - 1) last = s.out[1] - 1;
  const Index pieces = ceil_div(row_pixels, kPixelsAtOnce), rows_at_once = pieces > 1 ? 1 : kPixelsAtOnce / row_pixels;
  for (Index d = 0; d < s.out[0] && first <= last; ++d) {
    const T* source = dy + (image * s.out[0] + d) * plane_pixels * outputs;
    for (Index h = first; h <= last; h += rows_at_once) {
      const Index rows = smaller(last + 1 - h, rows_at_once);
      for (Index piece = pieces - 1; piece >= 0; --piece) {  // the last pixels first (see the top of the file)
        const Index from = even_start(row_pixels, pieces, piece);
        p.cols = pieces > 1 ? even_start(row_pixels, pieces, piece + 1) - from : rows * row_pixels;
        p.panel_end = panels_of<T>(p.cols);
        conv_kernels<T>().pack({source + (h * row_pixels + from) * outputs, outputs, p.cols, 1, outputs}, outputs, 0,
                               packed);
        conv_kernels<T>().product(p);
        for (Index row = 0; row < rows; ++row) {
          add(d, h + row, from, pieces > 1 ? p.cols : row_pixels, sums + row * row_pixels, h0, h1, places, planes);
        }
      }
    }
  }
  interleave(image, h0, h1, planes);
}

}  // namespace

bool has_few_channels(const ConvShape& s) {
  return s.groups == 1 && s.in_channels <= 4 && s.out_channels >= 4 && s.out_channels <= kChainLength &&
         pixel_count(s) > 0 && tap_count(s) > 1 && s.before[0] >= 0 && s.before[1] >= 0 && s.before[2] >= 0;
}

template <class T>
void direct_backward_few(const ConvShape& s, bool flip, const T* dy, const T* w, const T* bias, bool relu, T* dx) {
  if (s.batch * s.in[0] * s.in[1] * s.in[2] * s.in_channels == 0) return;
  const FewChannels<T> work{s, dy, w, flip, bias, relu, dx};
  const Index threads = threads_for(s), rows = tap_count(s) * s.in_channels;
  Index bands = s.batch < 2 * threads ? ceil_div(2 * threads, s.batch) : 1;
  if (bands > s.in[1] / kFewestBandRows) bands = s.in[1] / kFewestBandRows;
  if (bands < 1) bands = 1;
  const Index pieces = s.batch * bands, tasks = threads == 1 ? 1 : smaller(pieces, 8 * threads);
  Scratch<Index> index(static_cast<std::size_t>(2 * rows));
  for (Index k = 0; k < rows; ++k) {
    const Index t = k / s.in_channels;
    index.get()[k] = ((flip ? tap_count(s) - 1 - t : t) * s.in_channels + k % s.in_channels) * s.out_channels;
    index.get()[rows + k] = k * kPixelsAtOnce;
  }
  const auto task = [&](Index i) {
    const Index band = ceil_div(s.in[1], bands);
    const Index size = work.plane(band) * s.in_channels;
    const Index packed = s.out_channels * vectors_of<T>(kPixelsAtOnce) * conv_kernels<T>().width;
    Scratch<T> planes(static_cast<std::size_t>(size)), sums(static_cast<std::size_t>(rows * kPixelsAtOnce));
    Scratch<T> panels(static_cast<std::size_t>(packed));
    Scratch<Index> places(static_cast<std::size_t>(tap_count(s)));
    for (Index j = even_start(pieces, tasks, i); j < even_start(pieces, tasks, i + 1); ++j) {
      const Index b = j % bands;
      work.run(j / bands, even_start(s.in[1], bands, b), even_start(s.in[1], bands, b + 1), planes.get(), sums.get(),
               panels.get(), places.get(), index.get(), index.get() + rows);
    }
  };
  if (threads > 1) return parallel_for(tasks, task);
  task(0);
}

template void direct_backward_few<float>(const ConvShape&, bool, const float*, const float*, const float*, bool,
                                         float*);
template void direct_backward_few<double>(const ConvShape&, bool, const double*, const double*, const double*, bool,
                                          double*);

}  // namespace catalase
