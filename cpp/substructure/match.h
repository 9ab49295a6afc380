// Matches of compiled patterns in one molecule, by backtracking over sets of atoms.
//
// The atoms at which a node of the query holds are a set, computed once a molecule and only where it is asked for. The
// neighbours of an atom by bonds of one kind are a set too, so the candidates of a step are a few intersections.
//
//   match()   places the atoms in the order of the pattern's search plan, until one match is found
//   list()    enumerates all matches in RDKit's order
//
// RDKit stops after 1,000 matches of a pattern or of a recursive query, and its versions differ in what they count.
// Where there are more, the pattern is left to RDKit; a recursive query is enumerated only where a bound permits so many.
// Each candidate that is tried counts as a step, and a pattern that exceeds kMaxSteps in a molecule is given up: the
// caller reports it.
#pragma once

#include "molecule/large_molecule.h"
#include "substructure/target.h"

namespace catalase {
namespace {

constexpr unsigned kMaxMatches = 1000;
constexpr std::int64_t kMaxSteps = 20'000'000;  // some 0.3 s

template <int W>
struct MatchMemory {
  Bits<W>* known;           // for each node: the atoms for which it is evaluated,
  Bits<W>* holds;           // and those for which it holds
  Bits<W> (*near)[64 * W];  // for each kind of bond and atom: the neighbours
  bool* near_known;
};

// Blocks for what is remembered about the nodes and the kinds of bonds, wide enough for any molecule.
class NodeMemory {
 public:
  NodeMemory(const WorkMemory& memory, const QueryTables& q)
      : sets_(memory, 2 * std::size_t{q.nodes} + 1),
        near_(memory, std::size_t{q.bond_kinds} + 1),
        flags_(memory, 256) {}

  template <int W>
  MatchMemory<W> view(const QueryTables& q) const {
    auto* sets = reinterpret_cast<Bits<W>*>(sets_.get());
    return {sets, sets + q.nodes, reinterpret_cast<Bits<W>(*)[64 * W]>(near_.get()), flags_.get()};
  }

 private:
  Block<Bits<4>> sets_;
  Block<Bits<4>[256]> near_;
  Block<bool> flags_;
};

enum class Outcome : u8 { kDone, kLeft, kGivenUp };

template <int W>
class Matcher {
 public:
  Matcher(const QueryTables& q, const Target& target, const MatchMemory<W>& memory)
      : q_(q), t_(target), m_(target.molecule), memory_(memory) {
    for (u32 n = 0; n < q.nodes; ++n) memory.known[n] = Bits<W>::none();
    for (u32 k = 0; k < q.bond_kinds; ++k) memory.near_known[k] = false;
    all_ = Bits<W>::none();
    for (unsigned a = 0; a < m_.atoms; ++a) {
      all_.set(a);
      if (m_.atom[a].degree > widest_) widest_ = m_.atom[a].degree;
    }
  }

  // Whether the result of the last call counts. If not, what it found out about recursive queries is forgotten.
  Outcome outcome() {
    if (steps_ >= 0 && !too_many_) return Outcome::kDone;
    for (u32 n = 0; n < q_.nodes; ++n) memory_.known[n] = Bits<W>::none();
    return steps_ < 0 ? Outcome::kGivenUp : Outcome::kLeft;
  }

  bool match(u32 pattern) {
    start();
    const Pattern& p = q_.pattern[pattern];
    if (!is_possible(p)) return false;
    return search(p, evaluate(q_.step[p.search].node, all_));
  }

  // The atoms of `within` for which the expression of a pattern's first atom holds.
  Bits<W> first_atoms(u32 pattern, const Bits<W>& within) {
    start();
    return evaluate(q_.step[q_.pattern[pattern].search].node, within);
  }

  // Calls found(atoms, set) for each match: the atom of each query atom, and all of them as a set.
  template <class F>
  void list(u32 pattern, F&& found) {
    start();
    const Pattern& p = q_.pattern[pattern];
    if (is_possible(p)) enumerate(p, found);
  }

 private:
  void start() {
    steps_ = kMaxSteps;
    too_many_ = false;
  }

  bool is_possible(const Pattern& p) {
    if (p.atoms > m_.atoms) return false;
    for (u32 i = 0; i < p.needs; ++i) {
      const PatternNeed need = q_.need[p.first_need + i];
      const Bits<W> set = evaluate(need.node, all_);
      if (need.times == 1 ? !set.any() : set.count() < static_cast<int>(need.times)) return false;
    }
    return true;
  }

