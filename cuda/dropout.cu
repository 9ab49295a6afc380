// Inverted dropout: y[i] = word(i) >= threshold ? x[i] * scale : 0, with Philox-4x32-10 (Salmon et al. 2011,
// doi:10.1145/2063384.2063405); float32, contiguous. The words, and so the masks, are the CPU's to the bit.
//
// The key is the 64-bit seed. Counter words 0 and 1 are the counter's number, word 2 is the layer, word 3 the step.
// Elements form groups of 64: element 64 g + 16 w + l is word w of counter 16 g + l. Threads: one for each counter,
// which gives four elements, 16 apart; half a warp reads 64 neighbouring bytes four times. Only integer arithmetic is
// used, so any grid gives the same mask. Bound: memory bandwidth, 8 bytes an element; ten rounds of two wide products
// for four elements take less.
#include "philox.cuh"

using namespace catalase;

// y may be x; kept, if not null, receives 1 or 0 for each element. seed: its 64 bits. later, if not null, is added to
// the step: in a replayed capture it holds the number of steps since the capture.
extern "C" __global__ void __launch_bounds__(256)
    dropout_f32(i64 seed, i64 layer, i64 step, const i64* later, i64 threshold, float scale, const float* x, float* y,
                u8* kept, i64 n) {
  const i64 counters = (n + 63) / 64 * 16;
  if (later != nullptr) step += *later;
  for (i64 c = global_thread(); c < counters; c += global_threads()) {
    u32 words[4];
    philox(static_cast<u64>(seed), static_cast<u64>(c), static_cast<u32>(layer), static_cast<u32>(step), words);
#pragma unroll
    for (i32 w = 0; w < 4; ++w) {
      const i64 i = c / 16 * 64 + 16 * w + c % 16;
      if (i >= n) continue;
      const bool keep = words[w] >= static_cast<u32>(threshold);
      y[i] = keep ? x[i] * scale : 0.0f;
      if (kept != nullptr) kept[i] = keep ? 1 : 0;
    }
  }
}

// y[i] = kept[i] != 0 ? x[i] * scale : 0, for a mask that was drawn before. y may be x.
extern "C" __global__ void __launch_bounds__(256)
    keep_f32(const u8* kept, float scale, const float* x, float* y, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) y[i] = kept[i] != 0 ? x[i] * scale : 0.0f;
}
