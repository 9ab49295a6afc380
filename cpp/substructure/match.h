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

#include <type_traits>

#include "molecule/large_molecule.h"
#include "substructure/cycles.h"
#include "substructure/target.h"

namespace catalase {
namespace {

constexpr unsigned kMaxMatches = 1000;
constexpr std::int64_t kMaxSteps = 20'000'000;  // some 0.3 s

// What is known about a node: the atoms for which it is evaluated, and those for which it holds.
template <int W>
struct NodeSets {
  Bits<W> known, holds;
};

template <int W>
struct MatchMemory {
  NodeSets<W>* node;        // those that are not eager: empty before a molecule, and after it
  u32* touched;             // the nodes of which something was learned
  u8* impossible;           // for each pattern, whether the screen excludes it
  Bits<W> (*near)[64 * W];  // for each state of a bond, then each kind of bonds, and atom: the neighbours
  bool* near_known;         // for each kind
};

constexpr unsigned kBondStates = 8;

// Blocks for what is remembered about the nodes and the kinds of bonds of a molecule.
class NodeMemory {
 public:
  NodeMemory(const WorkMemory& memory, const QueryTables& q)
      : small_(memory, std::size_t{q.nodes} + 1),
        large_(memory, std::size_t{q.nodes} + 1),
        touched_(memory, std::size_t{q.nodes} + 1),
        impossible_(memory, std::size_t{q.patterns} + 1),
        near_(memory, std::size_t{q.bond_kinds} + kBondStates),
        flags_(memory, 256) {
    for (u32 n = 0; n < q.nodes; ++n) {
      small_.get()[n] = {Bits<1>::none(), Bits<1>::none()};
      large_.get()[n] = {Bits<4>::none(), Bits<4>::none()};
    }
  }

  MatchMemory<1> small() const {
    return {small_.get(), touched_.get(), impossible_.get(), reinterpret_cast<Bits<1>(*)[64]>(near_.get()),
            flags_.get()};
  }
  MatchMemory<4> large() const { return {large_.get(), touched_.get(), impossible_.get(), near_.get(), flags_.get()}; }

 private:
  Block<NodeSets<1>> small_;
  Block<NodeSets<4>> large_;
  Block<u32> touched_;
  Block<u8> impossible_;
  Block<Bits<4>[256]> near_;
  Block<bool> flags_;
};

enum class Outcome : u8 { kDone, kLeft, kGivenUp };

template <int W>
class Matcher {
 public:
  Matcher(const QueryTables& q, const Target& target, const MatchMemory<W>& memory, LazyCycles<W>* cycles = nullptr)
      : q_(q), t_(target), m_(target.molecule), memory_(memory), cycles_(cycles) {
    for (u32 k = 0; k < q.bond_kinds; ++k) memory.near_known[k] = false;
    all_ = Bits<W>::none();
    for (unsigned a = 0; a < m_.atoms; ++a) {
      all_.set(a);
      if (m_.atom[a].degree > widest_) widest_ = m_.atom[a].degree;
    }
    find_spans();
    evaluate_eager();
    screen();
    sort_neighbours();
  }

  ~Matcher() { forget(); }
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // Whether the result of the last call counts. If not, what it found out about recursive queries is forgotten.
  Outcome outcome() {
    if (steps_ >= 0 && !too_many_) return Outcome::kDone;
    forget();
    return steps_ < 0 ? Outcome::kGivenUp : Outcome::kLeft;
  }

  // Whether some atom of a pattern has too few candidates.
  bool is_screened(u32 pattern) const { return memory_.impossible[pattern] != 0; }

  // Whether each atom of a pattern can be placed for itself, with its neighbours: nearly all patterns fail here.
  bool is_possible(u32 pattern) {
    start();
    if (memory_.impossible[pattern] != 0) return false;
    const Pattern& p = q_.pattern[pattern];
    const PatternNeed* need = q_.need + p.first_need;
    for (const PatternNeed* end = need + p.needs; need != end; ++need) {
      const NodeSets<W>& sets = memory_.node[need->node];
      if (!(sets.known == all_)) learn(need->node, all_ & ~sets.known);
      if (!sets.holds.any() || (need->times > 1 && sets.holds.count() < static_cast<int>(need->times))) return false;
    }
    return p.atoms <= m_.atoms;
  }

