// SMILES to fingerprints, one level.
#include "fingerprint/ecfp_impl.h"
#include "fingerprint/graphs_impl.h"

namespace catalase {
extern const EcfpKernels CATALASE_AT_LEVEL(ecfp) = {ecfp_rows, ecfp_graph_rows};
}  // namespace catalase
