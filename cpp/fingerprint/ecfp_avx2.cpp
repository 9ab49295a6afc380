// SMILES to fingerprints, level avx2.
#include "fingerprint/lanes_avx2.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"
#include "fingerprint/graphs_impl.h"

namespace catalase {
const EcfpKernels ecfp_avx2 = {ecfp_rows, ecfp_graph_rows};
}  // namespace catalase