  // Whether there is a match of a pattern that is possible.
  bool match(u32 pattern) {
    const Pattern& p = q_.pattern[pattern];
    return p.star || search(p, evaluate(q_.step[p.search].node, all_));
  }

  const Bits<W>& all() const { return all_; }

  // The atoms for which the deciding node of a pattern holds.
  Bits<W> centres(u32 pattern) {
    start();
    return evaluate(q_.pattern[pattern].centre, all_);
  }

  // The atoms of `within` for which the expression of a pattern's first atom holds.
  Bits<W> first_atoms(u32 pattern, const Bits<W>& within) {
    start();
    return evaluate(q_.step[q_.pattern[pattern].search].node, within);
  }

  // The number of matches of a pattern of one atom.
  std::int32_t count_atoms(u32 pattern) { return evaluate(q_.step[q_.pattern[pattern].search].node, all_).count(); }
  // The atoms at which a recursive query "[$(...)]" might start, as far as each of them and its neighbours say.
  Bits<W> first_candidates(u32 pattern) {
    start();
    const AtomNode& outer = q_.node[q_.step[q_.pattern[pattern].list].node];
    return evaluate(q_.step[q_.pattern[outer.a].search].node, all_);
  }

  // Calls found(atoms, set) for each match of a pattern that is possible: the atom of each query atom, and all of them
  // as a set. It may return whether to go on.
  template <class F>
  void list(u32 pattern, F&& found) {
    enumerate(q_.pattern[pattern], found);
  }

 private:
  // The least and the greatest value of each feature: most ranges, such as those of elements, lie beyond these.
  void find_spans() {
    for (u32 left = q_.features; left != 0; left &= left - 1) {
      const auto f = static_cast<unsigned>(__builtin_ctz(left));
      const std::int16_t* value = t_.feature[f];
      std::int16_t low = kNoUpperEnd, high = -kNoUpperEnd;
      for (unsigned a = 0; a < m_.atoms; ++a) {
        low = value[a] < low ? value[a] : low;
        high = value[a] > high ? value[a] : high;
      }
      low_[f] = low;
      high_[f] = high;
    }
  }

  bool may_be_in_range(const AtomNode& n) const {
    const auto f = static_cast<unsigned>(n.feature);
    return n.low <= high_[f] && n.high >= low_[f];
  }

  // All nodes without recursive queries, in straight loops.
  void evaluate_eager() {
    NodeSets<W>* sets = memory_.node;
    for (u32 r = 0; r < q_.runs; ++r) {
      const EagerRun run = q_.run[r];
      const u32 *first = q_.eager + run.first, *end = q_.eager + run.end;
      switch (run.op) {
        case AtomOp::kAnd:
          for (; first != end; ++first) {
            const AtomNode& n = q_.node[*first];
            sets[*first] = {all_, sets[n.a].holds & sets[n.b].holds};
          }
          break;
        case AtomOp::kOr:
          for (; first != end; ++first) {
            const AtomNode& n = q_.node[*first];
            sets[*first] = {all_, sets[n.a].holds | sets[n.b].holds};
          }
          break;
        case AtomOp::kNot:
          for (; first != end; ++first) sets[*first] = {all_, all_ & ~sets[q_.node[*first].a].holds};
          break;
        case AtomOp::kRange:
          for (; first != end; ++first) {
            const AtomNode& n = q_.node[*first];
            sets[*first] = {all_, may_be_in_range(n) ? in_range(n) & all_ : Bits<W>::none()};
          }
          break;
        default:
          for (; first != end; ++first) sets[*first] = {all_, compute(q_.node[*first], all_)};
          break;
      }
    }
  }

