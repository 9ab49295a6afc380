// Fingerprints must not depend on what lies on the stack: every kernel is called after the stack was filled with bytes.
//
//   ecfp_stack    exits with 0 if all levels that this machine has agree with the portable one
#include <alloca.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/memory.h"
#include "cpu/features.h"
#include "fingerprint/ecfp.h"

namespace catalase {
extern const EcfpKernels ecfp_portable, ecfp_avx2, ecfp_avx512;
}
using namespace catalase;

namespace {

const char* const kMolecules[] = {"C",
                                  "CCO",
                                  "CCOc1ccccc1",
                                  "CCCC1CCCCC1",
                                  "CCCCCCOc1ccoc1",
                                  "CC(C)(C)c1ccncc1",
                                  "CS(=O)(=O)Nc1ccccc1",
                                  "O=P(O)(O)O",
                                  "FS(F)(F)(F)(F)F",
                                  "c1ccc2c(c1)[nH]c1ccccc12",
                                  "C1CC2CCC1C2.[Na+].[Cl-]"};

[[gnu::noinline]] void fill_stack(unsigned pattern) {
  constexpr std::size_t bytes = 1 << 18;
  auto* block = static_cast<volatile unsigned char*>(alloca(bytes));
  for (std::size_t i = 0; i < bytes; ++i) {
    block[i] = static_cast<unsigned char>(pattern < 256 ? pattern : i * 2654435761u >> 13);
  }
}

[[gnu::noinline]] std::vector<std::uint8_t> fingerprint(const EcfpKernels& kernels, const std::string& smiles,
                                                        int radius, bool features) {
  std::vector<std::uint8_t> row(256);
  std::uint8_t status = 99;
  const char* text = smiles.data();
  const auto length = static_cast<std::int64_t>(smiles.size());
  EcfpBatch batch{};
  batch.text = &text, batch.length = &length, batch.molecules = 1, batch.radius = radius, batch.size = 2048;
  batch.use_bond_types = true, batch.features = features, batch.output = EcfpOutput::kPacked;
  batch.rows = row.data(), batch.status = &status,
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  kernels.rows(batch, 0, 1);
  row.push_back(status);
  return row;
}

}  // namespace

int main() {
  int wrong = 0;
  const auto compare = [&](const char* level, const EcfpKernels& kernels) {
    for (const char* smiles : kMolecules) {
      for (int radius = 0; radius <= 4; ++radius) {
        for (const bool features : {false, true}) {
          const auto wanted = fingerprint(ecfp_portable, smiles, radius, features);
          for (const unsigned pattern : {0u, 1u, 0x7fu, 0x80u, 0xffu, 256u}) {
            fill_stack(pattern);
            if (fingerprint(kernels, smiles, radius, features) == wanted) continue;
            std::printf("%s, radius %d, features %d, stack filled with %u: %s differs\n", level, radius, features,
                        pattern, smiles);
            ++wrong;
          }
        }
      }
    }
  };
  compare("portable", ecfp_portable);
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2_fma) compare("avx2", ecfp_avx2);
  if (cpu.avx512) compare("avx512", ecfp_avx512);
#endif
  std::printf("fingerprints on a filled stack: %d wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}
