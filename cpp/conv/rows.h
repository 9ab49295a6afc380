// How rows of output pixels read x: in place if no window leaves it, and otherwise through a copy of the rows that a
// block of them needs, surrounded by zeros. The copy is made once a block and stays in L2, where all taps and channels
// read it.
//
// A unit is a row of output pixels, or an even piece of a long row. A block is a run of units; inside it, the units of
// one plane form a chunk that shares its input rows. Distances are in elements.
#pragma once

#include "common/partition.h"
#include "conv/conv.h"

namespace catalase {

struct Unit {
  Index image, d, h, w, width;  // position of its first pixel, and its number of pixels
};

template <class T>
class RowReader {
 public:
  static constexpr Index kLongestUnit = 2048;

  // repeat: copies of each channel in a row (depthwise with several outputs a channel).
  RowReader(const ConvShape& shape, const T* x, Index repeat)
      : s_(shape), x_(x), repeat_(repeat), channels_(shape.in_channels * repeat) {
    pieces_ = ceil_div(s_.out[2], kLongestUnit);
    const Index widest = pieces_ > 0 ? ceil_div(s_.out[2], pieces_) : 0;
    padded_width_ = (widest - 1) * s_.stride[2] + reach(2);
    in_place_ = repeat == 1;
    for (int i = 0; i < ConvShape::kDims; ++i) {
      const Index last = (s_.out[i] - 1) * s_.stride[i] + reach(i) - s_.before[i];
      if (s_.before[i] > 0 || last > s_.in[i]) in_place_ = false;
    }
  }

  Index units() const { return s_.batch * s_.out[0] * s_.out[1] * pieces_; }
  Index widest() const { return pieces_ > 0 ? ceil_div(s_.out[2], pieces_) : 0; }
  Index channels() const { return channels_; }
  Index pixel_step() const { return s_.stride[2] * channels_; }
  Index unit_bytes() const {  // of x, approximately
    return s_.kernel[0] * smaller(s_.stride[1], reach(1)) * padded_width_ * channels_ * static_cast<Index>(sizeof(T));
  }

  Unit unit(Index u) const {
    const Index piece = u % pieces_, row = u / pieces_, plane = row / s_.out[1];
    const Index w = start(piece);
    return {plane / s_.out[0], plane % s_.out[0], row % s_.out[1], w, start(piece + 1) - w};
  }
  // The unit that holds a pixel, counted over all images.
  Index unit_of(Index pixel) const {
    const Index row = pixel / s_.out[2], w = pixel % s_.out[2];
    Index piece = 0;
    while (piece + 1 < pieces_ && start(piece + 1) <= w) ++piece;
    return row * pieces_ + piece;
  }

  // Elements of the copy that units [begin, end) need; 0 if x is read in place.
  Index copy_size(Index begin, Index end) const {
    if (in_place_) return 0;
    Index rows = 0;
    each_chunk(begin, end, [&](Index, const Unit&, Index count) { rows += chunk_rows(count); });
    return rows * padded_width_ * channels_ * s_.kernel[0];
  }

  // Makes the copy, and writes the place that each unit's first pixel reads: `first[u - begin]`, from the returned
  // pointer.
  const T* load(Index begin, Index end, T* copy, Index* first) {
    const Index row = padded_width_ * channels_;
    slice_ = 0;
    each_chunk(begin, end, [&](Index, const Unit&, Index count) { slice_ += chunk_rows(count) * row; });
    Index offset = 0;
    each_chunk(begin, end, [&](Index u, const Unit& at, Index count) {
      for (Index i = 0; i < count; ++i) {
        first[u - begin + i] = in_place_ ? place(at, i) : offset + i * s_.stride[1] * row;
      }
      if (!in_place_) copy_chunk(at, count, copy + offset);
      offset += chunk_rows(count) * row;
    });
    return in_place_ ? x_ : copy;
  }

  // The place that a tap reads, from a pixel's offset; after load.
  Index tap(Index d, Index h, Index w) const {
    if (in_place_) {
      return ((d * s_.dilation[0] * s_.in[1] + h * s_.dilation[1]) * s_.in[2] + w * s_.dilation[2]) * channels_;
    }
    return d * slice_ + (h * s_.dilation[1] * padded_width_ + w * s_.dilation[2]) * channels_;
  }

 private:
  Index reach(int i) const { return (s_.kernel[i] - 1) * s_.dilation[i] + 1; }
  Index chunk_rows(Index count) const { return (count - 1) * s_.stride[1] + reach(1); }
  Index start(Index piece) const { return even_start(s_.out[2], pieces_, piece); }
  Index place(const Unit& at, Index row) const {
    const Index d = at.d * s_.stride[0] - s_.before[0], h = (at.h + row) * s_.stride[1] - s_.before[1];
    return (((at.image * s_.in[0] + d) * s_.in[1] + h) * s_.in[2] + at.w * s_.stride[2] - s_.before[2]) * channels_;
  }

  template <class F>
  void each_chunk(Index begin, Index end, F&& f) const {
    for (Index u = begin; u < end;) {
      const Unit at = unit(u);
      Index count = 1;
      if (pieces_ == 1) count = smaller(end - u, s_.out[1] - at.h);
      f(u, at, count);
      u += count;
    }
  }

  void copy_chunk(const Unit& at, Index count, T* target) const {
    for (Index kd = 0; kd < s_.kernel[0]; ++kd) {
      const Index d = at.d * s_.stride[0] - s_.before[0] + kd * s_.dilation[0];
      T* row = target + kd * slice_;
      for (Index i = 0; i < chunk_rows(count); ++i, row += padded_width_ * channels_) {
        const Index h = at.h * s_.stride[1] - s_.before[1] + i;
        const bool inside = d >= 0 && d < s_.in[0] && h >= 0 && h < s_.in[1];
        copy_row(inside ? x_ + ((at.image * s_.in[0] + d) * s_.in[1] + h) * s_.in[2] * s_.in_channels : nullptr,
                 at.w * s_.stride[2] - s_.before[2], row);
      }
    }
  }

  // Pixels [from, from + padded_width) of a row of x; zeros where they are outside it, or source is null.
  void copy_row(const T* source, Index from, T* target) const {
    const auto clamp = [&](Index w) { return w < 0 ? 0 : w > padded_width_ ? padded_width_ : w; };
    const Index left = source == nullptr ? padded_width_ : clamp(-from);
    const Index right = source == nullptr ? padded_width_ : clamp(s_.in[2] - from);
    const Index begin = left, end = right > left ? right : left;
    const auto bytes = [&](Index pixels) { return static_cast<std::size_t>(pixels * channels_) * sizeof(T); };
    __builtin_memset(target, 0, bytes(begin));
    if (repeat_ == 1) {
      if (end > begin)
        __builtin_memcpy(target + begin * channels_, source + (from + begin) * channels_, bytes(end - begin));
    } else {
      for (Index i = begin * s_.in_channels; i < end * s_.in_channels; ++i) {
        for (Index r = 0; r < repeat_; ++r) target[i * repeat_ + r] = source[from * s_.in_channels + i];
      }
    }
    __builtin_memset(target + end * channels_, 0, bytes(padded_width_ - end));
  }

  ConvShape s_;
  const T* x_;
  Index repeat_, channels_;
  Index pieces_ = 1, padded_width_ = 0, slice_ = 0;
  bool in_place_ = true;
};

}  // namespace catalase
