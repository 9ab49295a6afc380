// Feeds any bytes to the descriptors: no crash, no hang, no write out of bounds, and the same bits whatever lies on the
// stack, in any order of molecules, with and without types that are remembered, and for a descriptor alone.
//
// With any compiler: g++ -std=c++20 -O1 -g -fsanitize=address,undefined -Icpp -DCATALASE_LEVEL=portable
//                     tests/cpp/fuzz_descriptors.cpp cpp/descriptor/descriptor_level.cpp cpp/substructure/smarts.cpp
//                     -o fuzz_descriptors
//                   ./fuzz_descriptors SECONDS [SEED]   mutates the corpus below
#include <alloca.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "descriptor/descriptor.h"
#include "descriptor/type_cache.h"
#include "plain_memory.h"
#include "substructure/smarts.h"

namespace catalase {
extern const DescriptorKernels descriptor_portable;
}  // namespace catalase

namespace {

using namespace catalase;

const char* const kCorpus[] = {
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "[Na+].[O-]C(=O)c1ccccc1",
    "C[C@H](O)C(F)[C@@H](O)C",
    "C/C=C/C(O)/C=C\\C",
    "C[C@H]1CC(O)C[C@@H](C)C1",
    "CC1(C)C(O)C(C)(C)C1O",
    "C12C3C4C1C5C2C3C45",
    "C1C2CC3CC1CC(C2)C3",
    "CC1CCC(C)CC1.CC1CC(C)CC(C)C1",
    "CC1CCC2(CC1)CCC(=CC)CC2",
    "C1CC2CCC1CC2",
    "CC12CCC3C(CCC4CC(O)CCC34C)C1CCC2=NO",
    "O=[N+]([O-])c1ccccc1",
    "C[S+](C)[O-]",
    "CS(=O)(=O)Nc1ccccc1",
    "FS(F)(F)(F)(F)F",
    "C[Si](C)(C)CC[SiH3]",
    "OP(=O)(O)OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O",
    "Cl[Pt](Cl)(N)N",
    "[CH2]C=C",
    "N#C[Fe-2](C#N)(C#N)(C#N)(C#N)N=O",
    "C1=CC=CC=CC=CC=C1",
    "C1CCCCCCCC=CCC1",
    "c1cc2ccc3cccc4ccc(c1)c2c34",
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC(=O)N",
    "N=C(N)N=C(C)C=C(Cl)Br",
    "[2H]C([2H])O",
    "[H][H]",
    "O",
};
const char* const kTokens[] = {
    "C",    "c",      "N",     "n",  "O",    "o",     "S",       "s",      "P",       "F",       "Cl",     "Br",
    "I",    "(",      ")",     "[",  "]",    "=",     "#",       "-",      ":",       "/",       "\\",     ".",
    "1",    "2",      "3",     "9",  "%10",  "[nH]",  "[O-]",    "[n+]",   "[H]",     "[2H]",    "[C@@H]", "[C@]",
    "[se]", "[Fe+2]", "@",     "+",  "H",    "C1CC1", "(=O)",    "[SiH2]", "[CH3:1]", "[P@](C)", "C=C",    "c1ccccc1",
    "[Sn]", "[As]",   "[S@+]", "\0", "\xff", "[Cm]",  "C(C)(C)", "/C=C/"};
const char* const kTypes[] = {"[CH4]", "[CH3]C", "[CH2](C)C", "[O]=C(C)N", "C=O", "[cH]",
                              "c",     "[NH2]",  "[n]",       "[OH]",      "O=*", "*"};
const char* const kCounted[] = {"[OX2H]", "c1ccccc1", "[R2]", "C(=O)[O;H,-]", "[^2]", "[$([#6]~[$([#7]~[#6])])]"};
const char* const kOfQed[] = {"[oH0;X2]", "[OH1;X2;v2]", "*1[O,S,N]*1", "[S,C](=[O,S])[F,Br,Cl,I]", "C=!@CC=[O,S]"};

std::string mutated(std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::string s = kCorpus[below(std::size(kCorpus))];
  if (below(30) == 0) {
    const std::string unit = s;
    for (std::size_t n = below(30); n > 0; --n) s += unit;
  }
  if (below(4) == 0) s += kCorpus[below(std::size(kCorpus))];
  for (std::size_t edits = below(5); edits > 0; --edits) {
    const std::size_t at = below(s.size() + 1);
    switch (below(5)) {
      case 0:
        s.insert(at, kTokens[below(std::size(kTokens))]);
        break;
      case 1:
        s.erase(at, 1 + below(4));
        break;
      case 2:
        if (at < s.size()) s[at] = static_cast<char>(random());
        break;
      case 3:
        s.insert(at, s.substr(below(s.size() + 1), below(30)));
        break;
      default:
        if (at < s.size()) std::swap(s[at], s[below(s.size())]);
        break;
    }
  }
  return s;
}

// The patterns that a DescriptorPatterns points to.
struct Patterns {
  QuerySet types, counted, qed;
  std::vector<PatternRoot> type;
  std::vector<HydrogenPattern> hydrogen;
  std::vector<double> value;
  std::vector<std::uint32_t> of_counted, of_qed, deep;
  mutable std::vector<std::uint64_t> cache = std::vector<std::uint64_t>(kTypeEntries);

