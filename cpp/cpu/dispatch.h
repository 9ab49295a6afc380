// THE dispatch table. A level is an instruction set; it brings one set of kernels for every family. The best level that
// the CPU has is chosen once, when the module is imported; CATALASE_CPU names another.
#pragma once

#include <span>
#include <string>

#include "cpu/features.h"

namespace catalase {

struct MatmulKernels;       // matmul/matmul.h
struct SparseKernels;       // matmul/sparse.h
struct ElementwiseKernels;  // elementwise/elementwise.h
struct LossKernels;         // loss/loss.h
struct OptimKernels;        // optim/optim.h
struct TanimotoKernels;     // similarity/tanimoto.h
struct EcfpKernels;         // fingerprint/ecfp.h
struct PoolKernels;         // pool/pool.h
struct NormKernels;         // norm/norm.h
struct PeakKernels;         // peak/peak.h
struct ConvKernels;         // conv/conv.h
struct ImageKernels;        // image/image.h
struct WinogradKernels;     // conv/winograd.h
struct RnnKernels;          // rnn/rnn.h

struct Level {
  const char* name;
  bool (*supported)(const CpuFeatures&);
  const MatmulKernels* matmul;
  const SparseKernels* sparse;
  const ElementwiseKernels* elementwise;
  const LossKernels* loss;
  const OptimKernels* optim;
  const TanimotoKernels* tanimoto;
  const EcfpKernels* ecfp;
  const PoolKernels* pool;
  const NormKernels* norm;
  const PeakKernels* peak;
  const ConvKernels* conv;
  const WinogradKernels* winograd;
  const ImageKernels* image;
  const RnnKernels* rnn;
};

// All levels built into this library, best first. levels_x86.cpp or levels_portable.cpp defines it.
std::span<const Level> built_levels();

// The level in use. select_level throws std::invalid_argument with a sentence for names that are unknown, or that this
// machine lacks; "auto" and "" mean the best.
const Level& level();
void select_level(const std::string& name);

}  // namespace catalase
