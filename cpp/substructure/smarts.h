// SMARTS to patterns (query.h). The grammar is that of RDKit's reader; what is not proven to be equal is left to RDKit.
#pragma once

#include <string_view>

#include "common/memory.h"
#include "substructure/query.h"

namespace catalase {

enum class SmartsStatus : std::uint8_t {
  kCompiled,
  kSyntax,  // not the grammar that is read here; RDKit may still read it
  kSize,    // more atoms, nested queries or terms than are read here
};

struct SmartsResult {
  SmartsStatus status;
  std::int64_t position;  // in the text, where reading ended
  std::uint32_t pattern;  // its number, if it was compiled
  std::uint32_t atoms;
};

class QuerySet {
 public:
  SmartsResult add(std::string_view smarts);
  QueryTables tables() const;

 private:
  friend class SmartsReader;
  std::uint32_t node_of(const AtomNode& node, float share);
  std::uint8_t bond_of(std::uint8_t states);
  std::uint32_t add_pattern(const struct QueryGraph& graph, bool rooted);
  std::uint64_t hash_of_pattern(const Pattern& pattern) const;
  bool is_same_pattern(const Pattern& x, const Pattern& y) const;
  void add_plan(const struct QueryGraph& graph, const std::uint8_t* order);

  ScratchVector<AtomNode> nodes_;
  ScratchVector<float> share_;  // of a library's atoms that a node may match: a guess
  ScratchVector<std::uint32_t> node_slots_;
  ScratchVector<std::uint8_t> bonds_;
  ScratchVector<Pattern> patterns_;
  ScratchVector<std::uint32_t> pattern_slots_;
  ScratchVector<PlanStep> steps_;
  ScratchVector<PlanLink> links_;
  ScratchVector<PatternNeed> needs_;
  std::uint32_t features_ = 0;
  bool ring_sizes_ = false;
};

}  // namespace catalase
