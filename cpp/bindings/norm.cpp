// Batch and layer normalization over contiguous arrays whose last axis is the channels.
#include "norm/norm.h"

#include "bindings/arrays.h"
#include "norm/layer_norm.h"

namespace catalase {
namespace {

struct Sizes {
  Index rows, channels;
};

template <class... Arrays>
Sizes sizes_of(const py::array& x, const Arrays&... per_channel) {
  require(x.ndim() >= 1, "normalization: x needs a last axis");
  const Index channels = x.shape(x.ndim() - 1);
  require(((per_channel.size() == channels) && ...), "normalization: one value a channel is needed");
  return {channels > 0 ? x.size() / channels : 0, channels};
}

// dx, which is None if it is not wanted.
template <class T>
T* input_gradient(const py::array& x, const py::object& dx) {
  if (dx.is_none()) return nullptr;
  auto array = py::cast<py::array>(dx);
  require(array.size() == x.size(), "normalization: x and dx differ in size");
  return output<T>(array);
}

template <class T>
void moments_into(const py::array& x, py::array& mean, py::array& var) {
  const Sizes s = sizes_of(x, mean, var);
  require(s.rows >= 1 || s.channels == 0, "moments: no rows");
  const T* px = input<T>(x);
  T *pm = output<T>(mean), *pv = output<T>(var);
  KernelScope scope;
  moments<T>(px, s.rows, s.channels, pm, pv);
}

template <class T>
void forward_into(const py::array& x, const py::array& gamma, const py::array& beta, const py::array& mean,
                  const py::array& var, double eps, bool relu, py::array& y) {
  const Sizes s = sizes_of(x, gamma, beta, mean, var);
  require(x.size() == y.size(), "batch_norm: x and y differ in size");
  const T *px = input<T>(x), *pg = input<T>(gamma), *pb = input<T>(beta), *pm = input<T>(mean), *pv = input<T>(var);
  T* py_ = output<T>(y);
  KernelScope scope;
  batch_norm<T>(px, s.rows, s.channels, pg, pb, pm, pv, eps, relu, py_);
}

template <class T>
void backward_into(const py::array& x, const py::array& dy, const py::array& gamma, const py::array& beta,
                   const py::array& mean, const py::array& var, double eps, bool relu, bool batch_statistics,
                   py::object& dx, py::array& dgamma, py::array& dbeta) {
  const Sizes s = sizes_of(x, gamma, beta, mean, var, dgamma, dbeta);
  require(x.size() == dy.size(), "batch_norm_backward: x and dy differ in size");
  const T *px = input<T>(x), *pdy = input<T>(dy), *pg = input<T>(gamma), *pb = input<T>(beta);
  const T *pm = input<T>(mean), *pv = input<T>(var);
  T *pdg = output<T>(dgamma), *pdb = output<T>(dbeta), *pdx = input_gradient<T>(x, dx);
  KernelScope scope;
  batch_norm_backward<T>(px, pdy, s.rows, s.channels, pg, pb, pm, pv, eps, relu, batch_statistics, pdx, pdg, pdb);
}

template <class T>
void layer_norm_into(const py::array& x, const py::array& gamma, const py::array& beta, double eps, bool centered,
                     py::array& y) {
  const Sizes s = sizes_of(x, gamma, beta);
  require(x.size() == y.size(), "layer_norm: x and y differ in size");
  const T *px = input<T>(x), *pg = input<T>(gamma), *pb = input<T>(beta);
  T* py_ = output<T>(y);
  KernelScope scope;
  layer_norm<T>(px, s.rows, s.channels, pg, pb, eps, centered, py_);
}

template <class T>
void layer_norm_backward_into(const py::array& x, const py::array& dy, const py::array& gamma, double eps,
                              bool centered, py::object& dx, py::array& dgamma, py::array& dbeta) {
  const Sizes s = sizes_of(x, gamma, dgamma, dbeta);
  require(x.size() == dy.size(), "layer_norm_backward: x and dy differ in size");
  const T *px = input<T>(x), *pdy = input<T>(dy), *pg = input<T>(gamma);
  T *pdg = output<T>(dgamma), *pdb = output<T>(dbeta), *pdx = input_gradient<T>(x, dx);
  KernelScope scope;
  layer_norm_backward<T>(px, pdy, s.rows, s.channels, pg, eps, centered, pdx, pdg, pdb);
}

}  // namespace

CATALASE_BINDING(norm, m) {
  m.def(
      "moments",
      [](const py::array& x, py::array mean, py::array var) {
        by_type(x, [&]<class T>() { return moments_into<T>(x, mean, var); });
      },
      py::arg("x"), py::arg("mean"), py::arg("var"));
  m.def(
      "batch_norm",
      [](const py::array& x, const py::array& gamma, const py::array& beta, const py::array& mean, const py::array& var,
         double eps, bool relu, py::array y) {
        by_type(x, [&]<class T>() { return forward_into<T>(x, gamma, beta, mean, var, eps, relu, y); });
      },
      py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("mean"), py::arg("var"), py::arg("eps"), py::arg("relu"),
      py::arg("y"));
  m.def(
      "batch_norm_backward",
      [](const py::array& x, const py::array& dy, const py::array& gamma, const py::array& beta, const py::array& mean,
         const py::array& var, double eps, bool relu, bool batch_statistics, py::object dx, py::array dgamma,
         py::array dbeta) {
        by_type(x, [&]<class T>() {
          return backward_into<T>(x, dy, gamma, beta, mean, var, eps, relu, batch_statistics, dx, dgamma, dbeta);
        });
      },
      py::arg("x"), py::arg("dy"), py::arg("gamma"), py::arg("beta"), py::arg("mean"), py::arg("var"), py::arg("eps"),
      py::arg("relu"), py::arg("batch_statistics"), py::arg("dx"), py::arg("dgamma"), py::arg("dbeta"));
  m.def(
      "layer_norm",
      [](const py::array& x, const py::array& gamma, const py::array& beta, double eps, bool centered, py::array y) {
        by_type(x, [&]<class T>() { return layer_norm_into<T>(x, gamma, beta, eps, centered, y); });
      },
      py::arg("x"), py::arg("gamma"), py::arg("beta"), py::arg("eps"), py::arg("centered"), py::arg("y"));
  m.def(
      "layer_norm_backward",
      [](const py::array& x, const py::array& dy, const py::array& gamma, double eps, bool centered, py::object dx,
         py::array dgamma, py::array dbeta) {
        by_type(x,
                [&]<class T>() { return layer_norm_backward_into<T>(x, dy, gamma, eps, centered, dx, dgamma, dbeta); });
      },
      py::arg("x"), py::arg("dy"), py::arg("gamma"), py::arg("eps"), py::arg("centered"), py::arg("dx"),
      py::arg("dgamma"), py::arg("dbeta"));
}

}  // namespace catalase
