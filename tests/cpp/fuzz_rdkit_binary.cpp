// Feeds any bytes to the reader of RDKit's binary molecules, for fingerprints and for substructures: no crash, no hang, no read or write out of bounds.
//
// With libFuzzer:   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -DCATALASE_LIBFUZZER -Icpp
//                     -DCATALASE_LEVEL=portable tests/cpp/fuzz_rdkit_binary.cpp cpp/fingerprint/ecfp_level.cpp
//                     cpp/substructure/smarts.cpp cpp/substructure/substructure_level.cpp
// With any compiler: g++ -std=c++20 -O1 -g -fsanitize=address,undefined -Icpp -DCATALASE_LEVEL=portable tests/cpp/fuzz_rdkit_binary.cpp
//                     cpp/fingerprint/ecfp_level.cpp cpp/substructure/smarts.cpp cpp/substructure/substructure_level.cpp
//                     -o fuzz_rdkit_binary
//                   ./fuzz_rdkit_binary SECONDS [SEED]   mutates the molecules below
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fingerprint/ecfp.h"
#include "plain_memory.h"
#include "substructure/smarts.h"
#include "substructure/substructure.h"

namespace catalase {
extern const EcfpKernels ecfp_portable;
extern const SubstructureKernels substructure_portable;
}  // namespace catalase

void* heap_alloc(std::size_t bytes) {
  void* block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
const catalase::WorkMemory kHeap = {heap_alloc, std::free};

// Existence and number of matches agree. The patterns ask about everything that the binary form has.
static void match_all(const char* text, std::int64_t length) {
  using namespace catalase;
  static QuerySet* const set = [] {
    auto* made = new QuerySet;
    for (const char* smarts :
         {"*", "[R2]", "[k6]", "[r5]", "[v4]", "[2H]", "a:a", "*~*~*", "[$(C=O)]", "C@C", "[H2]", "*.*"}) {
      if (made->add(smarts).status != SmartsStatus::kCompiled) std::abort();
    }
    made->finish();
    return made;
  }();
  std::vector<SubstructureColumn> columns;
  for (std::uint32_t p = 0; p < set->tables().patterns; ++p) columns.push_back({p, 1, kNoHighest});
  std::vector<std::uint8_t> matches(columns.size());
  std::vector<std::int32_t> counts(columns.size());
  std::uint8_t status[2] = {99, 99};
  SubstructureBatch batch{};
  batch.text = &text;
  batch.length = &length;
  batch.molecules = 1;
  batch.tables = set->tables();
  batch.column = columns.data();
  batch.columns = static_cast<Index>(columns.size());
  batch.memory = kHeap;
  batch.binary = true;
  batch.matches = matches.data();
  batch.status = &status[0];
  substructure_portable.rows(batch, 0, 1, nullptr);
  batch.matches = nullptr;
  batch.counts = counts.data();
  batch.status = &status[1];
  substructure_portable.rows(batch, 0, 1, nullptr);
  if (status[0] != status[1] || status[0] > 8) std::abort();
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (matches[c] <= 1 && counts[c] >= 0 && matches[c] != (counts[c] > 0)) std::abort();
  }
}

// The first byte chooses the settings, the rest is the molecule.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catalase;
  if (size == 0) return 0;
  // The bytes lie at the very end of a block of their own, so that reading past it is seen.
  const std::vector<char> block(data + 1, data + size);
  const char* text = block.empty() ? "" : block.data();
  const auto length = static_cast<std::int64_t>(size - 1);
  const std::uint32_t bits = 64;
  std::vector<std::uint8_t> packed(bits / 8);
  std::vector<std::uint32_t> counts(bits);
  std::uint8_t status[2] = {99, 99};
  const int radius = data[0] % (kEcfpMaxRadius + 2);
  EcfpBatch batch{
      &text,         &length,    1,     radius, bits, (data[0] & 64) == 0, false, data[0] >= 128, EcfpOutput::kPacked,
      packed.data(), &status[0], kHeap, true};
  ecfp_portable.rows(batch, 0, 1);
  batch.output = EcfpOutput::kCounts, batch.rows = counts.data(), batch.status = &status[1];
  ecfp_portable.rows(batch, 0, 1);
  if (status[0] != status[1] || status[0] > 8) std::abort();
  for (std::uint32_t i = 0; i < bits; ++i) {
    const bool set = (packed[i / 8] >> (i % 8) & 1) != 0;
    if (set != (counts[i] != 0) || (status[0] != 0 && set)) std::abort();
  }
  match_all(text, length);
  return 0;
}

#ifndef CATALASE_LIBFUZZER
namespace {

const char kHeader[] = "efbeadde00000000100000000400000000000000";
const char* const kCorpus[] = {
    // C[C@H](N)C(=O)[O-], F/C=C/c1ccccc1 and [2H]C1CC1[CH3:300]
    "06000000050000008001060060000000010306203400000002010407006000000001020600280000000304080028000000030208202a00"
    "0000ff03010b00010001020001030003042802030520420000000016",
    "09000000090000008001090020000000010600680000000303010600680000000303010640280000000304064068000000030301064068"
    "0000000303010640680000000303010640680000000303010640680000000303010b0001040401022a0203020003020324040304680c04"
    "05680c0506680c0607680c0708680c0803680c42010000000603040506070816",
    "05000000050000008001012028010000010102000000060060000000030106006000000002020600600000000301062830000000030418"
    "ff2c0100000b00010001020002030003040003010042010000000301020316",
};

std::string molecule(const char* rest) {
  const std::string digits = std::string(kHeader) + rest;
  std::string bytes(1, '\2');
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string mutated(std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::string s = molecule(kCorpus[below(std::size(kCorpus))]);
  s[0] = static_cast<char>(random());
  for (std::size_t edits = below(5); edits > 0; --edits) {
    const std::size_t at = below(s.size());
    switch (below(5)) {
      case 0:
        s.resize(at + 1);
        break;
      case 1:
        s.insert(at, 1 + below(3), static_cast<char>(random()));
        break;
      case 2:
        s.insert(at, s.substr(below(s.size()), below(300)));
        break;
      default:
        s[at] = static_cast<char>(below(2) == 0 ? random() : s[at] + 1);
        break;
    }
  }
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 5;
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto start = std::chrono::steady_clock::now();
  long tried = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
    const std::string bytes = mutated(random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++tried;
  }
  std::printf("%ld inputs\n", tried);
  return 0;
}
#endif
