// __builtin_cpu_supports asks CPUID and checks that the operating system saves the wide registers.
#include "cpu/features.h"

#include <fstream>

namespace catalase {

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = [] {
    CpuFeatures f;
#if defined(__x86_64__)
    __builtin_cpu_init();
    f.avx2_fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                 __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    f.avx512 = f.avx2_fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    f.vpopcntdq = f.avx512 && __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return f;
  }();
  return features;
}

std::vector<std::string> cpu_feature_names() {
  std::vector<std::string> names;
  const CpuFeatures& f = cpu_features();
  if (f.avx2_fma) names.insert(names.end(), {"AVX2", "FMA", "BMI2", "POPCNT"});
  if (f.avx512) names.insert(names.end(), {"AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"});
  if (f.vpopcntdq) names.push_back("AVX512VPOPCNTDQ");
  return names;
}

std::string cpu_model_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace catalase
