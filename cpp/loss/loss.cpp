// Divides the rows among the threads.
#include "loss/loss.h"

#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kGrain = 16384;  // values a thread at least

Index rows_a_thread(Index classes) {
  return kGrain / (classes > 0 ? classes : 1) + 1;
}

}  // namespace

template <class T>
void softmax(bool log, const T* x, T* y, Index rows, Index classes) {
  parallel_ranges(rows, rows_a_thread(classes), [&](Index begin, Index end) {
    const Index at = begin * classes;
    loss_kernels<T>().softmax(log, x + at, y + at, end - begin, classes);
  });
}

template <class T>
void softmax_backward(bool log, const T* dy, const T* y, T* dx, Index rows, Index classes) {
  parallel_ranges(rows, rows_a_thread(classes), [&](Index begin, Index end) {
    const Index at = begin * classes;
    loss_kernels<T>().softmax_backward(log, dy + at, y + at, dx + at, end - begin, classes);
  });
}

template <class T>
void loss(Loss kind, bool backward, const LossArgs<T>& args) {
  parallel_ranges(args.rows, rows_a_thread(args.classes), [&](Index begin, Index end) {
    LossArgs<T> part = args;
    const Index width = kind == Loss::kSoftmax ? args.classes : 1;
    part.rows = end - begin;
    part.logits += begin * width;
    if (part.labels != nullptr) part.labels += begin;
    if (part.targets != nullptr) part.targets += begin * width;
    if (part.weights != nullptr) part.weights += begin;
    if (part.dloss != nullptr) part.dloss += begin;
    part.out += begin * (backward ? width : 1);
    loss_kernels<T>().loss(kind, backward, part);
  });
}

template void softmax<float>(bool, const float*, float*, Index, Index);
template void softmax<double>(bool, const double*, double*, Index, Index);
template void softmax_backward<float>(bool, const float*, const float*, float*, Index, Index);
template void softmax_backward<double>(bool, const double*, const double*, double*, Index, Index);
template void loss<float>(Loss, bool, const LossArgs<float>&);
template void loss<double>(Loss, bool, const LossArgs<double>&);

}  // namespace catalase
