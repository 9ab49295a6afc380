// Batch normalization of the columns (channels) of a matrix x (M, C), and layer normalization of its rows; float32,
// contiguous.
//
//   mean[c] = sum_i x[i, c] / M      var[c] = sum_i (x[i, c] - mean[c])^2 / M
//   y[i, c] = act((x[i, c] - mean[c]) * scale[c] + beta[c])      scale = gamma / sqrt(var + eps)
//   g = dy where act passed it on, h = (x - mean) / sqrt(var + eps)
//   dbeta = sum_i g      dgamma = sum_i g h      dx = scale * (g - dbeta / M - h dgamma / M)
//
// Statistics are computed in blocks of 64 rows, each relative to its own rough mean, and joined in double precision in
// ascending order (Chan, Golub and LeVeque 1979): the CPU's operations in its order, so its bits, on any grid. Threads:
// for the sums one for each channel of a block of rows, with the channel running fastest, so a warp reads neighbours
// from 32 channels on; for the joining one for each channel; for the maps a grid walks the array. Bound: memory
// bandwidth; forward reads x three times, the second time from cache, and writes y; with millions of rows the joining,
// a chain of M / 64 steps a channel.
//
// Layer normalization: the formulas and the order of each sum are in cpp/norm/layer_norm.h. A warp has a row, a lane the
// columns lane, lane + 32 and so on; the lanes are joined by halves. The sums over rows are those of batch
// normalization: blocks of 64 rows, a thread for each column, joined in double precision. Bound: memory bandwidth; the
// second and third read of a row come from the cache.
#include "types.cuh"

namespace catalase {

constexpr i64 kBlockRows = 64;

__device__ __forceinline__ double inverse_deviation(float var, double eps) {
  return 1.0 / sqrt(static_cast<double>(var) + eps);
}

// dy where the activation passed it, else 0; the value before it is recomputed as in the forward pass.
__device__ __forceinline__ float passed(float dy, float centered, float scale, float beta, i64 relu) {
  return relu != 0 && fmaf(centered, scale, beta) <= 0.0f ? 0.0f : dy;
}

// The sum over a warp's lanes, in halves: every lane gets it.
__device__ __forceinline__ float lanes_sum(float x) {
  for (i32 half = 16; half > 0; half >>= 1) x = x + __shfl_xor_sync(0xffffffffu, x, half);
  return x;
}

__device__ __forceinline__ i64 warp_of_grid() {
  return global_thread() / 32;
}
__device__ __forceinline__ i64 warps_of_grid() {
  return global_threads() / 32;
}

struct RowStatistics {
  float mean, inverse;
};

// One warp.
__device__ __forceinline__ RowStatistics row_statistics(const float* x, i64 channels, double eps, i64 centered) {
  const i64 lane = threadIdx.x % 32;
  const double n = static_cast<double>(channels);
  float total = 0.0f, first = 0.0f, second = 0.0f;
  if (centered == 0) {
    for (i64 c = lane; c < channels; c += 32) second = second + x[c] * x[c];
    const double mean_square = static_cast<double>(lanes_sum(second)) / n;
    return {0.0f, static_cast<float>(1.0 / sqrt(mean_square + eps))};
  }
  for (i64 c = lane; c < channels; c += 32) total = total + x[c];
  const float rough = static_cast<float>(static_cast<double>(lanes_sum(total)) / n);
  for (i64 c = lane; c < channels; c += 32) {
    const float d = x[c] - rough;
    first = first + d;
    second = second + d * d;
  }
  const double offset = static_cast<double>(lanes_sum(first)) / n;
  const double v = static_cast<double>(lanes_sum(second)) / n - offset * offset;
  const double var = v < 0.0 ? 0.0 : v;  // NaN stays NaN
  RowStatistics s;
  s.mean = static_cast<float>(static_cast<double>(rough) + offset);
  s.inverse = static_cast<float>(1.0 / sqrt(var + eps));
  return s;
}

}  // namespace catalase

using namespace catalase;