  // Words of 64 atoms, of which those beyond the last are undefined.
  Bits<W> in_range(const AtomNode& n) const {
    const std::int16_t* value = t_.feature[static_cast<unsigned>(n.feature)];
    Bits<W> set = Bits<W>::none();
    for (unsigned w = 0; w < W && 64 * w < m_.atoms; ++w) {
      alignas(64) u8 inside[64];
      for (unsigned i = 0; i < 64; ++i) {  // vectors
        inside[i] = static_cast<u8>((value[64 * w + i] >= n.low) & (value[64 * w + i] <= n.high));
      }
      u64 word = 0;
      for (unsigned k = 0; k < 8; ++k) {
        u64 eight;
        __builtin_memcpy(&eight, inside + 8 * k, 8);
        word |= (eight * 0x0102040810204080u >> 56) << (8 * k);
      }
      set.word[w] = word;
    }
    return set;
  }

  // Excludes the patterns with too few candidates for some atom.
  void screen() {
    __builtin_memset(memory_.impossible, 0, q_.patterns);
    for (u32 e = 0; e < q_.screens; ++e) {
      const ScreenEntry entry = q_.screen[e];
      if (memory_.node[entry.node].holds.count() >= static_cast<int>(entry.times)) continue;
      for (u32 i = entry.first; i < entry.end; ++i) memory_.impossible[q_.screened[i]] = 1;
    }
  }

  void start() {
    steps_ = kMaxSteps;
    too_many_ = false;
  }

  void forget() {
    for (u32 i = 0; i < touched_; ++i) memory_.node[memory_.touched[i]] = {Bits<W>::none(), Bits<W>::none()};
    touched_ = 0;
  }

  // The atoms of `within` for which a node holds.
  Bits<W> evaluate(u32 node, const Bits<W>& within) {
    const NodeSets<W>& sets = memory_.node[node];
    if (__builtin_expect((within & ~sets.known).any(), 0)) learn(node, within & ~sets.known);
    return sets.holds & within;
  }

  __attribute__((noinline)) void learn(u32 node, const Bits<W>& missing) {
    const AtomNode& n = q_.node[node];
    const Bits<W> asked = n.op == AtomOp::kNeighbours ? all_ : missing;  // those cost no more for all atoms
    const Bits<W> holds = compute(n, asked);
    NodeSets<W>& sets = memory_.node[node];
    if (sets.known.any()) {
      sets.holds = (sets.holds & sets.known) | holds;
    } else {
      sets.holds = holds;
      memory_.touched[touched_++] = node;
    }
    sets.known |= asked;
  }

  Bits<W> compute(const AtomNode& n, const Bits<W>& within) {
    switch (n.op) {
      case AtomOp::kAny:
        return within;
      case AtomOp::kRange:
        return in_range(n) & within;
      case AtomOp::kRingSize: {
        Bits<W> set = Bits<W>::none();
        for (unsigned a = 0; a < m_.atoms; ++a) {
          if ((t_.ring_sizes[a] >> n.low & 1) != 0) set.set(a);
        }
        return set;
      }
      case AtomOp::kAnd: {
        // A chain of terms on the left is not remembered for itself.
        const AtomNode& left = q_.node[n.a];
        const Bits<W> first = left.op == AtomOp::kAnd ? compute(left, within) : evaluate(n.a, within);
        return first.any() ? evaluate(n.b, first) : first;
      }
      case AtomOp::kOr: {
        const Bits<W> first = evaluate(n.a, within);
        return first | evaluate(n.b, within & ~first);
      }
      case AtomOp::kNot:
        return within & ~evaluate(n.a, within);
      case AtomOp::kNeighbours:
        return having_neighbours(n) & within;
      default:
        return starts(q_.pattern[n.a], within);
    }
  }

