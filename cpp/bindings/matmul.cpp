// matmul and linear. The `plain_*` functions are the short path for arrays that need no checks beyond a look at type,
// dtype and shape; they return None for all others, which then take the Python layer's checked path. The other
// functions write into an array of the caller.
#include "matmul/matmul.h"

#include "bindings/codes.h"
#include "bindings/sparse_batch.h"

namespace catalase {
namespace {

// The array's matrix if its shape is (rows, cols), else an error; null for None.
template <class T>
MatrixView<const T> optional_rows(const py::object& array, Index rows, Index cols) {
  if (array.is_none()) return {};
  const auto view = matrix_view<const T>(py::cast<py::array>(array));
  require(view.rows == rows && view.cols == cols && (view.col_stride == 1 || cols <= 1), "epilogue does not fit");
  return view;
}

// `look`: take the gather path if a is mostly zeros.
template <class T>
void matmul_into(bool look, const py::array& a, const py::array& b, const py::object& bias, int activation,
                 const py::array& out, const py::object& add, const py::object& keep) {
  MatmulArgs<T> args{matrix_view<const T>(a), matrix_view<const T>(b), matrix_view<T>(out), {}};
  require(args.a.cols == args.b.rows && args.c.rows == args.a.rows && args.c.cols == args.b.cols, "shapes do not fit");
  require(args.c.col_stride == 1 || args.c.cols <= 1, "out must have rows of unit stride");
  args.c.col_stride = 1;
  Epilogue<T>& e = args.epilogue;
  e.activation = activation_of(activation);
  if (!bias.is_none()) {
    const auto array = py::cast<py::array>(bias);
    require(array.ndim() == 1 && array.shape(0) == args.c.cols, "bias does not fit");
    e.bias = input<T>(array);
  }
  const auto add_view = optional_rows<T>(add, args.c.rows, args.c.cols);
  const auto keep_view = optional_rows<T>(keep, args.c.rows, args.c.cols);
  e.add = add_view.data, e.add_row = add_view.row_stride;
  e.keep = keep_view.data, e.keep_row = keep_view.row_stride;
  require(!look || (e.add == nullptr && e.keep == nullptr), "linear has no add and no keep");
  require(e.keep == nullptr || e.activation <= Activation::kRelu, "keep goes with no activation, or ReLU");
  KernelScope scope;
  look ? linear<T>(args) : matmul<T>(args);
}

template <class T>
void batch_into(const py::array& a, const py::array& b, const py::array& out) {
  require(a.ndim() == 3 && b.ndim() == 3 && out.ndim() == 3, "expected stacks of matrices");
  constexpr Index item = sizeof(T);
  const auto view = [&](const py::array& x) {
    require(has_dtype<T>(x) && x.strides(0) % item == 0 && x.strides(1) % item == 0 && x.strides(2) % item == 0,
            "dtype or strides do not fit");
    return MatrixView<const T>{static_cast<const T*>(x.data()), x.shape(1), x.shape(2), x.strides(1) / item,
                               x.strides(2) / item};
  };
  const auto c = view(out);
  MatmulArgs<T> args{view(a), view(b), {}, {}};
  args.c = {static_cast<T*>(const_cast<py::array&>(out).mutable_data()), c.rows, c.cols, c.row_stride, 1};
  require(args.a.cols == args.b.rows && c.rows == args.a.rows && c.cols == args.b.cols, "shapes do not fit");
  require(a.shape(0) == b.shape(0) && a.shape(0) == out.shape(0) && (c.col_stride == 1 || c.cols <= 1),
          "stacks do not fit");
  const Index count = a.shape(0), a_step = a.strides(0) / item, b_step = b.strides(0) / item;
  const Index c_step = out.strides(0) / item;
  KernelScope scope;
  matmul_batch<T>(args, count, a_step, b_step, c_step);
}

// The bytes between the first and the last element of a matrix.
template <class T>
bool overlap(const MatrixView<const T>& x, const MatrixView<T>& out) {
  const auto range = [](const auto& v, const char** low, const char** high) {
    Index first = 0, last = 0;
    for (const Index reach : {(v.rows - 1) * v.row_stride, (v.cols - 1) * v.col_stride}) {
      (reach < 0 ? first : last) += reach;
    }
    *low = reinterpret_cast<const char*>(v.data + first);
    *high = reinterpret_cast<const char*>(v.data + last + 1);
  };
  const char *low_x, *high_x, *low_out, *high_out;
  range(x, &low_x, &high_x);
  range(out, &low_out, &high_out);
  return low_x < high_out && low_out < high_x;
}

template <class T>
py::object plain_matmul_of(py::handle a, py::handle b, bool transpose_a, bool transpose_b, py::handle out) {
  if (!is_plain<T>(a) || !is_plain<T>(b) || plain_ndim(a) != 2 || plain_ndim(b) != 2) return py::none();
  MatmulArgs<T> args{plain_view<const T>(a), plain_view<const T>(b), {}, {}};
  if (transpose_a) args.a = args.a.transposed();
  if (transpose_b) args.b = args.b.transposed();
  if (args.a.cols != args.b.rows) return py::none();
  const Index m = args.a.rows, n = args.b.cols;
  py::object result;
  if (out.is_none()) {
    result = new_matrix<T>(m, n);
  } else {
    if (!is_plain<T>(out) || plain_ndim(out) != 2) return py::none();
    const auto* array = py::detail::array_proxy(out.ptr());
    if ((array->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) == 0) return py::none();
    result = py::reinterpret_borrow<py::object>(out);
  }
  args.c = plain_view<T>(result);
  if (args.c.rows != m || args.c.cols != n || args.c.col_stride != 1) return py::none();
  if (!out.is_none() && (overlap<T>(args.a, args.c) || overlap<T>(args.b, args.c))) return py::none();
  KernelScope scope;
  matmul<T>(args);
  return result;
}

// dz @ w.T through the derivatives of ReLU and of the dropout after it, whose output is y.
template <class T>
py::object plain_input_gradient_of(py::handle dz, py::handle w, py::handle y, double scale) {
  for (const py::handle x : {dz, w, y}) {
    if (!is_plain<T>(x) || plain_ndim(x) != 2) return py::none();
  }
  MatmulArgs<T> args{plain_view<const T>(dz), plain_view<const T>(w).transposed(), {}, {}};
  const auto mask = plain_view<const T>(y);
  const Index m = args.a.rows, n = args.b.cols;
  if (args.a.cols != args.b.rows || mask.rows != m || mask.cols != n || mask.col_stride != 1) return py::none();
  args.epilogue.relu = mask.data, args.epilogue.relu_row = mask.row_stride;
  args.epilogue.scale = static_cast<T>(scale);
  py::object result = new_matrix<T>(m, n);
  args.c = plain_view<T>(result);
  args.c.col_stride = 1;
  KernelScope scope;
  matmul<T>(args);
  return result;
}

template <class T>
py::object plain_linear_of(py::handle x, py::handle w, py::handle b, int activation) {
  if (!is_plain<T>(x) || !is_plain<T>(w) || plain_ndim(x) != 2 || plain_ndim(w) != 2) return py::none();
  MatmulArgs<T> args{plain_view<const T>(x), plain_view<const T>(w), {}, {}};
  if (args.a.cols != args.b.rows) return py::none();
  if (!b.is_none()) {
    if (!is_plain<T>(b) || plain_ndim(b) != 1) return py::none();
    const auto* array = py::detail::array_proxy(b.ptr());
    if (array->dimensions[0] != args.b.cols || array->strides[0] != static_cast<Index>(sizeof(T))) return py::none();
    args.epilogue.bias = reinterpret_cast<const T*>(array->data);
  }
  args.epilogue.activation = activation_of(activation);
  py::object result = new_matrix<T>(args.a.rows, args.b.cols);
  args.c = plain_view<T>(result);
  args.c.col_stride = 1;
  KernelScope scope;
  linear<T>(args);
  return result;
}

template <class T>
void column_sum_into(const py::array& x, py::array& out) {
  const MatrixView<const T> view = matrix_view<const T>(x);
  require(out.ndim() == 1 && out.shape(0) == view.cols, "out does not fit");
  require(view.col_stride == 1 || view.cols <= 1, "x must have rows of unit stride");
  T* target = output<T>(out);
  KernelScope scope;
  column_sum<T>({view.data, view.rows, view.cols, view.row_stride, 1}, target);
}

}  // namespace

CATALASE_BINDING(matmul, m) {
  m.attr("CHAIN_LENGTH") = kChainLength;
  m.def(
      "plain_matmul",
      [](const py::object& a, const py::object& b, bool transpose_a, bool transpose_b, const py::object& out) {
        py::object result = plain_matmul_of<float>(a, b, transpose_a, transpose_b, out);
        return result.is_none() ? plain_matmul_of<double>(a, b, transpose_a, transpose_b, out) : result;
      },
      py::arg("a"), py::arg("b"), py::arg("transpose_a"), py::arg("transpose_b"), py::arg("out"));
  m.def(
      "plain_linear",
      [](const py::object& x, const py::object& w, const py::object& b, int activation) {
        if (py::isinstance<SparseBatch>(x)) return plain_linear(x.cast<const SparseBatch&>(), w, b, activation);
        py::object result = plain_linear_of<float>(x, w, b, activation);
        return result.is_none() ? plain_linear_of<double>(x, w, b, activation) : result;
      },
      py::arg("x"), py::arg("w"), py::arg("b"), py::arg("activation"));
  m.def(
      "plain_input_gradient",
      [](const py::object& dz, const py::object& w, const py::object& y, double scale) {
        py::object result = plain_input_gradient_of<float>(dz, w, y, scale);
        return result.is_none() ? plain_input_gradient_of<double>(dz, w, y, scale) : result;
      },
      py::arg("dz"), py::arg("w"), py::arg("y"), py::arg("scale"));
  for (const bool look : {false, true}) {
    m.def(
        look ? "linear" : "matmul",
        [look](const py::array& a, const py::array& b, const py::object& bias, int activation, const py::array& out,
               const py::object& add, const py::object& keep) {
          by_type(a, [&]<class T>() { return matmul_into<T>(look, a, b, bias, activation, out, add, keep); });
        },
        py::arg("a"), py::arg("b"), py::arg("bias"), py::arg("activation"), py::arg("out"), py::arg("add") = py::none(),
        py::arg("keep") = py::none());
  }
  m.def(
      "matmul_batch",
      [](const py::array& a, const py::array& b, const py::array& out) {
        by_type(a, [&]<class T>() { return batch_into<T>(a, b, out); });
      },
      py::arg("a"), py::arg("b"), py::arg("out"));
  m.def(
      "column_sum",
      [](const py::array& x, py::array out) { by_type(x, [&]<class T>() { column_sum_into<T>(x, out); }); },
      py::arg("x"), py::arg("out"));
  bind_sparse_batch(m);
}

}  // namespace catalase
