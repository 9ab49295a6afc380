// Compiled SMARTS patterns: tables without pointers between them, shared by all patterns of a set.
//
// An atom's expression is a node of one graph of nodes; equal expressions of all patterns are the same node, so a
// molecule evaluates each of them once, for all of its atoms. A bond can be in one of eight states (four orders, in a
// ring or not), so a bond's expression is the byte of the states that it permits. A recursive query is a pattern of its
// own. Each pattern has two plans, orders in which its atoms are placed: one that starts with the rarest atom, to find
// whether there is a match, and RDKit's order, to list all of them.
#pragma once

#include <cstdint>

namespace catalase {

// The whole numbers that a SMARTS primitive asks about an atom.
enum class Feature : std::uint8_t {
  kElement,
  kType,      // the element, plus 256 if the atom is aromatic
  kAromatic,  // 0 or 1
  kCharge,
  kIsotope,
  kDegree,
  kHeavyDegree,  // neighbours that are not hydrogen
  kConnections,  // neighbours and hydrogens
  kHydrogens,    // all of them, written as atoms too
  kHydrogensWithoutAtoms,
  kValence,  // bond orders and hydrogens
  kRingBonds,
  kRings,         // smallest rings that the atom is in
  kSmallestRing,  // the size of the smallest of them, 0 outside rings
  kRingSystem,    // atoms that bonds in rings join to it, and the atom, 0 outside rings
  kHeteroNeighbours,
  kAliphaticHeteroNeighbours,
  kHybridization,  // 0: one orbital or none, 1: sp, 2: sp2, 3: sp3, 4: sp3d, 5: sp3d2, 6: others
  kCount
};
constexpr unsigned kFeatures = static_cast<unsigned>(Feature::kCount);

enum class AtomOp : std::uint8_t {
  kAny,
  kRange,     // low <= feature <= high
  kRingSize,  // the atom is in a smallest ring of `low` atoms
  kAnd,       // nodes a and b
  kOr,
  kNot,         // node a
  kNeighbours,  // at least `low` neighbours by bonds of kind `b` for which node a holds
  kMatches      // pattern a matches with its first atom here
};

struct AtomNode {
  AtomOp op;
  Feature feature;
  std::int16_t low, high;
  std::uint32_t a, b;
};

constexpr unsigned kMaxQueryAtoms = 64;
constexpr unsigned kMaxRingSizeBit = 31;
constexpr std::int16_t kNoUpperEnd = 32767;

// Bits of a bond's expression: order - 1, plus 4 in a ring.
constexpr std::uint8_t kAnyBond = 0xff, kRingBond = 0xf0, kSingleBond = 0x11, kDoubleBond = 0x22, kTripleBond = 0x44,
                       kAromaticBond = 0x88, kSingleOrAromatic = kSingleBond | kAromaticBond;

// A bond to an atom that was placed in an earlier step.
struct PlanLink {
  std::uint8_t step, bond;  // bond: a number in QueryTables::bonds
};

struct PlanStep {
  std::uint32_t node, first_link;
  std::uint8_t links, atom;
};

// A node that so many atoms of a pattern have. A pattern's needs are the expressions of its atoms, then all of them
// together with their neighbours in the pattern, those only that the screen does not have; of each, the rarest comes
// first. A star needs its centre with its neighbours, and nothing else.
struct PatternNeed {
  std::uint32_t node, times;
};

struct Pattern {
  std::uint32_t search, list;  // first steps of the two plans
  std::uint32_t first_need, needs;
  std::uint8_t atoms;
  std::uint8_t ring;      // the number of atoms of its only ring, or 0
  bool any_ring;          // it is that ring, of atoms of any kind but for one
  bool star;              // it matches at each atom where `centre` holds, the first one's if it is rooted
  std::uint32_t centre;   // if star or any_ring: the node that decides
  std::uint32_t relaxed;  // if ring_counts: a pattern that matches wherever this one might, whatever those numbers are
  bool ring_counts;       // it asks about the number of smallest rings, or their sizes other than the smallest
  bool parts;             // it is not connected
  bool rooted;            // a recursive query: both plans start with its first atom
};

// Nodes without recursive queries are evaluated at once for each molecule: runs of one operator, children first.
struct EagerRun {
  AtomOp op;
  std::uint32_t first, end;  // in QueryTables::eager
};

// Patterns that cannot match if fewer than `times` atoms have a node: [first, end) in QueryTables::screened.
struct ScreenEntry {
  std::uint32_t node, times, first, end;
};

struct QueryTables {
  const AtomNode* node;
  const std::uint8_t* bonds;
  const Pattern* pattern;
  const PlanStep* step;
  const PlanLink* link;
  const PatternNeed* need;
  const EagerRun* run;
  const std::uint32_t* eager;
  const ScreenEntry* screen;
  const std::uint32_t* screened;
  std::uint32_t runs, screens;
  std::uint32_t nodes, bond_kinds, patterns;
  std::uint32_t features;  // those in use, as a set
  bool ring_sizes;         // kRingSize is in use
};

}  // namespace catalase
