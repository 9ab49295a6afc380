// SMILES to fingerprints, level avx2.
#include "fingerprint/ecfp_impl.h"

namespace catalase {
const EcfpKernels ecfp_avx2 = {ecfp_rows};
}  // namespace catalase
