// Feeds any bytes to the SMILES reader, the kernels of all fingerprints and the keys of scaffolds: no crash, no hang, no write
// out of bounds.
//
// With libFuzzer:   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -DCATALASE_LIBFUZZER -Icpp
//                     -DCATALASE_LEVEL=portable tests/cpp/fuzz_smiles.cpp cpp/{fingerprint/{ecfp,paths},mol_graphs/mol_graphs}_level.cpp
//                     cpp/molecule/valence_problems.cpp cpp/scaffold/scaffold.cpp cpp/common/{thread_pool,memory}.cpp cpp/cpu/fpu_x86.cpp -pthread
// With any compiler: g++ -std=c++20 -O1 -g -fsanitize=address,undefined -Icpp -DCATALASE_LEVEL=portable tests/cpp/fuzz_smiles.cpp
//                     cpp/{fingerprint/{ecfp,paths},mol_graphs/mol_graphs}_level.cpp cpp/molecule/valence_problems.cpp cpp/scaffold/scaffold.cpp
//                     cpp/common/{thread_pool,memory}.cpp cpp/cpu/fpu_x86.cpp -pthread -o fuzz_smiles
//                   ./fuzz_smiles SECONDS [SEED]   mutates the corpus below;   ./fuzz_smiles FILE...   replays inputs
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fingerprint/ecfp.h"
#include "fingerprint/graphs.h"
#include "fingerprint/paths.h"
#include "mol_graphs/mol_graphs.h"
#include "molecule/valence_problems.h"
#include "scaffold/scaffold.h"

namespace catalase {
extern const EcfpKernels ecfp_portable;
extern const MolGraphKernels mol_graphs_portable;
extern const PathKernels path_portable;
}  // namespace catalase

