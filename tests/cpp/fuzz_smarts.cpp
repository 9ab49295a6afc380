// Feeds any bytes to the SMARTS reader, and what it compiles to the matcher, in any molecules: no crash, no hang, no write out of bounds.
//
// With any compiler: g++ -std=c++20 -O1 -g -fsanitize=address,undefined -Icpp -DCATALASE_LEVEL=portable tests/cpp/fuzz_smarts.cpp
//                     cpp/substructure/smarts.cpp cpp/substructure/substructure_level.cpp -o fuzz_smarts
//                   ./fuzz_smarts SECONDS [SEED]   mutates the corpus below
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "plain_memory.h"
#include "substructure/smarts.h"
#include "substructure/substructure.h"

namespace catalase {
extern const SubstructureKernels substructure_portable;
}  // namespace catalase

namespace {

using namespace catalase;

const char* const kPatterns[] = {
    "[OX2H]",
    "c1ccccc1",
    "[$(C=O)]",
    "C(=O)[O;H,-]",
    "[!#6;!#1]",
    "[R2]",
    "*~*~*~*",
    "[#7;+]",
    "F.F",
    "[NX3;H2,H1;!$(NC=O)]",
    "[r{5-6}]@[D{2-}]",
    "C-,=1CC1",
    "[$([#6]~[$([#7]~[#6])])]",
    "a:a-a",
    "[k5;!k6]",
    "[C@@H](F)/C=C/Cl",
    "[13C:1]",
    "[2H+]",
    "[-{1-2}]",
    "[z1,Z2]C!@!=N",
    "C%12CC%12",
    "[c;!H]:[cH]",
    "[#6]1~[#6]~[#6]~[#6]~[#6]~[#6]1",
    "[$(*.*)]C",
    "[v4X4x2h1]",
    "*1~*~*~*~*~*~*~1",
    "[R]@1@[R]@[R]@[R]@[R]@[R]@[R]@[R]@[R]1",
};
const char* const kMolecules[] = {
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C12C3C4C1C5C2C3C45",
    "[Na+].[O-]c1ccccc1",
    "C1CC2CCC1CC2",
    "OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O",
    "[2H]C([2H])([2H])CO",
    "FC(F)(F)C(F)(F)F",
    "C%12CC%12CC1CC1",
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC(=O)N",
    "c1cc2ccc3cccc4ccc(c1)c2c34",
    "N#C[Fe-2](C#N)(C#N)(C#N)(C#N)N=O",
    "CN(=O)=O",
    "",
};
const char* const kTokens[] = {
    "[", "]",  "(",  ")",  "$(",   "C",    "c", "N", "O",   "*",  "~",     "-",    "=",    "#",  ":",
    "@", "!",  "&",  ",",  ";",    ".",    "1", "2", "%10", "R",  "r",     "k",    "x",    "X",  "D",
    "d", "H",  "h",  "v",  "z",    "Z",    "+", "-", "{",   "}",  "{1-2}", "{-3}", "13",   "#6", "[$(CC)]",
    "/", "\\", "^2", "_5", "[#6]", "[!C]", "a", "A", "Cl",  "Br", "->",    "\0",   "\xff", " ",  "999999999999",
};

std::string mutated(std::mt19937_64& random, bool molecule) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::string s = molecule ? kMolecules[below(std::size(kMolecules))] : kPatterns[below(std::size(kPatterns))];
  if (below(30) == 0) {
    const std::string unit = below(2) == 0 ? s : kTokens[below(std::size(kTokens))];
    for (std::size_t n = below(400); n > 0; --n) s += unit;
  }
  if (!molecule && below(4) == 0) s = "[$(" + s + ")]" + kPatterns[below(std::size(kPatterns))];
  for (std::size_t edits = below(6); edits > 0; --edits) {
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

// Every pattern in every molecule: existence and number agree, and "two or more" does too.
long match_all(const std::vector<std::string>& patterns, const std::vector<std::string>& molecules) {
  QuerySet set;
  std::vector<SubstructureColumn> columns;
  for (const std::string& pattern : patterns) {
    const std::vector<char> block(pattern.begin(), pattern.end());  // reading past its end is seen
    const SmartsResult result = set.add({block.data(), block.size()});
    if (result.position < 0 || result.position > static_cast<std::int64_t>(pattern.size())) std::abort();
    if (result.status != SmartsStatus::kCompiled) continue;
    columns.push_back({result.pattern, 1, kNoHighest});
    columns.push_back({result.pattern, 2, kNoHighest});
  }
  columns.push_back({kAromaticRings, 1, kNoHighest});
  columns.push_back({kAromaticRings, 2, kNoHighest});
  columns.push_back({kParts, 1, kNoHighest});
  columns.push_back({kParts, 2, kNoHighest});
  set.finish();
  std::vector<std::vector<char>> blocks;
  std::vector<const char*> text;
  std::vector<std::int64_t> length;
  for (const std::string& molecule : molecules) blocks.emplace_back(molecule.begin(), molecule.end());
  for (const std::vector<char>& block : blocks) {
    text.push_back(block.empty() ? "" : block.data());
    length.push_back(static_cast<std::int64_t>(block.size()));
  }
  const std::size_t entries = text.size() * columns.size();
  std::vector<std::uint8_t> matches(entries + 1), status(text.size());
  std::vector<std::int32_t> counts(entries + 1);
  SubstructureBatch batch{};
  batch.text = text.data();
  batch.length = length.data();
  batch.molecules = static_cast<Index>(text.size());
  batch.tables = set.tables();
  batch.column = columns.data();
  batch.columns = static_cast<Index>(columns.size());
  batch.status = status.data();
  batch.memory = {[](std::size_t bytes) { return cached_alloc(bytes); }, cached_free};
  batch.matches = matches.data();
  substructure_portable.rows(batch, 0, batch.molecules, nullptr);
  batch.matches = nullptr;
  batch.counts = counts.data();
  substructure_portable.rows(batch, 0, batch.molecules, nullptr);
  for (std::size_t i = 0; i < entries; ++i) {
    if (matches[i] <= 1 && counts[i] >= 0 && matches[i] != (counts[i] > static_cast<int>(i % 2))) std::abort();
  }
  return static_cast<long>(columns.size() / 2 - 2);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 5;
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  long tried = 0, compiled = 0;
  double slowest = 0;
  while (elapsed() < seconds) {
    std::vector<std::string> patterns;
    for (std::size_t n = 1 + random() % 8; n > 0; --n) patterns.push_back(mutated(random, false));
    std::vector<std::string> molecules(std::begin(kMolecules), std::end(kMolecules));
    for (std::size_t n = random() % 8; n > 0; --n) molecules.push_back(mutated(random, true));
    const double before = elapsed();
    compiled += match_all(patterns, molecules);
    tried += static_cast<long>(patterns.size());
    if (elapsed() - before > slowest) slowest = elapsed() - before;
  }
  std::printf("%ld patterns, %ld compiled, the slowest set took %.1f ms\n", tried, compiled, 1e3 * slowest);
  return 0;
}
