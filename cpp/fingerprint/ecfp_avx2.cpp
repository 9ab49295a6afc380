// SMILES to fingerprints, level avx2.
#include "fingerprint/lanes_avx2.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"

namespace catalase {
const EcfpKernels ecfp_avx2 = {ecfp_rows};
}  // namespace catalase