void* heap_alloc(std::size_t bytes) {
  void* block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
const catalase::WorkMemory kHeap = {heap_alloc, std::free};

// The graph for a device: within the room that the text's length promises, and every bond with two ends.
static void check_graph(const catalase::EcfpBatch& given, std::uint8_t status) {
  using namespace catalase;
  const std::size_t atoms = static_cast<std::size_t>(*given.length < 255 ? *given.length : 255);
  std::vector<std::uint32_t> value(atoms), end(2 * atoms);
  std::vector<std::uint8_t> degree(atoms);
  const std::int64_t start = 0;
  std::int32_t found[2] = {-1, -1};
  std::uint8_t reason = 99;
  EcfpBatch batch = given;
  batch.status = &reason;
  const GraphRoom room{&start, value.data(), end.data(), degree.data(), &found[0], &found[1]};
  ecfp_portable.graphs(batch, room, 0, 1);
  if (reason > 9 || (reason == 0 && status != 0)) std::abort();
  if (found[0] < 0 || found[1] % 2 != 0 || (reason != 0 && found[0] + found[1] != 0)) std::abort();
  int ends = 0, times[256] = {};
  for (int a = 0; a < found[0]; ++a) ends += degree[static_cast<std::size_t>(a)];
  for (int e = 0; e < ends; ++e) {
    const std::uint32_t word = end[static_cast<std::size_t>(e)];
    ++times[word >> 8 & 255];
    if (static_cast<int>(word & 255) >= found[0] || word >> 16 == 0 || word >> 16 > 12) std::abort();
  }
  if (ends != found[1]) std::abort();
  for (int b = 0; b < 256; ++b) {
    if (times[b] != (b < ends / 2 ? 2 : 0)) std::abort();
  }
}

// The key of the scaffold: within the room that the text's length promises, and of atoms that exist.
static void check_scaffold(const char* const* text, const std::int64_t* length) {
  using namespace catalase;
  std::vector<std::uint32_t> words(static_cast<std::size_t>(scaffold_room(*length)));
  const std::int64_t start = 0;
  std::int32_t count = -1;
  std::uint8_t status = 99;
  scaffold_keys({text, length, 1, &start, words.data(), &count, &status}, 1);
  if (status > 9 || count < 0 || (status != 0 && count != 0)) std::abort();
  if (count == 0) return;
  const std::uint32_t atoms = words[0];
  if (atoms < 3 || atoms > 255 || static_cast<std::uint32_t>(count) < 1 + 2 * atoms - 1) std::abort();
  for (std::size_t i = 1 + atoms; i < static_cast<std::size_t>(count); ++i) {
    if (words[i] >> 16 >= atoms || (words[i] >> 8 & 255) >= words[i] >> 16 || (words[i] & 255) > 4) std::abort();
  }
}

// Atom pairs, torsions and subgraphs: bits and counts agree, and so do the statuses.
static void check_paths(const char* text, std::int64_t length) {
  using namespace catalase;
  constexpr std::uint32_t bits = 64;
  for (const PathKind kind : {PathKind::kAtomPairs, PathKind::kTorsions, PathKind::kSubgraphs}) {
    std::vector<std::uint8_t> packed(bits / 8, 7);
    std::vector<float> dense(bits, 7);
    std::vector<std::uint32_t> counts(bits, 7);
    std::uint8_t status[3] = {99, 99, 99};
    void* const rows[3] = {packed.data(), dense.data(), counts.data()};
    for (int output = 0; output < 3; ++output) {
      const PathBatch batch{&text,        &length,         1,    kind, bits, static_cast<EcfpOutput>(output),
                            rows[output], &status[output], kHeap};
      path_portable.rows(batch, 0, 1);
    }
    if (status[0] != status[1] || status[0] != status[2] || status[0] > 10) std::abort();
    std::uint64_t total = 0, set = 0;
    for (std::uint32_t i = 0; i < bits; ++i) {
      const bool on = (packed[i / 8] >> (i % 8) & 1) != 0;
      if (on != (dense[i] == 1) || (dense[i] != 0 && dense[i] != 1)) std::abort();
      if (kind == PathKind::kSubgraphs && on != (counts[i] != 0)) std::abort();
      total += counts[i];
      set += on;
    }
    if ((total == 0) != (set == 0) || (status[0] != 0 && set != 0)) std::abort();
  }
}

// The molecular graph: within the room that the text's length promises, with ends that are atoms, and facts as codes.
static void check_mol_graph(const char* const* text, const std::int64_t* length, std::uint8_t status) {
  using namespace catalase;
  static const GraphTables tables = [] {
    GraphTables t{};
    t.atom_fields = t.bond_fields = 8;
    t.floats = 1;
    for (int value = 0; value < 256; ++value) {
      for (int fact = 0; fact < 8; ++fact) {
        t.atom[fact][value] = std::uint64_t{static_cast<std::uint8_t>(value)} << (8 * fact);
      }
      t.bond[value] = static_cast<std::uint64_t>(value);
    }
    return t;
  }();
  const auto room = static_cast<std::size_t>(*length);
  std::vector<std::uint64_t> atom(room), bond(room);
  std::vector<float> floats(room);
  std::vector<std::uint32_t> begin(room), end(room);
  const std::int64_t start = 0;
  std::int32_t found[2] = {-1, -1};
  std::uint8_t reason = 99;
  const GraphRows rows{&start, atom.data(), floats.data(), bond.data(), begin.data(), end.data(), &found[0], &found[1]};
  mol_graphs_portable.read({text, length, false, 1, &reason, &tables, rows, kHeap}, 0, 1);
  if (reason > 9 || (reason == 0 && status != 0 && status != 3 && status != 8)) std::abort();
  if (reason != 0 && (found[0] != 0 || found[1] != 0)) std::abort();
  for (int b = 0; b < found[1]; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const auto atoms = static_cast<std::uint32_t>(found[0]);
    if (begin[i] >= atoms || end[i] >= atoms || begin[i] == end[i] || (bond[i] & 7) > 3) std::abort();
    const std::uint64_t stereo = bond[i] >> 5;
    if (stereo != 0 && ((stereo != 2 && stereo != 3) || (bond[i] & 7) != 1)) std::abort();
  }
  for (int a = 0; a < found[0]; ++a) {
    const std::uint64_t codes = atom[static_cast<std::size_t>(a)];
    if ((codes & 255) == 0 || (codes & 255) > 118 || (codes >> 32 & 255) > 2 || (codes >> 48 & 255) > 7) std::abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catalase;
  // The text lies at the very end of a block of its own, so that reading past it is seen.
  const std::vector<char> block(data, data + size);
  const char* text = block.empty() ? "" : block.data();
  const auto length = static_cast<std::int64_t>(size);
  const std::uint32_t bits = 64;
  std::vector<std::uint8_t> packed(bits / 8);
  std::vector<float> dense(bits);
  std::vector<std::uint32_t> counts(bits);
  std::uint8_t status[3] = {99, 99, 99};
  const int radius =
      size > 0 ? data[size - 1] % (kEcfpMaxRadius + 3) : 2;  // the largest take the way of large molecules
  const EcfpKernels& kernels = ecfp_portable;
  EcfpBatch batch{&text,         &length,    1,    radius, bits, true, false, size % 2 == 1, EcfpOutput::kPacked,
                  packed.data(), &status[0], kHeap};
  kernels.rows(batch, 0, 1);
  if (status[0] == 9) {  // the row of a partial sanitization, where it is asked for
    batch.partial = true;
    kernels.rows(batch, 0, 1);
    batch.partial = false;
    if (status[0] != 9) std::abort();
    std::memset(packed.data(), 0, packed.size());
  }
  const char* start = text;
  const char* end = text + size;
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (start != end && is_space(*start)) ++start;
  while (start != end && is_space(end[-1])) --end;
  ValenceProblem problems[2];
  if (status[0] == 9 && valence_problems(start, end - start, kHeap, problems, 2) < 1) std::abort();
  batch.output = EcfpOutput::kDense, batch.rows = dense.data(), batch.status = &status[1];
  kernels.rows(batch, 0, 1);
  batch.output = EcfpOutput::kCounts, batch.rows = counts.data(), batch.status = &status[2];
  kernels.rows(batch, 0, 1);
  check_graph(batch, status[0]);
  check_mol_graph(&text, &length, status[0]);
  check_scaffold(&text, &length);
  check_paths(text, length);
  if (status[0] != status[1] || status[0] != status[2] || status[0] > 9) std::abort();
  for (std::uint32_t i = 0; i < bits; ++i) {
    const bool set = (packed[i / 8] >> (i % 8) & 1) != 0;
    if (set != (dense[i] != 0) || set != (counts[i] != 0) || (status[0] != 0 && set)) std::abort();
  }
  return 0;
}

#ifndef CATALASE_LIBFUZZER
namespace {

const char* const kCorpus[] = {
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "[Na+].[Cl-]",
    "C[C@H](N)C(=O)O",
    "F/C=C\\F",
    "C[C@H]1CC[C@@H](C)CC1",
    "[H][C@@]12CCCC[C@]1([H])CC/C=C/C2",
    "C/C=C/C(O)/C=C\\[C@@H](F)C",
    "[13CH4]",
    "O=[N+]([O-])c1ccccc1",
    "CN(=O)=O",
    "CN=N#N",
    "c1ccc2c(c1)[nH]c1ccccc12",
    "C12C3C4C1C5C2C3C45",
    "[H]OC([H])[H]",
    "C1=Cc2cc3ccc(cc4nc(cc5ccc(cc1n2)[nH]5)C=C4)[nH]3",
    "C%12CC%12",
    "c1cc2cccc2c1",
    "C1CC2CCC1CC2",
    "[cH-]1cccc1",
    "O=c1[nH]c(=O)c2[nH]cnc2[nH]1",
    "S(=O)(=O)(N)c1ccccc1",
    "[2H]C([2H])[2H]",
    "FS(F)(F)(F)(F)F",
    "c1ccc-2c(c1)Cc1ccccc1-2",
    "c1c2c3c4c5c1c6c7c8c2c9c1c3c2c3c4c4c%10c5c5c6c6c7c7c%11c8c9c8c9c1c2c1c2c3c4c3c4c%10c5c5c6c6c7c7c%"
    "11c8c8c9c1c1c2c3c2c4c5c6c3c7c8c1c23",
    "C1=CC2=C3C(=C1)C=CC3=CC=C2",
    "[O-][n+]1ccccc1",
    "C[N+](C)(C)C",
    "OP(=O)(O)O",
    "[se]1cccc1",
    "B1OC=CO1",
    "C1#CC=CC=C1",
    "CC(=O)O[AlH3](O)O",
    "O=C1O[Pt]2(N[C@@H]3CCCC[C@H]3N2)OC1=O",
    "Cl[V](Cl)(C1C=CC=C1)C1C=CC=C1",
    "N#C[Fe-2](C#N)(C#N)(C#N)(C#N)N=O",
};
const char* const kTokens[] = {
    "C",    "c",     "N",        "n",    "O",      "o", "S", "s",   "P",        "p",     "B",    "b",
    "F",    "Cl",    "Br",       "I",    "(",      ")", "[", "]",   "=",        "#",     "-",    ":",
    "/",    "\\",    ".",        "1",    "2",      "3", "9", "%10", "%99",      "[nH]",  "[O-]", "[n+]",
    "[H]",  "[2H]",  "[C@@H]",   "[se]", "[Fe+2]", "@", "+", "H",   "c1ccccc1", "C1CC1", "(=O)", "[AlH3]",
    "[Sn]", "[Be-]", "[SnH5+9]", "\0",   "\xff",   " ", "*", "$",   "->",       "%"};

std::string mutated(std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::string s = kCorpus[below(std::size(kCorpus))];
  if (below(20) == 0) {
    const std::string unit = s;
    for (std::size_t n = below(below(20) == 0 ? 1000 : 40); n > 0; --n) s += unit;
  }
  for (std::size_t edits = 1 + below(6); edits > 0; --edits) {
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

}  // namespace

int main(int argc, char** argv) {
  char* rest = nullptr;
  const double seconds = argc > 1 ? std::strtod(argv[1], &rest) : 5;
  if (argc > 1 && *rest != '\0') {
    for (int i = 1; i < argc; ++i) {
      std::ifstream file(argv[i], std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }
    return 0;
  }
  std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  long tried = 0;
  double slowest = 0;
  while (elapsed() < seconds) {
    const std::string text = mutated(random);
    const double before = elapsed();
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const double took = elapsed() - before;
    if (took > slowest) slowest = took;
    ++tried;
  }
  std::printf("%ld inputs, the slowest %.1f ms\n", tried, 1e3 * slowest);
  return 0;
}
#endif
