// The levels of a build for any other processor: compiler vectors only.
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
  static const std::array<Level, 1> levels = {{
      {"portable", [](const CpuFeatures&) { return true; }, &matmul_portable, &sparse_portable, &elementwise_portable,
       &loss_portable, &optim_portable, &tanimoto_portable, &ecfp_portable, &pool_portable, &norm_portable,
       &peak_portable, &conv_portable, &winograd_portable, &image_portable, &rnn_portable},
  }};
  return levels;
}

}  // namespace catalase
