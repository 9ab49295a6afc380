// Winograd convolution: when it is used, and how the work is divided. Threads take blocks of tiles, and in the gradient
// of the filters parts of the channels; no sum is ever cut between them.
#include "conv/winograd.h"

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

// Calls f(begin, end) for pieces of [0, n) that start at multiples of `unit`.
template <class F>
void share_out(Index n, Index unit, F&& f) {
  const Index units = ceil_div(n, unit), most = num_threads() == 1 ? 1 : 4 * num_threads();
  const Index pieces = smaller(units, most);
  parallel_for(pieces, [&](Index i) {
    const Index begin = units * i / pieces * unit, end = units * (i + 1) / pieces * unit;
    f(begin, smaller(end, n));
  });
}

// Tiles of a block, in multiples of 24: 3 x 8 or 2 x 12 rows of the micro-kernel, 4 x 6 on AVX2. The transformed
// filters are read once a block. As long as they fit into L2, few tiles are best, which fit there too; if the filters
// come from L3 or memory, more tiles must share each read (measured: 48 tiles for 128 channels, 96 for 256, 192 for
// 512).
constexpr Index kTileUnit = 24, kMostTiles = 192;

Index block_for(Index channels, Index least) {
  const Index block = ceil_div(3 * channels, 16 * kTileUnit) * kTileUnit;
  return block < least ? least : smaller(block, kMostTiles);
}

WinogradPlan forward_plan(const ConvShape& s) {
  WinogradPlan p = {};
  p.batch = s.batch;
  p.in_h = s.in[1], p.in_w = s.in[2], p.in_channels = s.in_channels;
  p.out_h = s.out[1], p.out_w = s.out[2], p.out_channels = s.out_channels;
  p.in_pixel = p.in_channels, p.out_pixel = p.out_channels;
  p.before_h = s.before[1], p.before_w = s.before[2];
  p.kernel = s.kernel[1];
  p.step = 7 - p.kernel;
  p.tiles_h = ceil_div(p.out_h, p.step), p.tiles_w = ceil_div(p.out_w, p.step);
  p.block = block_for(p.in_channels + p.out_channels, winograd_kernels().least_block);
  return p;
}

// The gradient of the input is a convolution of dy with the filters reversed and their channels exchanged.
WinogradPlan backward_plan(const ConvShape& s) {
  ConvShape t = s;
  t.in_channels = s.out_channels, t.out_channels = s.in_channels;
  for (int d = 1; d < ConvShape::kDims; ++d) {
    t.in[d] = s.out[d], t.out[d] = s.in[d];
    t.before[d] = s.kernel[d] - 1 - s.before[d];
  }
  return forward_plan(t);
}

void run_forward(WinogradPlan p, const float* x, const float* w, bool flipped, const float* bias, Activation activation,
                 float* y) {
  const Index tiles = p.tiles();
  if (tiles == 0 || p.out_channels == 0) return;
  const WinogradKernels& winograd = winograd_kernels();
  const Scratch<float> u(static_cast<std::size_t>(winograd.filters_size(p)));
  share_out(p.in_channels, winograd.width,
            [&](Index begin, Index end) { winograd.transform_filters(p, w, flipped, begin, end, u.get()); });
  // If blocks are few, their number is made a multiple of the threads, and even; in this pass the block changes no bit.
  const Index threads = num_threads();
  Index blocks = ceil_div(tiles, p.block);
  if (blocks < 4 * threads) blocks = round_up(blocks, threads);
  blocks = smaller(blocks, tiles);
  p.block = ceil_div(tiles, blocks);
  blocks = ceil_div(tiles, p.block);
  parallel_for(blocks, [&](Index i) {
    const Index first = i * p.block, left = tiles - first;
    winograd.forward(p, x, u.get(), bias, activation, first, smaller(left, p.block), y);
  });
}

// Channels, divided into parts of whole vectors.
struct ChannelParts {
  Index channels, width;

  Index vectors() const { return ceil_div(channels, width); }
  Index start(Index parts, Index part) const {
    const Index first = vectors() * part / parts * width;
    return smaller(first, channels);
  }
  double largest(Index parts) const { return static_cast<double>(ceil_div(vectors(), parts) * width); }
};

// Each part transforms its channels of x and of dy, even if other parts transform them too, and waits for no other.
// (When threads shared tiles and then planes, both transformed arrays moved from core to core, and two threads were
// slower than one.)
void choose_parts(const ChannelParts& ins, const ChannelParts& outs, Index* parts_in, Index* parts_out) {
  double best = -1;
  for (Index a = 1; a <= num_threads() && a <= ins.vectors(); ++a) {
    const Index most = num_threads() / a, b = smaller(most, outs.vectors());
    const double in = ins.largest(a), out = outs.largest(b);
    const double cost = 72 * in * out + 850 * (in + out);  // as in winograd_applies
    if (best < 0 || cost < best) best = cost, *parts_in = a, *parts_out = b;
  }
}

