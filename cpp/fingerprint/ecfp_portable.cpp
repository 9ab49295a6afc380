// SMILES to fingerprints, level portable.
#include "fingerprint/lanes_portable.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"

namespace catalase {
const EcfpKernels ecfp_portable = {ecfp_rows};
}  // namespace catalase
