// Softmax, log softmax and the losses with weights, forward and backward; float32, contiguous, rows of `classes`
// values.
//
//   softmax        y_c = exp(x_c - max) / sum            log softmax    y_c = (x_c - max) - log(sum)
//   cross-entropy  loss = w sum_c p_c (log sum exp x - x_c);   gradient = dloss w (softmax_c sum p - p_c)
//   sigmoid cross-entropy  w (softplus(x) - x z), dloss w (sigmoid(x) - z)      squared error  w (x - z)^2, 2 dloss w
//   (x - z)
//
// Weight 0 gives loss 0 and gradient 0 for any label. A class number out of range whose weight is not 0 gives NaN:
// reporting it would make the host wait.
// Threads: one for each row, which walks its classes in ascending order: each sum over classes is one chain with the
// CPU's bits, and no thread waits for another. For elementwise losses a grid walks the array. Bound: bandwidth for few
// classes (two to sixteen: a warp's rows are neighbours in memory); for many classes the reads of a warp lie a row
// apart and are served from L1, one 128-byte line of each row for 32 classes, and few rows fill few multiprocessors.
// Not taken yet: staging tiles of rows through shared memory, which keeps the order; it waits for a measurement.
#include "vecmath.cuh"

namespace catalase {

__device__ __forceinline__ float row_max(const float* x, i64 classes) {
  float top = x[0];
  for (i64 c = 1; c < classes; ++c) {
    const float v = x[c];
    top = v > top || v != v ? v : top;
  }
  return top;
}

__device__ __forceinline__ float row_sum_exp(const float* x, i64 classes, float top) {
  float sum = 0.0f;
  for (i64 c = 0; c < classes; ++c) sum = sum + exp_f32(x[c] - top);
  return sum;
}

__device__ __forceinline__ float no_number() {
  return __uint_as_float(0x7fc00000u);
}

// f(x, z) and its derivative in x.
struct SigmoidLoss {
  static __device__ __forceinline__ float of(float x, float z) { return softplus_f32(x) - x * z; }
  static __device__ __forceinline__ float slope(float x, float z) { return sigmoid_f32(x) - z; }
};
struct SquaredLoss {
  static __device__ __forceinline__ float of(float x, float z) { return (x - z) * (x - z); }
  static __device__ __forceinline__ float slope(float x, float z) { return (x - z) + (x - z); }
};

template <class F>
__device__ __forceinline__ void each_loss(const float* x, const float* z, const float* weights, const float* dloss,
                                          float* out, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const float weight = weights == nullptr ? 1.0f : weights[i];
    float value = weight * (dloss == nullptr ? F::of(x[i], z[i]) : F::slope(x[i], z[i]));
    if (dloss != nullptr) value = dloss[i] * value;
    out[i] = weight == 0.0f ? 0.0f : value;
  }
}

}  // namespace catalase

using namespace catalase;

// y is not x: x is read again for the result.
extern "C" __global__ void __launch_bounds__(128)
    softmax_f32(i64 log_form, const float* x, float* y, i64 classes, i64 rows) {
  for (i64 r = global_thread(); r < rows; r += global_threads()) {
    const float* from = x + r * classes;
    float* to = y + r * classes;
    const float top = row_max(from, classes), sum = row_sum_exp(from, classes, top);
    const float log_sum = log_form != 0 ? log_f32(sum) : 0.0f;
    for (i64 c = 0; c < classes; ++c) {
      const float shifted = from[c] - top;
      to[c] = log_form != 0 ? shifted - log_sum : exp_f32(shifted) / sum;
    }
  }
}

// softmax: dx = y (dy - sum dy y).  log softmax: dx = dy - exp(y) sum dy.
extern "C" __global__ void __launch_bounds__(128)
    softmax_backward_f32(i64 log_form, const float* dy, const float* y, float* dx, i64 classes, i64 rows) {
  for (i64 r = global_thread(); r < rows; r += global_threads()) {
    const float *d = dy + r * classes, *v = y + r * classes;
    float* to = dx + r * classes;
    float sum = 0.0f;
    for (i64 c = 0; c < classes; ++c) sum = log_form != 0 ? sum + d[c] : fmaf(d[c], v[c], sum);
    for (i64 c = 0; c < classes; ++c) to[c] = log_form != 0 ? d[c] - exp_f32(v[c]) * sum : v[c] * (d[c] - sum);
  }
}

// Either labels (rows,) or targets (rows, classes) is null. out (rows,).
extern "C" __global__ void __launch_bounds__(128)
    softmax_loss_f32(const float* logits, const i64* labels, const float* targets, const float* weights, float* out,
                     i64 classes, i64 rows) {
  for (i64 r = global_thread(); r < rows; r += global_threads()) {
    const float weight = weights == nullptr ? 1.0f : weights[r];
    float value = 0.0f;
    if (weight != 0.0f) {
      const float* x = logits + r * classes;
      const float top = row_max(x, classes), log_sum = log_f32(row_sum_exp(x, classes, top)) + top;
      if (targets != nullptr) {
        for (i64 c = 0; c < classes; ++c) value = fmaf(targets[r * classes + c], log_sum - x[c], value);
      } else {
        value = labels[r] >= 0 && labels[r] < classes ? log_sum - x[labels[r]] : no_number();
      }
      value = weight * value;
    }
    out[r] = value;
  }
}

// out (rows, classes): the gradient at the logits.
extern "C" __global__ void __launch_bounds__(128)
    softmax_loss_backward_f32(const float* logits, const i64* labels, const float* targets, const float* weights,
                              const float* dloss, float* out, i64 classes, i64 rows) {
  for (i64 r = global_thread(); r < rows; r += global_threads()) {
    const float* x = logits + r * classes;
    float* to = out + r * classes;
    const float weight = weights == nullptr ? 1.0f : weights[r];
    if (weight == 0.0f) {
      for (i64 c = 0; c < classes; ++c) to[c] = 0.0f;
      continue;
    }
    const bool wrong = targets == nullptr && (labels[r] < 0 || labels[r] >= classes);
    const float top = row_max(x, classes), sum = row_sum_exp(x, classes, top);
    const float scale = wrong ? no_number() : dloss[r] * weight;
    float total = targets == nullptr ? 1.0f : 0.0f;
    for (i64 c = 0; targets != nullptr && c < classes; ++c) total = total + targets[r * classes + c];
    for (i64 c = 0; c < classes; ++c) {
      const float target = targets != nullptr ? targets[r * classes + c] : (c == labels[r] ? 1.0f : 0.0f);
      to[c] = scale * (exp_f32(x[c] - top) / sum * total - target);
    }
  }
}

// kind: one of codes.cuh. With dloss the gradient, else the loss.
extern "C" __global__ void __launch_bounds__(256)
    elementwise_loss_f32(i64 kind, const float* x, const float* z, const float* weights, const float* dloss, float* out,
                         i64 n) {
  switch (kind) {
    case kSigmoidLoss:
      return each_loss<SigmoidLoss>(x, z, weights, dloss, out, n);
    case kSquaredLoss:
      return each_loss<SquaredLoss>(x, z, weights, dloss, out, n);
  }
}