// Computes the gradient of the filters of some channels, on one thread.
void add_part(const WinogradKernels& winograd, const WinogradPlan& p, const float* x, const float* dy, float* dw) {
  const Scratch<float> v(static_cast<std::size_t>(winograd.inputs_size(p)));
  const Scratch<float> g(static_cast<std::size_t>(winograd.gradients_size(p)));
  const Scratch<float> s(static_cast<std::size_t>(winograd.sums_size(p)));
  for (Index first = 0; first < p.tiles(); first += p.block) {
    const Index left = p.tiles() - first, count = smaller(left, p.block);
    winograd.transform_block(p, x, dy, first, count, v.get(), g.get());
    for (Index plane = 0; plane < 36; ++plane) {
      winograd.add_products(p, plane, count, v.get(), g.get(), first > 0, s.get());
    }
  }
  winograd.finish_filters(p, s.get(), dw);
}

}  // namespace

bool winograd_possible(const ConvShape& s) {
  const bool flat = s.in[0] == 1 && s.out[0] == 1 && s.kernel[0] == 1 && s.before[0] == 0;
  const bool plain = s.stride[1] == 1 && s.stride[2] == 1 && s.dilation[1] == 1 && s.dilation[2] == 1 && s.groups == 1;
  const bool square = s.kernel[1] == s.kernel[2] && (s.kernel[1] == 3 || s.kernel[1] == 5);
  return flat && plain && square && s.in_channels >= 16 && s.out_channels >= 16;
}

// A model of both times, in operations for each pair of channels: 72 in a tile's products; the tile's transforms,
// shared by all channels of the other side; and the filters' transform, which fits into L2 or not, shared by two
// images. The batch does not enter, so that an image has the same bits in any batch. The direct sum takes 2 for each
// tap. Fitted to a sweep over channels and images (conv/winograd.md).
bool winograd_applies(const ConvShape& s) {
  if (!winograd_possible(s)) return false;
  const double in = static_cast<double>(s.in_channels), out = static_cast<double>(s.out_channels);
  const double tile = 72 + 850 / in + 850 / out, filters = in * out <= 4096 ? 1000 : 2000;
  const double direct = 2.0 * static_cast<double>(s.kernel[1] * s.kernel[2] * s.out[1] * s.out[2]);
  const WinogradPlan plan = forward_plan(s);
  return 1.1 * (static_cast<double>(plan.tiles_h * plan.tiles_w) * tile + filters / 2) < direct;
}

void winograd_forward(const ConvShape& shape, const float* x, const float* w, const float* bias, Activation activation,
                      float* y) {
  run_forward(forward_plan(shape), x, w, false, bias, activation, y);
}

void winograd_backward_data(const ConvShape& shape, const float* dy, const float* w, float* dx) {
  run_forward(backward_plan(shape), dy, w, true, nullptr, Activation::kIdentity, dx);
}

void winograd_backward_weights(const ConvShape& shape, const float* x, const float* dy, float* dw) {
  const WinogradKernels& winograd = winograd_kernels();
  WinogradPlan p = forward_plan(shape);
  const Index tiles = p.tiles();
  if (tiles == 0) {
    for (Index i = 0; i < shape.kernel[1] * shape.kernel[2] * p.in_channels * p.out_channels; ++i) dw[i] = 0;
    return;
  }
  // Each block's product is a separate chain, added to the sum of the blocks before: the block is a part of the
  // result's definition, and follows from the shape alone, not from the level, the part or the threads.
  p.block = block_for(p.in_channels + p.out_channels, 2 * kTileUnit);
  if (tiles < p.block) p.block = tiles;
  const ChannelParts ins{p.in_channels, winograd.width}, outs{p.out_channels, winograd.width};
  Index parts_in = 1, parts_out = 1;
  choose_parts(ins, outs, &parts_in, &parts_out);
  parallel_for(parts_in * parts_out, [&](Index part) {
    const Index i = part % parts_in, o = part / parts_in;
    WinogradPlan mine = p;
    mine.in_channels = ins.start(parts_in, i + 1) - ins.start(parts_in, i);
    mine.out_channels = outs.start(parts_out, o + 1) - outs.start(parts_out, o);
    add_part(winograd, mine, x + ins.start(parts_in, i), dy + outs.start(parts_out, o),
             dw + ins.start(parts_in, i) * p.out_pixel + outs.start(parts_out, o));
  });
}

}  // namespace catalase
