// Recurrent cells, one level.
#include "rnn/rnn_impl.h"

namespace catalase {
namespace {

template <class T>
constexpr RnnKernels<T> kKernels = {
    forward_size_level<T>,  pack_forward_level<T>, backward_width_level<T>,
    pack_backward_level<T>, forward_level<T>,      backward_level<T>,
};

}  // namespace

extern const BothTypes<RnnKernels> CATALASE_AT_LEVEL(rnn) = {kKernels<float>, kKernels<double>};

}  // namespace catalase
