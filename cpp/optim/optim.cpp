// Divides the buffer among the threads; elements are independent.
#include "optim/optim.h"

#include "common/thread_pool.h"

namespace catalase {

template <class T>
void optim_step(Rule rule, const OptimArgs<T>& args) {
  parallel_ranges(args.n, 32768, [&](Index begin, Index end) {
    OptimArgs<T> part = args;
    part.param += begin;
    part.grad += begin;
    if (part.first != nullptr) part.first += begin;
    if (part.second != nullptr) part.second += begin;
    if (part.third != nullptr) part.third += begin;
    part.n = end - begin;
    optim_kernels<T>().step(rule, part);
  });
}

template void optim_step<float>(Rule, const OptimArgs<float>&);
template void optim_step<double>(Rule, const OptimArgs<double>&);

}  // namespace catalase
