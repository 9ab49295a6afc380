// One optimizer step, in place over flat buffers.
#include "optim/optim.h"

#include <cmath>

#include "bindings/arrays.h"

namespace catalase {
namespace {

struct Settings {
  int rule;
  double lr, l1, l2, decay, beta1, beta2, eps;
  long step;
  bool nesterov;
};

template <class T>
T* optional_output(const py::object& array, Index size) {
  if (array.is_none()) return nullptr;
  auto a = py::cast<py::array>(array);
  require(a.size() == size, "optim_step: sizes differ");
  return output<T>(a);
}

template <class T>
void step(const Settings& s, py::array& param, const py::array& grad, const py::object& first,
          const py::object& second) {
  require(s.rule >= 0 && s.rule <= 4 && param.size() == grad.size(), "optim_step: sizes differ");
  OptimArgs<T> args;
  args.param = output<T>(param);
  args.grad = input<T>(grad);
  args.n = param.size();
  args.first = optional_output<T>(first, args.n);
  args.second = optional_output<T>(second, args.n);
  const auto rule = static_cast<Rule>(s.rule);
  require(rule == Rule::kSgd || args.first != nullptr, "optim_step: state is missing");
  require(rule != Rule::kAdam || args.second != nullptr, "optim_step: state is missing");
  args.lr = static_cast<T>(s.lr);
  args.l1 = static_cast<T>(s.l1);
  args.l2 = static_cast<T>(s.l2);
  args.keep = static_cast<T>(1 - s.lr * s.decay);
  args.beta1 = static_cast<T>(s.beta1);
  args.beta2 = static_cast<T>(s.beta2);
  args.eps = static_cast<T>(s.eps);
  args.step_size = static_cast<T>(s.lr / (1 - std::pow(s.beta1, static_cast<double>(s.step))));
  args.root_scale = static_cast<T>(1 / std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step))));
  args.nesterov = s.nesterov;
  KernelScope scope;
  optim_step<T>(rule, args);
}

}  // namespace

void bind_optim(py::module_& m) {
  m.def(
      "optim_step",
      [](int rule, py::array param, const py::array& grad, const py::object& first, const py::object& second, double lr,
         double l1, double l2, double decay, double beta1, double beta2, double eps, long step_number, bool nesterov) {
        const Settings s{rule, lr, l1, l2, decay, beta1, beta2, eps, step_number, nesterov};
        has_dtype<double>(param) ? step<double>(s, param, grad, first, second)
                                 : step<float>(s, param, grad, first, second);
      },
      py::arg("rule"), py::arg("param"), py::arg("grad"), py::arg("first"), py::arg("second"), py::arg("lr"),
      py::arg("l1"), py::arg("l2"), py::arg("decay"), py::arg("beta1"), py::arg("beta2"), py::arg("eps"),
      py::arg("step"), py::arg("nesterov"));
}

}  // namespace catalase
