// SMILES to fingerprints, level avx512.
#include "fingerprint/lanes_avx512.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"
#include "fingerprint/graphs_impl.h"

namespace catalase {
const EcfpKernels ecfp_avx512 = {ecfp_rows, ecfp_graph_rows};
}  // namespace catalase