  // The atoms that have so many neighbours of a kind: at_least[k] are those with k + 1 among the neighbours so far.
  Bits<W> having_neighbours(const AtomNode& n) {
    const Bits<W> neighbours = evaluate(n.a, all_);
    if (!neighbours.any() || n.low > static_cast<int>(kMaxDegree)) return Bits<W>::none();
    const Bits<W>* row = near(n.b);
    Bits<W> at_least[kMaxDegree];
    for (int k = 0; k < n.low; ++k) at_least[k] = Bits<W>::none();
    for_each(neighbours, [&](unsigned b) {
      for (int k = n.low - 1; k > 0; --k) at_least[k] |= at_least[k - 1] & row[b];
      at_least[0] |= row[b];
    });
    return at_least[n.low - 1];
  }

  // The atoms of `within` at which a recursive query starts.
  Bits<W> starts(const Pattern& p, const Bits<W>& within) {
    const Bits<W> first = evaluate(q_.step[p.search].node, within);
    if (p.atoms == 1 || !first.any()) return first;
    if (p.atoms > m_.atoms) return Bits<W>::none();
    if (p.any_ring && cycles_ != nullptr) {
      const Cycles<W>* cycles = cycles_->get();
      if (cycles != nullptr && cycles->of_size(p.ring, kMaxMatches, all_) >= 0)
        return cycles->atoms_of_size(p.ring) & first;
    }
    Bits<W> set = Bits<W>::none();
    if (may_reach_limit(p)) {
      enumerate(p, [&](const u8* atom, const Bits<W>&) { set.set(atom[0]); });
      return set & within;
    }
    if (p.star) return first;
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
      if (memory_.node[step.node].known == all_) {
        const auto holds = static_cast<unsigned>(memory_.node[step.node].holds.count());
        if (holds < ways) ways = holds;
      }
      bound *= ways;
      if (bound > (1u << 20)) return true;
    }
    return bound > kMaxMatches;
  }

  const Bits<W>* near(unsigned kind) {
    if (__builtin_expect(!memory_.near_known[kind], 0)) find_near(kind);
    return memory_.near[kBondStates + kind];
  }
  const Bits<W>& near(unsigned kind, unsigned atom) { return near(kind)[atom]; }

  // The neighbours of each atom by bonds of each state that there is.
  void sort_neighbours() {
    for (unsigned a = 0; a < m_.atoms; ++a) {
      for (unsigned i = 0; i < m_.atom[a].degree; ++i) {
        const unsigned state = t_.bond_state[m_.bond[a][i]];
        Bits<W>* row = memory_.near[state];
        if ((states_ >> state & 1) == 0) {
          states_ |= 1u << state;
          for (unsigned c = 0; c < m_.atoms; ++c) row[c] = Bits<W>::none();
        }
        row[a].set(m_.neighbour[a][i]);
      }
    }
  }

  __attribute__((noinline)) void find_near(unsigned kind) {
    memory_.near_known[kind] = true;
    Bits<W>* row = memory_.near[kBondStates + kind];
    for (unsigned a = 0; a < m_.atoms; ++a) row[a] = Bits<W>::none();
    for (unsigned states = q_.bonds[kind] & states_; states != 0; states &= states - 1) {
      const Bits<W>* part = memory_.near[__builtin_ctz(states)];
      for (unsigned a = 0; a < m_.atoms; ++a) row[a] |= part[a];
    }
  }

  // The steps of a plan, for one search.
  struct Step {
    Bits<W> holds;  // all atoms if its node is evaluated where it is asked for
    const Bits<W>* near;
    const PlanStep* plan;
    u8 from, more;  // of the first link; and of the others
    bool lazy;
  };

  void prepare(const Pattern& p, const PlanStep* plan, Step* steps) {
    for (unsigned k = 1; k < p.atoms; ++k) {
      const NodeSets<W>& sets = memory_.node[plan[k].node];
      Step& step = steps[k];
      step.lazy = !(sets.known == all_);
      step.holds = step.lazy ? all_ : sets.holds;
      step.plan = plan + k;
      step.near = nullptr;
      step.more = 0;
      if (plan[k].links == 0) continue;
      const PlanLink link = q_.link[plan[k].first_link];
      step.near = near(link.bond);
      step.from = link.step;
      step.more = static_cast<u8>(plan[k].links - 1);
    }
  }

