// One optimizer step, in place over flat buffers.
#include "optim/optim.h"

#include <cmath>

#include "bindings/codes.h"
#include "bindings/sparse_batch.h"

namespace catalase {
namespace {

struct Settings {
  Rule rule;
  double lr, l1, l2, decay, beta1, beta2, eps;
  long step;
  bool nesterov;
};

struct State {
  const py::object &first, &second, &third;
};

// A buffer of the optimizer's state, with the layout of the parameters; null for None.
template <class T>
T* state_of(const py::object& array, const py::array& param) {
  if (array.is_none()) return nullptr;
  auto a = py::cast<py::array>(array);
  require(has_dtype<T>(a) && a.ndim() == param.ndim(), "optim_step: state does not fit");
  for (py::ssize_t i = 0; i < a.ndim(); ++i) {
    require(a.shape(i) == param.shape(i) && a.strides(i) == param.strides(i), "optim_step: state does not fit");
  }
  return static_cast<T*>(a.mutable_data());
}

template <class T>
OptimArgs<T> args_of(const Settings& s, py::array& param, const State& state) {
  require(has_dtype<T>(param), "optim_step: unexpected dtype");
  OptimArgs<T> args;
  args.param = static_cast<T*>(param.mutable_data());
  args.first = state_of<T>(state.first, param);
  args.second = state_of<T>(state.second, param);
  args.third = state_of<T>(state.third, param);
  const bool adam = s.rule == Rule::kAdam || s.rule == Rule::kAmsgrad;
  require(s.rule == Rule::kSgd || args.first != nullptr, "optim_step: state is missing");
  require(!adam || args.second != nullptr, "optim_step: state is missing");
  require(s.rule != Rule::kAmsgrad || args.third != nullptr, "optim_step: state is missing");
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
  return args;
}

// Flat buffers with a gradient.
template <class T>
void step(const Settings& s, py::array& param, const py::array& grad, const State& state) {
  OptimArgs<T> args = args_of<T>(s, param, state);
  require(is_contiguous(param) && param.size() == grad.size(), "optim_step: sizes differ");
  args.grad = input<T>(grad);
  args.n = param.size();
  KernelScope scope;
  optim_step<T>(s.rule, args);
}

// A matrix of weights whose gradient is x^T @ dz; x is a SparseBatch or an array.
template <class T>
void step_linear(const Settings& s, py::array& param, const py::object& x, const py::array& dz, const State& state) {
  const OptimArgs<T> args = args_of<T>(s, param, state);
  const MatrixView<const T> weights = matrix_view<const T>(param);
  MatrixView<const T> gradient = matrix_view<const T>(dz);
  require(weights.col_stride == 1 || weights.cols <= 1, "optim_step: rows must have unit stride");
  require(gradient.cols == weights.cols && (gradient.col_stride == 1 || gradient.cols <= 1), "optim_step: dz");
  gradient.col_stride = 1;
  if (py::isinstance<SparseBatch>(x)) {
    auto& batch = x.cast<SparseBatch&>();
    require(batch.rows() == gradient.rows && batch.cols() == weights.rows, "optim_step: x does not fit");
    KernelScope scope;
    const SparseRows<T> columns = batch.by_column<T>();
    optim_step_linear<T>(s.rule, args, weights.rows, weights.cols, weights.row_stride, &columns, {}, gradient);
    return;
  }
  const MatrixView<const T> dense = matrix_view<const T>(py::cast<py::array>(x));
  require(dense.rows == gradient.rows && dense.cols == weights.rows, "optim_step: x does not fit");
  KernelScope scope;
  optim_step_linear<T>(s.rule, args, weights.rows, weights.cols, weights.row_stride, nullptr, dense, gradient);
}

bool same_layout(py::handle a, py::handle b) {
  const auto *x = py::detail::array_proxy(a.ptr()), *y = py::detail::array_proxy(b.ptr());
  if (x->nd != y->nd) return false;
  for (int i = 0; i < x->nd; ++i) {
    if (x->dimensions[i] != y->dimensions[i] || x->strides[i] != y->strides[i]) return false;
  }
  return true;
}

// The range of bytes that an array covers.
struct Reach {
  const char *from, *to;
  bool meets(const Reach& other) const { return from < other.to && other.from < to; }
};
Reach reach_of(py::handle h) {
  const auto* array = py::detail::array_proxy(h.ptr());
  Reach reach{array->data, array->data + py::reinterpret_borrow<py::array>(h).itemsize()};
  for (int i = 0; i < array->nd; ++i) {
    if (array->dimensions[i] == 0) return {array->data, array->data};
    (array->strides[i] < 0 ? reach.from : reach.to) += (array->dimensions[i] - 1) * array->strides[i];
  }
  return reach;
}

// Whether the arrays that a step writes overlap neither each other nor its inputs. A flat gradient may be one of them:
// each element is read before it is written.
bool apart(py::handle param, py::handle grad, py::handle x, py::handle first, py::handle second, py::handle third) {
  Reach written[4], read[2];
  int writes = 0, reads = 0;
  for (const py::handle h : {param, first, second, third}) {
    if (!h.is_none()) written[writes++] = reach_of(h);
  }
  for (const py::handle h : {grad, x}) {
    if (py::isinstance<py::array>(h)) read[reads++] = reach_of(h);
  }
  for (int i = 0; i < writes; ++i) {
    for (int j = 0; j < i; ++j) {
      if (written[i].meets(written[j])) return false;
    }
    for (int j = 0; j < reads; ++j) {
      const bool whole = x.is_none() && written[i].from == read[j].from && written[i].to == read[j].to;
      if (written[i].meets(read[j]) && !whole) return false;
    }
  }
  return true;
}

// Whether the arrays of a step can be used directly: the same checks as in the Python layer, in a few nanoseconds.
template <class T>
bool fits(py::handle param, py::handle grad, py::handle x, py::handle first, py::handle second, py::handle third) {
  constexpr int kWriteable = py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  if (!is_plain<T>(param) || !is_plain<T>(grad)) return false;
  for (const py::handle buffer : {param, first, second, third}) {
    if (buffer.is_none()) continue;
    if (!is_plain<T>(buffer) || !same_layout(buffer, param)) return false;
    if ((py::detail::array_proxy(buffer.ptr())->flags & kWriteable) == 0) return false;
  }
  const auto *values = py::detail::array_proxy(param.ptr()), *gradient = py::detail::array_proxy(grad.ptr());
  constexpr Index item = sizeof(T);
  if (x.is_none()) return values->nd == 1 && values->strides[0] == item && same_layout(grad, param);
  if (values->nd != 2 || gradient->nd != 2 || gradient->dimensions[1] != values->dimensions[1]) return false;
  if (values->strides[1] != item || gradient->strides[1] != item) return false;
  const bool sparse = py::isinstance<SparseBatch>(x);
  if (!sparse && (!is_plain<T>(x) || plain_ndim(x) != 2)) return false;
  Index rows, cols;
  if (sparse) {
    const auto& batch = x.cast<const SparseBatch&>();
    if (batch.is_double() != (item == 8)) return false;
    rows = batch.rows(), cols = batch.cols();
  } else {
    rows = py::detail::array_proxy(x.ptr())->dimensions[0], cols = py::detail::array_proxy(x.ptr())->dimensions[1];
  }
  return rows == gradient->dimensions[0] && cols == values->dimensions[0];
}

}  // namespace

CATALASE_BINDING(optim, m) {
#define CATALASE_NAME(enumerator, name) {name, Rule::enumerator},
  m.attr("RULES") = codes<Rule>({CATALASE_RULES(CATALASE_NAME)});
#undef CATALASE_NAME
  m.def(
      "optim_step_fits",
      [](py::handle param, py::handle grad, py::handle x, py::handle first, py::handle second, py::handle third) {
        return (fits<float>(param, grad, x, first, second, third) ||
                fits<double>(param, grad, x, first, second, third)) &&
               apart(param, grad, x, first, second, third);
      },
      "Whether `optim_step` can take these arrays as they stand.", py::arg("param"), py::arg("grad"), py::arg("x"),
      py::arg("first"), py::arg("second"), py::arg("third"));
  m.def(
      "optim_step",
      [](int rule, py::array param, const py::array& grad, const py::object& x, const py::object& first,
         const py::object& second, const py::object& third, double lr, double l1, double l2, double decay, double beta1,
         double beta2, double eps, long step_number, bool nesterov) {
        const Settings s{code(rule, static_cast<Rule>(static_cast<int>(Rule::kCount) - 1), "optim_step: unknown rule"),
                         lr,
                         l1,
                         l2,
                         decay,
                         beta1,
                         beta2,
                         eps,
                         step_number,
                         nesterov};
        by_type(param, [&]<class T>() {
          const State state{first, second, third};
          x.is_none() ? step<T>(s, param, grad, state) : step_linear<T>(s, param, x, grad, state);
        });
      },
      "One step. With x, the gradient of the matrix `param` is x.T @ grad.", py::arg("rule"), py::arg("param"),
      py::arg("grad"), py::arg("x"), py::arg("first"), py::arg("second"), py::arg("third"), py::arg("lr"),
      py::arg("l1"), py::arg("l2"), py::arg("decay"), py::arg("beta1"), py::arg("beta2"), py::arg("eps"),
      py::arg("step"), py::arg("nesterov"));
}

}  // namespace catalase
