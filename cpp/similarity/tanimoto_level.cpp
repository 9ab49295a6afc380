// Tanimoto similarity, one level; for AVX-512 a second time with VPOPCNTDQ, which the level does not imply.
#include "similarity/tanimoto_impl.h"

namespace catalase {
extern const TanimotoKernels CATALASE_AT_LEVEL(tanimoto) = {intersections, popcounts, count_column};
}  // namespace catalase
