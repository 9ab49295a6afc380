// Tanimoto similarity, level avx512.
#include "fingerprint/tanimoto_impl.h"

namespace catalase {
const FingerprintKernels fingerprint_avx512 = {tanimoto_rows};
}  // namespace catalase
