// Softmax and losses over contiguous arrays. Optional arrays come as None.
#include "loss/loss.h"

#include "bindings/codes.h"

namespace catalase {
namespace {

template <class T>
const T* optional_input(const py::object& array, Index size, const char* what) {
  if (array.is_none()) return nullptr;
  const auto a = py::cast<py::array>(array);
  require(a.size() == size, what);
  return input<T>(a);
}

template <class T>
void softmax_into(bool log, const py::array& x, py::array& y, Index classes) {
  require(x.size() == y.size() && classes > 0 && x.size() % classes == 0, "softmax: sizes do not fit");
  const T* px = input<T>(x);
  T* py_ = output<T>(y);
  const Index rows = x.size() / classes;
  KernelScope scope;
  softmax<T>(log, px, py_, rows, classes);
}

template <class T>
void softmax_backward_into(bool log, const py::array& dy, const py::array& y, py::array& dx, Index classes) {
  require(dy.size() == y.size() && dy.size() == dx.size() && classes > 0 && dy.size() % classes == 0,
          "softmax_backward: sizes do not fit");
  const T *pdy = input<T>(dy), *py_ = input<T>(y);
  T* pdx = output<T>(dx);
  const Index rows = dy.size() / classes;
  KernelScope scope;
  softmax_backward<T>(log, pdy, py_, pdx, rows, classes);
}

template <class T>
void loss_into(int kind, const py::array& logits, const py::object& labels, const py::object& targets,
               const py::object& weights, const py::object& dloss, py::array& out, Index classes) {
  const Loss of = code(kind, static_cast<Loss>(static_cast<int>(Loss::kCount) - 1), "loss: unknown loss");
  require(classes > 0 && logits.size() % classes == 0, "loss: sizes do not fit");
  const bool backward = !dloss.is_none();
  LossArgs<T> args;
  args.rows = logits.size() / classes;
  args.classes = classes;
  args.logits = input<T>(logits);
  args.labels = optional_input<std::int64_t>(labels, args.rows, "loss: labels do not fit");
  args.targets = optional_input<T>(targets, logits.size(), "loss: targets do not fit");
  args.weights = optional_input<T>(weights, args.rows, "loss: weights do not fit");
  args.dloss = optional_input<T>(dloss, args.rows, "loss: dloss does not fit");
  require((args.labels == nullptr) != (args.targets == nullptr), "loss: give labels or targets");
  require(out.size() == (backward ? logits.size() : args.rows), "loss: out does not fit");
  args.out = output<T>(out);
  KernelScope scope;
  loss<T>(of, backward, args);
}

}  // namespace

CATALASE_BINDING(loss, m) {
#define CATALASE_NAME(enumerator, name, ...) {name, Loss::enumerator},
  m.attr("LOSSES") = codes<Loss>({{"softmax", Loss::kSoftmax}, CATALASE_ELEMENTWISE_LOSSES(CATALASE_NAME)});
#undef CATALASE_NAME
  m.def(
      "softmax",
      [](bool log, const py::array& x, py::array y, Index classes) {
        by_type(x, [&]<class T>() { return softmax_into<T>(log, x, y, classes); });
      },
      py::arg("log"), py::arg("x"), py::arg("y"), py::arg("classes"));
  m.def(
      "softmax_backward",
      [](bool log, const py::array& dy, const py::array& y, py::array dx, Index classes) {
        by_type(dy, [&]<class T>() { return softmax_backward_into<T>(log, dy, y, dx, classes); });
      },
      py::arg("log"), py::arg("dy"), py::arg("y"), py::arg("dx"), py::arg("classes"));
  m.def(
      "loss",
      [](int kind, const py::array& logits, const py::object& labels, const py::object& targets,
         const py::object& weights, const py::object& dloss, py::array out, Index classes) {
        by_type(logits,
                [&]<class T>() { return loss_into<T>(kind, logits, labels, targets, weights, dloss, out, classes); });
      },
      py::arg("kind"), py::arg("logits"), py::arg("labels"), py::arg("targets"), py::arg("weights"), py::arg("dloss"),
      py::arg("out"), py::arg("classes"));
}

}  // namespace catalase
