// A batch that is mostly zeros, as Python holds it: its entries by row, and by column once a gradient needs that.
#pragma once

#include <memory>
#include <mutex>

#include "bindings/arrays.h"
#include "matmul/sparse.h"

namespace catalase {

class SparseBatch {
 public:
  explicit SparseBatch(std::unique_ptr<SparseMatrix<float>> rows) : single_{std::move(rows), nullptr} {}
  explicit SparseBatch(std::unique_ptr<SparseMatrix<double>> rows) : double_{std::move(rows), nullptr} {}

  bool is_double() const { return double_.rows != nullptr; }
  Index rows() const { return is_double() ? double_.rows->rows() : single_.rows->rows(); }
  Index cols() const { return is_double() ? double_.rows->cols() : single_.rows->cols(); }
  Index entries() const { return is_double() ? double_.rows->entries() : single_.rows->entries(); }

  template <class T>
  SparseRows<T> by_row() const {
    return both<T>().rows->view();
  }
  // Made once. Safe from several Python threads; needs no GIL.
  template <class T>
  SparseRows<T> by_column() {
    std::lock_guard lock(mutex_);
    auto& b = const_cast<Both<T>&>(both<T>());
    if (b.columns == nullptr) b.columns = b.rows->transposed();
    return b.columns->view();
  }
  template <class T>
  const SparseMatrix<T>& matrix() const {
    return *both<T>().rows;
  }

 private:
  template <class T>
  struct Both {
    std::unique_ptr<SparseMatrix<T>> rows, columns;
  };
  template <class T>
  const Both<T>& both() const {
    if constexpr (sizeof(T) == 4) {
      require(!is_double(), "unexpected dtype");
      return single_;
    } else {
      require(is_double(), "unexpected dtype");
      return double_;
    }
  }
  Both<float> single_;
  Both<double> double_;
  std::mutex mutex_;
};

// The dense layer of a batch, or None where w or the bias needs a closer look.
py::object plain_linear(const SparseBatch& x, py::handle w, py::handle bias, int activation);

void bind_sparse_batch(py::module_& m);

}  // namespace catalase
