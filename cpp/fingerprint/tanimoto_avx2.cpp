// Tanimoto similarity, level avx2.
#include "fingerprint/tanimoto_impl.h"

namespace catalase {
const FingerprintKernels fingerprint_avx2 = {tanimoto_rows};
}  // namespace catalase
