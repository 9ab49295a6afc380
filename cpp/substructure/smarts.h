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
  void finish();  // after the last pattern
  QueryTables tables() const;

 private:
  friend class SmartsReader;
  std::uint32_t node_of(const AtomNode& node, float share);
  std::uint32_t both(std::uint32_t a, std::uint32_t b);
  bool implies(std::uint32_t x, std::uint32_t y) const;
  bool excludes(std::uint32_t x, std::uint32_t y) const;
  bool is_among(const struct QueryLink& x, const struct QueryLink& y, const struct QueryGraph& graph) const;
  std::uint32_t neighbours(std::uint32_t node, std::uint8_t bond, std::int16_t times);
  std::uint32_t with_neighbours(const struct QueryGraph& graph, unsigned atom, bool* decides = nullptr);
  std::uint32_t centre_of_star(const struct QueryGraph& graph, bool rooted, bool& star);
  void add_need(ScratchVector<PatternNeed>& needs, std::uint32_t node, std::size_t first) const;
  bool is_eager(std::uint32_t node) const;
  std::uint32_t relaxed(std::uint32_t node);
  std::uint8_t bond_of(std::uint8_t states);
  std::uint32_t add_pattern(const struct QueryGraph& graph, bool rooted);
  std::uint64_t hash_of_pattern(const Pattern& pattern) const;
  bool is_same_pattern(const Pattern& x, const Pattern& y) const;
  void add_plan(const struct QueryGraph& graph, const std::uint8_t* order, const std::uint32_t* node);

  ScratchVector<AtomNode> nodes_;
  ScratchVector<float> share_;  // of a library's atoms that a node may match: a guess
  ScratchVector<std::uint32_t> node_slots_;
  ScratchVector<std::uint8_t> bonds_;
  ScratchVector<Pattern> patterns_;
  ScratchVector<std::uint32_t> pattern_slots_;
  ScratchVector<PlanStep> steps_;
  ScratchVector<PlanLink> links_;
  ScratchVector<PatternNeed> needs_;
  ScratchVector<PatternNeed> screens_;  // of each pattern, as its needs: first_screen_[pattern] on
  ScratchVector<std::uint32_t> first_screen_;
  ScratchVector<EagerRun> runs_;
  ScratchVector<std::uint32_t> eager_, screened_;
  ScratchVector<ScreenEntry> screen_;
  std::uint32_t features_ = 0;
  bool ring_sizes_ = false;
};

}  // namespace catalase