  Patterns() {
    for (const char* smarts : kTypes) {
      type.push_back({types.add("[$(" + std::string(smarts) + ")]").pattern, 2, (1u << kAtomKinds) - 1});
      value.push_back(0.1 * static_cast<double>(type.size()));
    }
    hydrogen.push_back({type[1], 0, false, true});
    hydrogen.push_back({{}, 1, true, false});
    for (const char* smarts : kCounted) of_counted.push_back(counted.add(smarts).pattern);
    for (const char* smarts : kOfQed) of_qed.push_back(qed.add(smarts).pattern);
    types.finish();
    counted.finish();
    qed.finish();
    for (const PatternRoot& root : type) {
      const unsigned depth = depth_of(types.tables(), root.pattern);
      if (depth == kNotLocal) std::abort();
      if (depth == 2) deep.push_back(root.pattern);
    }
  }
  DescriptorPatterns view(bool cached) const {
    DescriptorPatterns p{};
    p.type_tables = types.tables(), p.counted_tables = counted.tables(), p.qed_tables = qed.tables();
    p.type = type.data(), p.types = static_cast<std::uint32_t>(type.size());
    p.hydrogen = hydrogen.data(), p.hydrogen_types = static_cast<std::uint32_t>(hydrogen.size());
    p.log_p = p.refractivity = value.data();
    p.type_cache = cached ? cache.data() : nullptr;
    p.deep = deep.data(), p.deep_types = p.deep_patterns = static_cast<std::uint32_t>(deep.size());
    p.counted = of_counted.data(), p.of_qed = of_qed.data();
    p.acceptors = 2, p.alerts = static_cast<std::uint32_t>(of_qed.size()) - 2;
    return p;
  }
};

[[gnu::noinline]] void fill_stack(int byte) {
  constexpr std::size_t bytes = 3 << 20;
  auto* block = static_cast<unsigned char*>(alloca(bytes));
  std::memset(block, byte, bytes);
  __asm__ volatile("" : : "r"(block) : "memory");
}

struct Result {
  std::vector<double> rows;
  std::vector<std::uint8_t> status;
};

constexpr std::uint64_t kUnwritten = 0x7ff8dead0000beefu;

[[gnu::noinline]] Result compute(const Patterns& patterns, const std::vector<std::vector<char>>& blocks,
                                 const std::vector<int>& columns, bool cached) {
  std::vector<const char*> text;
  std::vector<std::int64_t> length;
  for (const std::vector<char>& block : blocks) {
    text.push_back(block.empty() ? "" : block.data());
    length.push_back(static_cast<std::int64_t>(block.size()));
  }
  double unwritten;
  std::memcpy(&unwritten, &kUnwritten, sizeof(unwritten));
  Result r{std::vector<double>(blocks.size() * columns.size(), unwritten),
           std::vector<std::uint8_t>(blocks.size(), 99)};
  DescriptorBatch batch{};
  batch.text = text.data(), batch.length = length.data(), batch.molecules = static_cast<Index>(blocks.size());
  batch.column = columns.data(), batch.columns = static_cast<Index>(columns.size());
  batch.rows = r.rows.data(), batch.status = r.status.data();
  batch.patterns = patterns.view(cached);
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  descriptor_portable.rows(batch, 0, batch.molecules);
  return r;
}

std::uint64_t bits(double x) {
  std::uint64_t word;
  std::memcpy(&word, &x, sizeof(word));
  return word;
}

long check(const Patterns& patterns, const std::vector<std::string>& texts, std::mt19937_64& random) {
  const int all = static_cast<int>(Descriptor::kCount) + static_cast<int>(std::size(kCounted));
  std::vector<int> columns;
  const bool whole = random() % 3 == 0;  // a molecule is native if all of its descriptors are
  for (int d = 0; d < all; ++d) {
    if (whole || random() % 32 == 0) columns.push_back(d);
  }
  if (columns.empty()) columns.push_back(static_cast<int>(Descriptor::SPS));
  std::vector<std::vector<char>> blocks;  // reading past the end is seen
  for (const std::string& text : texts) blocks.emplace_back(text.begin(), text.end());
  fill_stack(0);
  const Result one = compute(patterns, blocks, columns, false);
  std::reverse(blocks.begin(), blocks.end());
  fill_stack(255);
  const Result two = compute(patterns, blocks, columns, true);
  const std::vector<int> alone = {columns[random() % columns.size()]};
  const Result three = compute(patterns, blocks, alone, true);
  long native = 0;
  const std::size_t n = blocks.size(), width = columns.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t j = n - 1 - i;
    if (one.status[i] > 9 || one.status[i] != two.status[j]) std::abort();
    if (one.status[i] != 0) continue;
    ++native;
    for (std::size_t d = 0; d < width; ++d) {
      const std::uint64_t value = bits(one.rows[i * width + d]);
      if (value == kUnwritten || value != bits(two.rows[j * width + d])) std::abort();
    }
    const auto d = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), alone[0]) - columns.begin());
    if (three.status[j] != 0 || bits(three.rows[j]) != bits(one.rows[i * width + d])) std::abort();
  }
  return native;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 5;
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const Patterns patterns;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  long tried = 0, native = 0;
  double slowest = 0;
  while (elapsed() < seconds) {
    std::vector<std::string> texts;
    for (std::size_t n = 1 + random() % 12; n > 0; --n) texts.push_back(mutated(random));
    const double before = elapsed();
    native += check(patterns, texts, random);
    tried += static_cast<long>(texts.size());
    if (elapsed() - before > slowest) slowest = elapsed() - before;
  }
  std::printf("%ld texts, %ld read natively, the slowest set took %.1f ms\n", tried, native, 1e3 * slowest);
  return 0;
}