// sums (blocks, 3, C): a rough mean r, then the sums of x - r and of its square. n = blocks * C threads have work.
extern "C" __global__ void __launch_bounds__(256)
    moments_f32(const float* x, i64 rows, i64 channels, float* sums, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 b = i / channels, c = i % channels, count = smaller(rows - b * kBlockRows, kBlockRows);
    const float* from = x + b * kBlockRows * channels + c;
    float rough = 0.0f, first = 0.0f, second = 0.0f;
    for (i64 r = 0; r < count; ++r) rough = rough + from[r * channels];
    rough = rough / static_cast<float>(count);
    for (i64 r = 0; r < count; ++r) {
      const float d = from[r * channels] - rough;
      first = first + d;
      second = fmaf(d, d, second);
    }
    float* to = sums + 3 * b * channels + c;
    to[0] = rough;
    to[channels] = first;
    to[2 * channels] = second;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    join_moments_f32(const float* sums, i64 rows, float* mean, float* var, i64 channels) {
  for (i64 c = global_thread(); c < channels; c += global_threads()) {
    double middle = 0.0, squares = 0.0;
    for (i64 b = 0; b * kBlockRows < rows; ++b) {
      const double before = static_cast<double>(b * kBlockRows);
      const double count = static_cast<double>(smaller(rows - b * kBlockRows, kBlockRows));
      const double share = count / (before + count);
      const float* from = sums + 3 * b * channels + c;
      const double s1 = from[channels], offset = s1 / count;
      const double delta = static_cast<double>(from[0]) + offset - middle;
      middle = middle + delta * share;
      squares = squares + (static_cast<double>(from[2 * channels]) - s1 * offset + delta * delta * before * share);
    }
    const double v = squares / static_cast<double>(rows);
    mean[c] = static_cast<float>(middle);
    var[c] = static_cast<float>(v < 0.0 ? 0.0 : v);  // NaN stays NaN
  }
}

extern "C" __global__ void __launch_bounds__(256)
    norm_scale_f32(const float* gamma, const float* var, double eps, float* scale, i64 channels) {
  for (i64 c = global_thread(); c < channels; c += global_threads()) {
    scale[c] = static_cast<float>(static_cast<double>(gamma[c]) * inverse_deviation(var[c], eps));
  }
}

extern "C" __global__ void __launch_bounds__(256)
    normalize_f32(const float* x, const float* mean, const float* scale, const float* beta, i64 relu, float* y,
                  i64 channels, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 c = i % channels;
    const float v = fmaf(x[i] - mean[c], scale[c], beta[c]);
    y[i] = relu != 0 && v < 0.0f ? 0.0f : v;
  }
}

// sums (blocks, 2, C): of g, and of g * (x - mean).
extern "C" __global__ void __launch_bounds__(256)
    gradient_sums_f32(const float* x, const float* dy, const float* mean, const float* scale, const float* beta,
                      i64 relu, i64 rows, i64 channels, float* sums, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 b = i / channels, c = i % channels, count = smaller(rows - b * kBlockRows, kBlockRows);
    const i64 start = b * kBlockRows * channels + c;
    float of_g = 0.0f, of_gx = 0.0f;
    for (i64 r = 0; r < count; ++r) {
      const float centered = x[start + r * channels] - mean[c];
      const float g = passed(dy[start + r * channels], centered, scale[c], beta[c], relu);
      of_g = of_g + g;
      of_gx = fmaf(g, centered, of_gx);
    }
    sums[2 * b * channels + c] = of_g;
    sums[(2 * b + 1) * channels + c] = of_gx;
  }
}

