// Crippen's types by the surroundings of an atom. Where all patterns are stars, or stars at the end of one bond, the
// neighbours decide, and those of an only neighbour; so the types of an atom whose like was seen in another molecule are
// known without a search. An atom with several neighbours that a pattern of two bonds' depth could concern is searched.
//
// The key is a 64-bit hash of the surroundings: an entry has its upper 48 bits, its place the others. Threads share the
// entries without locks: an entry is one word.
#pragma once

#include <cstdint>

#include "substructure/query.h"

namespace catalase {

constexpr std::uint32_t kTypeEntries = 1u << 16;
constexpr std::uint32_t kMaxCachedTypes = 254;  // numbers of types are kept in eight bits, one more than they are

namespace type_cache {

// Whether an expression asks about nothing but the atom: its element, aromaticity, charge, neighbours and hydrogens.
inline bool is_of_atom(const QueryTables& q, std::uint32_t node) {
  constexpr std::uint32_t known =
      1u << static_cast<unsigned>(Feature::kElement) | 1u << static_cast<unsigned>(Feature::kType) |
      1u << static_cast<unsigned>(Feature::kAromatic) | 1u << static_cast<unsigned>(Feature::kCharge) |
      1u << static_cast<unsigned>(Feature::kDegree) | 1u << static_cast<unsigned>(Feature::kConnections) |
      1u << static_cast<unsigned>(Feature::kHydrogens) | 1u << static_cast<unsigned>(Feature::kHydrogensWithoutAtoms);
  const AtomNode& n = q.node[node];
  switch (n.op) {
    case AtomOp::kAny:
      return true;
    case AtomOp::kRange:
      return (known >> static_cast<unsigned>(n.feature) & 1) != 0;
    case AtomOp::kAnd:
    case AtomOp::kOr:
      return is_of_atom(q, n.a) && is_of_atom(q, n.b);
    case AtomOp::kNot:
      return is_of_atom(q, n.a);
    default:
      return false;
  }
}

}  // namespace type_cache

// How many bonds from an atom what decides if a pattern "[$(...)]" matches it may lie: 0 to 2, or kNotLocal. The pattern
// inside is a tree, with one atom beside the first if it is two bonds deep (of several, one could lie in the way of the
// neighbours of another).
constexpr unsigned kNotLocal = 3;

inline unsigned depth_of(const QueryTables& q, std::uint32_t pattern) {
  const std::uint32_t node = q.step[q.pattern[pattern].list].node;
  const AtomNode& outer = q.node[node];
  if (q.pattern[pattern].atoms != 1) return kNotLocal;
  if (outer.op != AtomOp::kMatches) return type_cache::is_of_atom(q, node) ? 0 : kNotLocal;
  const Pattern& inner = q.pattern[outer.a];
  unsigned depth[kMaxQueryAtoms] = {}, beside = 0, deepest = 0;
  for (unsigned k = 0; k < inner.atoms; ++k) {
    const PlanStep& step = q.step[inner.list + k];
    if (!type_cache::is_of_atom(q, step.node) || step.links != (k == 0 ? 0 : 1)) return kNotLocal;
    if (k != 0) depth[k] = depth[q.link[step.first_link].step] + 1;
    beside += depth[k] == 1;
    if (depth[k] > deepest) deepest = depth[k];
  }
  return deepest < 2 || (deepest == 2 && beside == 1) ? deepest : kNotLocal;
}

}  // namespace catalase