  // The atoms that a step may take, given those of the earlier steps.
  Bits<W> candidates(const Step& step, const u8* placed, const Bits<W>& used) {
    Bits<W> set = step.holds & ~used;
    if (step.near != nullptr) set &= step.near[placed[step.from]];
    for (unsigned i = 1; i <= step.more; ++i) {
      const PlanLink link = q_.link[step.plan->first_link + i];
      set &= near(link.bond, placed[link.step]);
    }
    return step.lazy && set.any() ? evaluate(step.plan->node, set) : set;
  }

  // Whether there is a match whose first atom in the search plan is one of `first`.
  __attribute__((noinline)) bool search(const Pattern& p, const Bits<W>& first) {
    if (p.atoms == 1 || !first.any()) return first.any();
    Step steps[kMaxQueryAtoms];
    prepare(p, q_.step + p.search, steps);
    Bits<W> left[kMaxQueryAtoms];
    u8 placed[kMaxQueryAtoms];
    Bits<W> used = Bits<W>::none();
    const unsigned last = p.atoms - 1;
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
      if (k + 1 == last) return true;
      left[++k] = next;
    }
  }

  template <class F>
  __attribute__((noinline)) void enumerate(const Pattern& p, F&& found) {
    const PlanStep* plan = q_.step + p.list;
    Step steps[kMaxQueryAtoms];
    prepare(p, plan, steps);
    Bits<W> left[kMaxQueryAtoms];
    u8 placed[kMaxQueryAtoms], slot[kMaxQueryAtoms], match[kMaxQueryAtoms];
    Bits<W> used = Bits<W>::none();
    unsigned matches = 0;
    left[0] = evaluate(plan[0].node, all_);
    slot[0] = 0;
    for (unsigned k = 0;;) {
      const int atom = take(plan[k], placed, left[k], slot[k]);
      if (atom < 0) {
        if (k == 0) return;
        used.clear(placed[--k]);
        continue;
      }
      if (--steps_ < 0) return;
      placed[k] = static_cast<u8>(atom);
      match[plan[k].atom] = static_cast<u8>(atom);
      if (k + 1 == p.atoms) {
        if (++matches > kMaxMatches) {
          too_many_ = true;
          return;
        }
        Bits<W> set = used;
        set.set(static_cast<unsigned>(atom));
        if constexpr (std::is_void_v<decltype(found(match, set))>) {
          found(match, set);
        } else if (!found(match, set)) {
          return;
        }
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
  LazyCycles<W>* cycles_;             // null: rings are searched
  unsigned widest_ = 0, states_ = 0;  // of bonds, as a set
  std::int16_t low_[kFeatures], high_[kFeatures];
  u32 touched_ = 0;
  std::int64_t steps_ = 0;
  bool too_many_ = false;
};

// The sets of atoms that were found, to count each of them once.
template <int W>
class SetsSeen {
 public:
  void clear() {
    while (count_ != 0) slot_[place_[--count_]] = 0;
  }
  bool add(const Bits<W>& set) {
    u64 h = 0;
    for (int i = 0; i < W; ++i) h = (h ^ set.word[i]) * 0x9e3779b97f4a7c15ull;
    unsigned at = static_cast<unsigned>(h >> 53);
    for (; slot_[at] != 0; at = (at + 1) % kSlots) {
      if (set_[slot_[at] - 1] == set) return false;
    }
    set_[count_] = set;
    place_[count_] = static_cast<std::uint16_t>(at);
    slot_[at] = static_cast<std::uint16_t>(++count_);
    return true;
  }
  unsigned count() const { return count_; }

 private:
  static constexpr unsigned kSlots = 2048;
  std::uint16_t slot_[kSlots] = {}, place_[kMaxMatches];
  Bits<W> set_[kMaxMatches];
  unsigned count_ = 0;
};

}  // namespace
}  // namespace catalase