  // The atoms of `within` for which a node holds.
  Bits<W> evaluate(u32 node, const Bits<W>& within) {
    const Bits<W> missing = within & ~memory_.known[node];
    if (missing.any()) {
      const AtomNode& n = q_.node[node];
      const bool leaf = n.op == AtomOp::kRange || n.op == AtomOp::kRingSize;
      const Bits<W> asked = leaf ? all_ : missing;
      const Bits<W> holds = compute(n, asked);
      if (memory_.known[node].any()) {
        memory_.holds[node] = (memory_.holds[node] & memory_.known[node]) | holds;
      } else {
        memory_.holds[node] = holds;
      }
      memory_.known[node] |= asked;
    }
    return memory_.holds[node] & within;
  }

  Bits<W> compute(const AtomNode& n, const Bits<W>& within) {
    switch (n.op) {
      case AtomOp::kAny:
        return within;
      case AtomOp::kRange: {
        const std::int16_t* value = t_.feature[static_cast<unsigned>(n.feature)];
        Bits<W> set = Bits<W>::none();
        for (unsigned w = 0; w < W && 64 * w < m_.atoms; ++w) {
          const unsigned end = m_.atoms - 64 * w < 64 ? m_.atoms - 64 * w : 64;
          u64 word = 0;
          for (unsigned i = 0; i < end; ++i) {
            const int v = value[64 * w + i];
            word |= static_cast<u64>(v >= n.low && v <= n.high) << i;
          }
          set.word[w] = word;
        }
        return set;
      }
      case AtomOp::kRingSize: {
        Bits<W> set = Bits<W>::none();
        for (unsigned a = 0; a < m_.atoms; ++a) {
          if ((t_.ring_sizes[a] >> n.low & 1) != 0) set.set(a);
        }
        return set;
      }
      case AtomOp::kAnd:
        return evaluate(n.b, evaluate(n.a, within));
      case AtomOp::kOr: {
        const Bits<W> first = evaluate(n.a, within);
        return first | evaluate(n.b, within & ~first);
      }
      case AtomOp::kNot:
        return within & ~evaluate(n.a, within);
      default:
        return starts(q_.pattern[n.a], within);
    }
  }

  // The atoms of `within` at which a recursive query starts.
  Bits<W> starts(const Pattern& p, const Bits<W>& within) {
    const Bits<W> first = evaluate(q_.step[p.search].node, within);
    if (p.atoms == 1 || !first.any()) return first;
    if (p.atoms > m_.atoms) return Bits<W>::none();
    Bits<W> set = Bits<W>::none();
    if (may_reach_limit(p)) {
      enumerate(p, [&](const u8* atom, const Bits<W>&) { set.set(atom[0]); });
      return set & within;
    }
    for_each(first, [&](unsigned a) {
      if (search(p, Bits<W>::one(a))) set.set(a);
    });
    return set;
  }

  // Whether there may be more than kMaxMatches matches of a recursive query: a bound from the numbers of neighbours.
  bool may_reach_limit(const Pattern& p) const {
    unsigned bound = 1;
    for (unsigned k = 0; k < p.atoms; ++k) {
      const PlanStep& step = q_.step[p.search + k];
      unsigned ways = step.links == 0 ? m_.atoms : k == 1 ? widest_ : widest_ - 1;
      if (memory_.known[step.node] == all_) {
        const auto holds = static_cast<unsigned>(memory_.holds[step.node].count());
        if (holds < ways) ways = holds;
      }
      bound *= ways;
      if (bound > (1u << 20)) return true;
    }
    return bound > kMaxMatches;
  }

  const Bits<W>& near(unsigned kind, unsigned atom) {
    Bits<W>* row = memory_.near[kind];
    if (!memory_.near_known[kind]) {
      memory_.near_known[kind] = true;
      const unsigned states = q_.bonds[kind];
      for (unsigned a = 0; a < m_.atoms; ++a) {
        Bits<W> set = Bits<W>::none();
        for (unsigned i = 0; i < m_.atom[a].degree; ++i) {
          if ((states >> t_.bond_state[m_.bond[a][i]] & 1) != 0) set.set(m_.neighbour[a][i]);
        }
        row[a] = set;
      }
    }
    return row[atom];
  }

