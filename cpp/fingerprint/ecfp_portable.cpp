// SMILES to fingerprints, level portable.
#include "fingerprint/lanes_portable.h"

// after the lanes
#include "fingerprint/ecfp_impl.h"
#include "fingerprint/graphs_impl.h"

namespace catalase {
const EcfpKernels ecfp_portable = {ecfp_rows, ecfp_graph_rows};
}  // namespace catalase
