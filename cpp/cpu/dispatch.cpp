// Chooses a level by name, or the best that this CPU supports.
#include "cpu/dispatch.h"

#include <atomic>
#include <stdexcept>

#include "cpu/kernels.h"

namespace catalase {
namespace {

[[maybe_unused]] bool has_avx512(const CpuFeatures& f) {
  return f.avx512;
}
[[maybe_unused]] bool has_avx2(const CpuFeatures& f) {
  return f.avx2_fma;
}
bool has_portable(const CpuFeatures&) {
  return true;
}

#define CATALASE_LEVEL_ENTRY(has, level) {#level, has##level},
constexpr Level kLevels[] = {CATALASE_EACH_LEVEL(CATALASE_LEVEL_ENTRY, has_)};

std::atomic<const Level*> chosen{nullptr};

std::string names_where(bool only_supported) {
  std::string names;
  for (const Level& l : built_levels()) {
    if (only_supported && !l.supported(cpu_features())) continue;
    names += (names.empty() ? "" : ", ") + std::string(l.name);
  }
  return names;
}

}  // namespace

std::span<const Level> built_levels() {
  return kLevels;
}

const Level& level() {
  const Level* l = chosen.load(std::memory_order_relaxed);
  if (l == nullptr) {
    select_level("auto");
    l = chosen.load(std::memory_order_relaxed);
  }
  return *l;
}

int level_index() {
  return static_cast<int>(&level() - kLevels);
}

void select_level(const std::string& name) {
  const bool any = name.empty() || name == "auto";
  for (const Level& l : built_levels()) {
    if (!any && name != l.name) continue;
    if (l.supported(cpu_features())) {
      chosen.store(&l);
      return;
    }
    if (!any) {
      throw std::invalid_argument("CATALASE_CPU asks for '" + name + "', but this machine lacks it (" +
                                  cpu_model_name() + "); choose one of: auto, " + names_where(true));
    }
  }
  throw std::invalid_argument("CATALASE_CPU asks for '" + name +
                              "', which is not a level of this build; choose one of: auto, " + names_where(true));
}

}  // namespace catalase
