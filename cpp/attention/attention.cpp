// Divides sequences, heads and queries among the threads.
#include "attention/attention.h"

#include "common/blocks.h"

namespace catalase {
namespace {

constexpr Index kQueriesATask = 64;  // at least: a task arranges the keys and values that it reads

template <class T>
double multiply_adds(const AttentionArgs<T>& args) {
  return static_cast<double>(args.batch * args.heads * args.queries) *
         static_cast<double>(args.keys * (args.width + args.value_width));
}

}  // namespace

template <class T>
void attention(const AttentionArgs<T>& args) {
  const Index items = args.batch * args.heads;
  if (items == 0 || args.queries == 0) return;
  const int threads = threads_for(multiply_adds(args));
  const Index most = ceil_div(args.queries, kQueriesATask), wanted = threads == 1 ? 1 : ceil_div(4 * threads, items);
  const Index parts = smaller(most, wanted);
  in_blocks(items * parts, 1, threads, [&](Index i, Index) {
    const Index item = i / parts, part = i % parts;
    attention_kernels<T>().forward(args, item / args.heads, item % args.heads, even_start(args.queries, parts, part),
                                   even_start(args.queries, parts, part + 1));
  });
}

template <class T>
void attention_backward(const AttentionArgs<T>& args) {
  in_blocks(args.batch * args.heads, 1, threads_for(2.5 * multiply_adds(args)),
            [&](Index i, Index) { attention_kernels<T>().backward(args, i / args.heads, i % args.heads); });
}

template void attention<float>(const AttentionArgs<float>&);
template void attention<double>(const AttentionArgs<double>&);
template void attention_backward<float>(const AttentionArgs<float>&);
template void attention_backward<double>(const AttentionArgs<double>&);

}  // namespace catalase
