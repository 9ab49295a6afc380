// SMILES to fingerprints, level avx512.
#include "fingerprint/lanes_avx512.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"

namespace catalase {
const EcfpKernels ecfp_avx512 = {ecfp_rows};
}  // namespace catalase
