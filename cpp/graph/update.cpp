#include "graph/update.h"

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

constexpr Index kUpdateRows = 288;  // at K = 300 a block of m is 338 KiB, in an L2 of 512 KiB and more

}  // namespace

template <class T>
void message_update(const RowLists& lists, const UpdateArgs<T>& args) {
  const Index rows = lists.count, columns = args.y.cols;
  if (rows == 0) return;
  const double work = static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(args.h.cols);
  const Index blocks = ceil_div(rows, kUpdateRows), threads = threads_for(work);
  const Index tasks = threads == 1 ? blocks : round_up(blocks, threads);
  const auto one = [&](Index task) {
    const Index first = even_start(rows, tasks, task), last = even_start(rows, tasks, task + 1), count = last - first;
    if (count == 0) return;
    const Index terms = args.h.cols;
    Scratch<T> own(args.m.data == nullptr ? static_cast<std::size_t>(count * terms) : 0);
    const MatrixView<T> m = args.m.data == nullptr ? MatrixView<T>{own.get(), count, terms, terms, 1}
                                                   : args.m.block(first, 0, count, terms);
    const RowLists part{lists.offsets + first, lists.index, count};
    graph_kernels<T>().sum(part, SumArgs<T>{args.h, m}, ListPart{0, count, 0, terms});
    if (columns == 0) return;
    MatmulArgs<T> product{{m.data, count, terms, m.row_stride, 1}, args.w, args.y.block(first, 0, count, columns), {}};
    Epilogue<T>& e = product.epilogue;
    e.bias = args.bias;
    e.activation = args.activation;
    if (args.z.rows > 0) {
      e.add = args.kind == nullptr ? args.z.at(first, 0) : args.z.data;
      e.add_row = args.z.row_stride;
      e.add_index = args.kind == nullptr ? nullptr : args.kind + first;
    }
    matmul_kernels<T>().matmul(product);
  };
  if (threads == 1) {
    for (Index task = 0; task < tasks; ++task) one(task);
  } else {
    parallel_for(tasks, one);
  }
}

template void message_update<float>(const RowLists&, const UpdateArgs<float>&);
template void message_update<double>(const RowLists&, const UpdateArgs<double>&);

}  // namespace catalase
