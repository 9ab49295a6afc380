// Tanimoto similarity, level portable.
#include "fingerprint/tanimoto_impl.h"

namespace catalase {
const FingerprintKernels fingerprint_portable = {tanimoto_rows};
}  // namespace catalase
