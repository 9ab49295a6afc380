// The kernels of one level: one table a family, or two, for float and for double.
#pragma once

namespace catalase {

template <class T>
struct MatmulKernels;  // matmul/matmul.h
template <class T>
struct SparseKernels;  // matmul/sparse.h
template <class T>
struct ElementwiseKernels;  // elementwise/elementwise.h
template <class T>
struct LossKernels;  // loss/loss.h
template <class T>
struct OptimKernels;  // optim/optim.h
template <class T>
struct PoolKernels;  // pool/pool.h
template <class T>
struct NormKernels;  // norm/norm.h
template <class T>
struct ConvKernels;  // conv/conv.h
template <class T>
struct RnnKernels;       // rnn/rnn.h
struct WinogradKernels;  // conv/winograd.h
struct ImageKernels;     // image/image.h
struct EcfpKernels;      // fingerprint/ecfp.h
struct TanimotoKernels;  // similarity/tanimoto.h
struct PeakKernels;      // peak/peak.h

template <class T>
struct TypedKernels {
  const MatmulKernels<T>* matmul;
  const SparseKernels<T>* sparse;
  const ElementwiseKernels<T>* elementwise;
  const LossKernels<T>* loss;
  const OptimKernels<T>* optim;
  const PoolKernels<T>* pool;
  const NormKernels<T>* norm;
  const ConvKernels<T>* conv;
  const RnnKernels<T>* rnn;
};

struct Kernels {
  TypedKernels<float> f32;
  TypedKernels<double> f64;
  const WinogradKernels* winograd;
  const ImageKernels* image;
  const EcfpKernels* ecfp;
  const TanimotoKernels* tanimoto;
  const PeakKernels* peak;
};

}  // namespace catalase
