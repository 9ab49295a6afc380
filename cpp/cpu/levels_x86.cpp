// The levels of an x86-64 build, best first.
#include <array>

#include "conv/conv.h"
#include "conv/winograd.h"
#include "cpu/dispatch.h"
#include "elementwise/elementwise.h"
#include "fingerprint/ecfp.h"
#include "image/image.h"
#include "loss/loss.h"
#include "matmul/matmul.h"
#include "matmul/sparse.h"
#include "norm/norm.h"
#include "optim/optim.h"
#include "peak/peak.h"
#include "pool/pool.h"
#include "rnn/rnn.h"
#include "similarity/tanimoto.h"

namespace catalase {

std::span<const Level> built_levels() {
  static const std::array<Level, 3> levels = {{
      {"avx512", [](const CpuFeatures& f) { return f.avx512; }, &matmul_avx512, &sparse_avx512, &elementwise_avx512,
       &loss_avx512, &optim_avx512, &tanimoto_avx512, &ecfp_avx512, &pool_avx512, &norm_avx512, &peak_avx512,
       &conv_avx512, &winograd_avx512, &image_avx512, &rnn_avx512},
      {"avx2", [](const CpuFeatures& f) { return f.avx2_fma; }, &matmul_avx2, &sparse_avx2, &elementwise_avx2,
       &loss_avx2, &optim_avx2, &tanimoto_avx2, &ecfp_avx2, &pool_avx2, &norm_avx2, &peak_avx2, &conv_avx2,
       &winograd_avx2, &image_avx2, &rnn_avx2},
      {"portable", [](const CpuFeatures&) { return true; }, &matmul_portable, &sparse_portable, &elementwise_portable,
       &loss_portable, &optim_portable, &tanimoto_portable, &ecfp_portable, &pool_portable, &norm_portable,
       &peak_portable, &conv_portable, &winograd_portable, &image_portable, &rnn_portable},
  }};
  return levels;
}

}  // namespace catalase