  // The atoms that a step may take, given those of the earlier steps.
  Bits<W> candidates(const PlanStep& step, const u8* placed, const Bits<W>& used) {
    Bits<W> set = all_ & ~used;
    for (unsigned i = 0; i < step.links; ++i) {
      const PlanLink link = q_.link[step.first_link + i];
      set &= near(link.bond, placed[link.step]);
    }
    return set.any() ? evaluate(step.node, set) : set;
  }

  // Whether there is a match whose first atom in the search plan is one of `first`.
  bool search(const Pattern& p, const Bits<W>& first) {
    const PlanStep* steps = q_.step + p.search;
    if (p.atoms == 1) return first.any();
    Bits<W> left[kMaxQueryAtoms];
    u8 placed[kMaxQueryAtoms];
    Bits<W> used = Bits<W>::none();
    left[0] = first;
    for (unsigned k = 0;;) {
      if (!left[k].any()) {
        if (k == 0) return false;
        used.clear(placed[--k]);
        continue;
      }
      if (--steps_ < 0) return false;
      const unsigned atom = left[k].first();
      left[k].drop_first();
      placed[k] = static_cast<u8>(atom);
      used.set(atom);
      const Bits<W> next = candidates(steps[k + 1], placed, used);
      if (!next.any()) {
        used.clear(atom);
        continue;
      }
      if (k + 2 == p.atoms) return true;
      left[++k] = next;
    }
  }

  template <class F>
  void enumerate(const Pattern& p, F&& found) {
    const PlanStep* steps = q_.step + p.list;
    Bits<W> left[kMaxQueryAtoms];
    u8 placed[kMaxQueryAtoms], slot[kMaxQueryAtoms], match[kMaxQueryAtoms];
    Bits<W> used = Bits<W>::none();
    unsigned matches = 0;
    left[0] = evaluate(steps[0].node, all_);
    slot[0] = 0;
    for (unsigned k = 0;;) {
      const int atom = take(steps[k], placed, left[k], slot[k]);
      if (atom < 0) {
        if (k == 0) return;
        used.clear(placed[--k]);
        continue;
      }
      if (--steps_ < 0) return;
      placed[k] = static_cast<u8>(atom);
      match[steps[k].atom] = static_cast<u8>(atom);
      if (k + 1 == p.atoms) {
        if (++matches > kMaxMatches) {
          too_many_ = true;
          return;
        }
        Bits<W> set = used;
        set.set(static_cast<unsigned>(atom));
        found(match, set);
        continue;
      }
      used.set(static_cast<unsigned>(atom));
      ++k;
      left[k] = candidates(steps[k], placed, used);
      slot[k] = 0;
    }
  }

  // The next candidate in RDKit's order: that of the neighbours of the atom which the first link leads to.
  int take(const PlanStep& step, const u8* placed, Bits<W>& left, u8& slot) const {
    if (!left.any()) return -1;
    if (step.links == 0) {
      const unsigned atom = left.first();
      left.drop_first();
      return static_cast<int>(atom);
    }
    const unsigned from = placed[q_.link[step.first_link].step];
    for (; slot < m_.atom[from].degree; ++slot) {
      const unsigned atom = m_.neighbour[from][slot];
      if (!left.test(atom)) continue;
      left.clear(atom);
      return static_cast<int>(atom);
    }
    return -1;
  }

  const QueryTables& q_;
  const Target& t_;
  const Molecule& m_;
  MatchMemory<W> memory_;
  Bits<W> all_;
  unsigned widest_ = 0;
  std::int64_t steps_ = 0;
  bool too_many_ = false;
};

// The sets of atoms that were found, to count each of them once.
template <int W>
class SetsSeen {
 public:
  void clear() {
    if (count_ != 0) __builtin_memset(slot_, 0, sizeof(slot_));
    count_ = 0;
  }
  bool add(const Bits<W>& set) {
    u64 h = 0;
    for (int i = 0; i < W; ++i) h = (h ^ set.word[i]) * 0x9e3779b97f4a7c15ull;
    unsigned at = static_cast<unsigned>(h >> 53);
    for (; slot_[at] != 0; at = (at + 1) % kSlots) {
      if (set_[slot_[at] - 1] == set) return false;
    }
    set_[count_] = set;
    slot_[at] = static_cast<std::uint16_t>(++count_);
    return true;
  }
  unsigned count() const { return count_; }

 private:
  static constexpr unsigned kSlots = 2048;
  std::uint16_t slot_[kSlots] = {};
  Bits<W> set_[kMaxMatches];
  unsigned count_ = 0;
};

}  // namespace
}  // namespace catalase