// batch: whether mean and var came from x itself, so that dx goes through them too.
extern "C" __global__ void __launch_bounds__(256)
    join_gradients_f32(const float* sums, const float* var, double eps, i64 batch, i64 rows, float* dgamma,
                       float* dbeta, float* dy_mean, float* slope, i64 channels) {
  for (i64 c = global_thread(); c < channels; c += global_threads()) {
    double of_g = 0.0, of_gx = 0.0;
    for (i64 b = 0; b * kBlockRows < rows; ++b) {
      of_g = of_g + static_cast<double>(sums[2 * b * channels + c]);
      of_gx = of_gx + static_cast<double>(sums[(2 * b + 1) * channels + c]);
    }
    const double inverse = inverse_deviation(var[c], eps), m = static_cast<double>(rows > 0 ? rows : 1);
    dbeta[c] = static_cast<float>(of_g);
    dgamma[c] = static_cast<float>(of_gx * inverse);
    dy_mean[c] = batch != 0 ? static_cast<float>(of_g / m) : 0.0f;
    slope[c] = batch != 0 ? static_cast<float>(of_gx * inverse * inverse / m) : 0.0f;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    norm_input_gradient_f32(const float* x, const float* dy, const float* mean, const float* scale, const float* beta,
                            const float* dy_mean, const float* slope, i64 relu, float* dx, i64 channels, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 c = i % channels;
    const float centered = x[i] - mean[c];
    const float g = passed(dy[i], centered, scale[c], beta[c], relu);
    dx[i] = scale[c] * fmaf(-centered, slope[c], g - dy_mean[c]);
  }
}

// running = keep * running + share * the batch's value, with the batch's variance times unbias; unchanged if a value of
// the batch is not finite. One thread block.
extern "C" __global__ void __launch_bounds__(256)
    follow_f32(float* running_mean, float* running_var, const float* mean, const float* var, float keep, float share,
               float unbias, i64 channels) {
  __shared__ i32 wrong;
  if (threadIdx.x == 0) wrong = 0;
  __syncthreads();
  for (i64 c = threadIdx.x; c < channels; c += blockDim.x)
    if (mean[c] - mean[c] != 0.0f || var[c] - var[c] != 0.0f) wrong = 1;
  __syncthreads();
  if (wrong != 0) return;
  for (i64 c = threadIdx.x; c < channels; c += blockDim.x) {
    running_mean[c] = keep * running_mean[c] + share * mean[c];
    running_var[c] = keep * running_var[c] + share * (var[c] * unbias);
  }
}

extern "C" __global__ void __launch_bounds__(256)
    layer_norm_f32(const float* x, const float* gamma, const float* beta, double eps, i64 centered, float* y,
                   i64 channels, i64 rows) {
  for (i64 i = warp_of_grid(); i < rows; i += warps_of_grid()) {
    const float* from = x + i * channels;
    const RowStatistics s = row_statistics(from, channels, eps, centered);
    for (i64 c = threadIdx.x % 32; c < channels; c += 32) {
      y[i * channels + c] = (from[c] - s.mean) * s.inverse * gamma[c] + beta[c];
    }
  }
}

// statistics (rows, 2): the mean and the inverse deviation of each row. dx may be null.
extern "C" __global__ void __launch_bounds__(256)
    layer_norm_rows_f32(const float* x, const float* dy, const float* gamma, double eps, i64 centered, float* dx,
                        float* statistics, i64 channels, i64 rows) {
  for (i64 i = warp_of_grid(); i < rows; i += warps_of_grid()) {
    const i64 lane = threadIdx.x % 32;
    const float *from = x + i * channels, *d = dy + i * channels;
    const RowStatistics s = row_statistics(from, channels, eps, centered);
    if (lane == 0) {
      statistics[2 * i] = s.mean;
      statistics[2 * i + 1] = s.inverse;
    }
    if (dx == nullptr) continue;
    float of_g = 0.0f, of_gh = 0.0f;
    for (i64 c = lane; c < channels; c += 32) {
      const float g = d[c] * gamma[c];
      of_g = of_g + g;
      of_gh = of_gh + g * ((from[c] - s.mean) * s.inverse);
    }
    const double n = static_cast<double>(channels);
    const float g_sum = lanes_sum(of_g);
    const float g_mean = centered != 0 ? static_cast<float>(static_cast<double>(g_sum) / n) : 0.0f;
    const float gh_mean = static_cast<float>(static_cast<double>(lanes_sum(of_gh)) / n);
    for (i64 c = lane; c < channels; c += 32) {
      const float h = (from[c] - s.mean) * s.inverse;
      dx[i * channels + c] = ((d[c] * gamma[c] - g_mean) - h * gh_mean) * s.inverse;
    }
  }
}

// sums (blocks, 2, C): of dy, and of dy * h.
extern "C" __global__ void __launch_bounds__(256)
    layer_norm_columns_f32(const float* x, const float* dy, const float* statistics, i64 rows, i64 channels,
                           float* sums, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 b = i / channels, c = i % channels, first = b * kBlockRows;
    const i64 last = first + smaller(rows - first, kBlockRows);
    float of_dy = 0.0f, of_dyh = 0.0f;
    for (i64 r = first; r < last; ++r) {
      const float d = dy[r * channels + c];
      of_dy = of_dy + d;
      of_dyh = of_dyh + d * ((x[r * channels + c] - statistics[2 * r]) * statistics[2 * r + 1]);
    }
    sums[2 * b * channels + c] = of_dy;
    sums[(2 * b + 1) * channels + c] = of_dyh;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    join_columns_f32(const float* sums, i64 blocks, float* dgamma, float* dbeta, i64 channels) {
  for (i64 c = global_thread(); c < channels; c += global_threads()) {
    double of_dy = 0.0, of_dyh = 0.0;
    for (i64 b = 0; b < blocks; ++b) {
      of_dy = of_dy + static_cast<double>(sums[2 * b * channels + c]);
      of_dyh = of_dyh + static_cast<double>(sums[(2 * b + 1) * channels + c]);
    }
    dbeta[c] = static_cast<float>(of_dy);
    dgamma[c] = static_cast<float>(of_dyh);
  }
}
