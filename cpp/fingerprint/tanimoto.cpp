// Rows of a are shared out among the threads, 16 at a time.
#include "fingerprint/tanimoto.h"

#include "common/thread_pool.h"
#include "cpu/dispatch.h"

namespace catalase {

void tanimoto(const std::uint8_t* a, Index n, const std::uint8_t* b, Index m, Index bytes, float* out) {
  constexpr Index kRows = 16;
  parallel_for((n + kRows - 1) / kRows, [&](Index block) {
    const Index i = block * kRows, rows = i + kRows < n ? kRows : n - i;
    level().fingerprint->tanimoto(a + i * bytes, rows, b, m, bytes, out + i * m);
  });
}

}  // namespace catalase
