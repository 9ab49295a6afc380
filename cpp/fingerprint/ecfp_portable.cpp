// SMILES to fingerprints, level portable.
#include "fingerprint/ecfp_impl.h"

namespace catalase {
const EcfpKernels ecfp_portable = {ecfp_rows};
}  // namespace catalase
