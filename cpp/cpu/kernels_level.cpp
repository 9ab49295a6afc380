// All tables of one level.
#include "conv/conv.h"
#include "conv/winograd.h"
#include "cpu/kernels.h"
#include "cpu/level.h"
#include "elementwise/elementwise.h"
#include "fingerprint/ecfp.h"
#include "image/image.h"
#include "loss/loss.h"
#include "matmul/matmul.h"
#include "matmul/sparse.h"
#include "norm/norm.h"
#include "optim/optim.h"
#include "peak/peak.h"
#include "pool/pool.h"
#include "rnn/rnn.h"
#include "similarity/tanimoto.h"

namespace catalase {

extern const BothTypes<MatmulKernels> CATALASE_AT_LEVEL(matmul);
extern const BothTypes<SparseKernels> CATALASE_AT_LEVEL(sparse);
extern const BothTypes<ElementwiseKernels> CATALASE_AT_LEVEL(elementwise);
extern const BothTypes<LossKernels> CATALASE_AT_LEVEL(loss);
extern const BothTypes<OptimKernels> CATALASE_AT_LEVEL(optim);
extern const BothTypes<PoolKernels> CATALASE_AT_LEVEL(pool);
extern const BothTypes<NormKernels> CATALASE_AT_LEVEL(norm);
extern const BothTypes<ConvKernels> CATALASE_AT_LEVEL(conv);
extern const BothTypes<RnnKernels> CATALASE_AT_LEVEL(rnn);
extern const WinogradKernels CATALASE_AT_LEVEL(winograd);
extern const ImageKernels CATALASE_AT_LEVEL(image);
extern const EcfpKernels CATALASE_AT_LEVEL(ecfp);
extern const TanimotoKernels CATALASE_AT_LEVEL(tanimoto);
extern const PeakKernels CATALASE_AT_LEVEL(peak);

namespace {

template <class T>
constexpr TypedKernels<T> kTyped = {
    &of_type<T>(CATALASE_AT_LEVEL(matmul)),      &of_type<T>(CATALASE_AT_LEVEL(sparse)),
    &of_type<T>(CATALASE_AT_LEVEL(elementwise)), &of_type<T>(CATALASE_AT_LEVEL(loss)),
    &of_type<T>(CATALASE_AT_LEVEL(optim)),       &of_type<T>(CATALASE_AT_LEVEL(pool)),
    &of_type<T>(CATALASE_AT_LEVEL(norm)),        &of_type<T>(CATALASE_AT_LEVEL(conv)),
    &of_type<T>(CATALASE_AT_LEVEL(rnn)),
};

}  // namespace

extern const Kernels CATALASE_AT_LEVEL(kernels) = {
    kTyped<float>,
    kTyped<double>,
    &CATALASE_AT_LEVEL(winograd),
    &CATALASE_AT_LEVEL(image),
    &CATALASE_AT_LEVEL(ecfp),
    &CATALASE_AT_LEVEL(tanimoto),
    &CATALASE_AT_LEVEL(peak),
};

}  // namespace catalase
