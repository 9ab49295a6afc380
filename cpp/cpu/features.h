// The features of this CPU, detected once.
#pragma once

#include <string>
#include <vector>

namespace catalase {

struct CpuFeatures {
  bool avx2_fma = false;   // AVX2, FMA, BMI1/2, POPCNT, with registers that the operating system saves
  bool avx512 = false;     // AVX-512 F, BW, DQ, VL
  bool vpopcntdq = false;  // AVX-512 VPOPCNTDQ
};

const CpuFeatures& cpu_features();
std::vector<std::string> cpu_feature_names();
std::string cpu_model_name();

}  // namespace catalase
