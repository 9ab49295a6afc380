// SparseBatch: made from an array that is mostly zeros, or from packed bits; multiplied by gathering.
#include "bindings/sparse_batch.h"

#include "bindings/codes.h"

namespace catalase {
namespace {

template <class T>
py::object look(const py::array& x) {
  const MatrixView<const T> view = matrix_view<const T>(x);
  std::unique_ptr<SparseMatrix<T>> rows;
  {
    KernelScope scope;
    rows = SparseMatrix<T>::look(view);
  }
  return rows == nullptr ? py::object(py::none()) : py::cast(std::make_unique<SparseBatch>(std::move(rows)));
}

template <class T>
std::unique_ptr<SparseBatch> from_bits(const py::array& bits) {
  require(bits.ndim() == 2 && has_dtype<std::uint8_t>(bits) &&
              (bits.strides(1) == 1 || bits.shape(1) <= 1 || bits.size() == 0),
          "bits must be uint8 rows");
  const auto* data = static_cast<const std::uint8_t*>(bits.data());
  const Index rows = bits.shape(0), bytes = bits.shape(1), stride = bits.strides(0);
  KernelScope scope;
  return std::make_unique<SparseBatch>(SparseMatrix<T>::from_bits(data, rows, bytes, stride));
}

template <class T>
std::unique_ptr<SparseBatch> from_entries(const py::array& starts, Index cols, const py::array& columns,
                                          const py::array& values) {
  require(starts.ndim() == 1 && starts.size() > 0, "starts must be a vector");
  require(columns.ndim() == 1 && values.ndim() == 1 && columns.size() == values.size(), "entries do not fit");
  const Index rows = starts.size() - 1, count = columns.size();
  const Index* begin = input<Index>(starts);
  const auto* column = input<std::int32_t>(columns);
  const T* value = input<T>(values);
  require(begin[0] == 0 && begin[rows] == count, "starts do not fit");
  for (Index i = 0; i < rows; ++i) {
    require(begin[i] <= begin[i + 1] && begin[i + 1] <= count, "starts must ascend");
    for (Index e = begin[i]; e < begin[i + 1]; ++e) {
      require((e == begin[i] ? 0 : column[e - 1] + 1) <= column[e] && column[e] < cols, "columns must ascend");
    }
  }
  KernelScope scope;
  return std::make_unique<SparseBatch>(SparseMatrix<T>::from_entries(begin, rows, cols, column, value));
}

template <class T>
py::object linear_of(const SparseBatch& x, const py::array& w, const py::object& bias, int activation) {
  MatmulArgs<T> args{{}, matrix_view<const T>(w), {}, {}};
  require(args.b.rows == x.cols() && (args.b.col_stride == 1 || args.b.cols <= 1), "w does not fit");
  args.b.col_stride = 1;
  if (!bias.is_none()) {
    const auto array = py::cast<py::array>(bias);
    require(array.ndim() == 1 && array.shape(0) == args.b.cols, "bias does not fit");
    args.epilogue.bias = input<T>(array);
  }
  args.epilogue.activation = activation_of(activation);
  py::object out = new_matrix<T>(x.rows(), args.b.cols);
  args.c = plain_view<T>(out);
  args.c.col_stride = 1;
  const SparseRows<T> rows = x.by_row<T>();
  KernelScope scope;
  gather<T>(rows, args);
  return out;
}

template <class T>
py::object plain_linear_of(const SparseBatch& x, py::handle w, py::handle bias, int activation) {
  if (!is_plain<T>(w) || plain_ndim(w) != 2) return py::none();
  const MatrixView<const T> view = plain_view<const T>(w);
  if (view.rows != x.cols() || view.col_stride != 1) return py::none();
  if (!bias.is_none() &&
      !(is_plain<T>(bias) && plain_ndim(bias) == 1 && py::detail::array_proxy(bias.ptr())->dimensions[0] == view.cols &&
        py::detail::array_proxy(bias.ptr())->strides[0] == static_cast<Index>(sizeof(T)))) {
    return py::none();
  }
  return linear_of<T>(x, py::reinterpret_borrow<py::array>(w), py::reinterpret_borrow<py::object>(bias), activation);
}

template <class T>
void gradient_into(SparseBatch& x, const py::array& dz, const py::array& out) {
  MatmulArgs<T> args{{}, matrix_view<const T>(dz), matrix_view<T>(out), {}};
  require(args.b.rows == x.rows() && args.c.rows == x.cols() && args.c.cols == args.b.cols, "shapes do not fit");
  require((args.b.col_stride == 1 && args.c.col_stride == 1) || args.c.cols <= 1, "rows must have unit stride");
  args.b.col_stride = args.c.col_stride = 1;
  KernelScope scope;
  gather<T>(x.by_column<T>(), args);
}

template <class T>
py::array dense(const SparseBatch& x) {
  py::array out = new_matrix<T>(x.rows(), x.cols());
  x.matrix<T>().to_dense(static_cast<T*>(out.mutable_data()));
  return out;
}

template <class T>
std::unique_ptr<SparseBatch> take(const SparseBatch& x, const py::array& rows) {
  require(rows.ndim() == 1 && has_dtype<Index>(rows), "rows must be int64");
  const Index* numbers = input<Index>(rows);
  for (Index i = 0; i < rows.size(); ++i) {
    if (numbers[i] < 0 || numbers[i] >= x.rows()) {
      throw py::index_error("take: row " + std::to_string(numbers[i]) + " of a batch of " + std::to_string(x.rows()));
    }
  }
  const Index count = rows.size();
  KernelScope scope;
  return std::make_unique<SparseBatch>(x.matrix<T>().take(numbers, count));
}

}  // namespace

py::object plain_linear(const SparseBatch& x, py::handle w, py::handle bias, int activation) {
  return x.is_double() ? plain_linear_of<double>(x, w, bias, activation)
                       : plain_linear_of<float>(x, w, bias, activation);
}

void bind_sparse_batch(py::module_& m) {
  py::class_<SparseBatch>(m, "SparseBatch")
      .def_property_readonly("shape", [](const SparseBatch& x) { return py::make_tuple(x.rows(), x.cols()); })
      .def_property_readonly("entries", &SparseBatch::entries)
      .def_property_readonly(
          "dtype",
          [](const SparseBatch& x) { return x.is_double() ? py::dtype::of<double>() : py::dtype::of<float>(); })
      .def("to_dense", [](const SparseBatch& x) { return x.is_double() ? dense<double>(x) : dense<float>(x); })
      .def(
          "take",
          [](const SparseBatch& x, const py::array& rows) {
            return x.is_double() ? take<double>(x, rows) : take<float>(x, rows);
          },
          py::arg("rows"))
      .def("__len__", &SparseBatch::rows)
      .def(
          "linear",
          [](const SparseBatch& x, const py::array& w, const py::object& bias, int activation) {
            return x.is_double() ? linear_of<double>(x, w, bias, activation) : linear_of<float>(x, w, bias, activation);
          },
          py::arg("w"), py::arg("bias"), py::arg("activation"))
      .def(
          "weight_gradient",
          [](SparseBatch& x, const py::array& dz, const py::array& out) {
            x.is_double() ? gradient_into<double>(x, dz, out) : gradient_into<float>(x, dz, out);
          },
          py::arg("dz"), py::arg("out"));
  m.def("look", [](const py::array& x) { return by_type(x, [&]<class T>() { return look<T>(x); }); }, py::arg("x"));
  m.def(
      "sparse_from_bits",
      [](const py::array& bits, bool as_double) {
        return as_double ? from_bits<double>(bits) : from_bits<float>(bits);
      },
      py::arg("bits"), py::arg("as_double"));
  m.def(
      "sparse_from_entries",
      [](const py::array& starts, Index cols, const py::array& columns, const py::array& values) {
        return by_type(values, [&]<class T>() { return from_entries<T>(starts, cols, columns, values); });
      },
      py::arg("starts"), py::arg("cols"), py::arg("columns"), py::arg("values"));
}

}  // namespace catalase
