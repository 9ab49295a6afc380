// Linear upsampling of one axis by a whole factor: x (outer, length, inner) to y (outer, length * times, inner), and
// the gradient; float32, contiguous. Several axes take one launch each, in the CPU's order.
//
// Element k * times + phase of y lies at k + (phase + 1/2) / times - 1/2 of x, between two neighbours; beyond an edge
// its element is repeated. Threads: one for each written element, so nothing is scattered and no atomic is needed.
// Products and sums are rounded separately and in the CPU's order. Bound: memory bandwidth; for the gradient, reads of
// 2 * times elements a thread from cache. Not taken: all axes in one launch, which would save passes but add in another
// order than the CPU.
#include "types.cuh"

namespace catalase {

// For one phase: whether the first of the two neighbours is the element before (0) or the element itself (1), and the
// weight of the second one.
struct Phase {
  i64 first;
  float share;
};
__device__ __forceinline__ Phase phase_of(i64 phase, i64 times) {
  const double place = (static_cast<double>(phase) + 0.5) / static_cast<double>(times) - 0.5;
  const i64 first = place < 0.0 ? 0 : 1;
  return {first, static_cast<float>(place + 1.0 - static_cast<double>(first))};
}

// The gradient that reaches element j of the line with its edges repeated (length + 2), in the order of the phases.
__device__ __forceinline__ float line_gradient(const float* dy, i64 j, i64 length, i64 inner, i64 times) {
  float sum = 0.0f;
  for (i64 phase = 0; phase < times; ++phase) {
    const Phase p = phase_of(phase, times);
    const i64 as_first = j - p.first, as_second = as_first - 1;
    if (as_first >= 0 && as_first < length) {
      sum = sum + (1.0f - p.share) * dy[(as_first * times + phase) * inner];
    }
    if (as_second >= 0 && as_second < length) {
      sum = sum + p.share * dy[(as_second * times + phase) * inner];
    }
  }
  return sum;
}

}  // namespace catalase

using namespace catalase;

// y: n elements.
extern "C" __global__ void __launch_bounds__(256)
    stretch_f32(const float* x, float* y, i64 length, i64 inner, i64 times, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 line = i / inner, o = line % (length * times), k = o / times;
    const float* from = x + line / (length * times) * length * inner + i % inner;
    const Phase p = phase_of(o % times, times);
    const i64 first = k + p.first - 1, second = first + 1;
    const float a = from[(first < 0 ? 0 : first) * inner], b = from[(second < length ? second : length - 1) * inner];
    y[i] = (1.0f - p.share) * a + p.share * b;
  }
}

// dx: n elements.
extern "C" __global__ void __launch_bounds__(256)
    stretch_backward_f32(const float* dy, float* dx, i64 length, i64 inner, i64 times, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 line = i / inner, k = line % length;
    const float* given = dy + line / length * length * times * inner + i % inner;
    float sum = line_gradient(given, k + 1, length, inner, times);
    if (k == 0) sum = sum + line_gradient(given, 0, length, inner, times);
    if (k == length - 1) sum = sum + line_gradient(given, length + 1, length, inner, times);
    dx[i] = sum;
  }
}
