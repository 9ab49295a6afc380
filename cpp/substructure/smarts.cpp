// A recursive descent over the text. Operators bind as in RDKit: "!" and adjacency, then "&", ",", ";".
#include "substructure/smarts.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "molecule/elements.h"

namespace catalase {

struct QueryLink {
  std::uint8_t atom, bond;
};

// One pattern as it was read: its atoms, and each atom's bonds in RDKit's order.
struct QueryGraph {
  unsigned atoms = 0;
  std::uint8_t ring = 0;  // see Pattern
  bool any_ring = false;
  std::uint32_t ring_node = 0;  // if any_ring: that of its only atom that is not any
  std::uint32_t node[kMaxQueryAtoms];
  std::uint8_t degree[kMaxQueryAtoms];
  QueryLink link[kMaxQueryAtoms][kMaxQueryAtoms];
};

namespace {

constexpr int kMaxNesting = 12;  // of recursive queries
constexpr int kMaxTerms = 256;   // of one atom's expression
constexpr int kMaxRingNumber = 100;
constexpr int kUsualRing = 6;         // atoms: larger ring systems are rare enough to be asked for
constexpr unsigned kMaxStarRays = 8;  // neighbours of a star's centre

// The shares of atoms in drug-like molecules, roughly; they only decide the order of a search.
float share_of(Feature feature, int low, int high) {
  switch (feature) {
    case Feature::kElement:
    case Feature::kType: {
      const int element = low & 255;
      const bool typed = feature == Feature::kType;
      if (element == 6) return typed ? 0.37f : 0.74f;
      if (element == 7) return typed ? 0.06f : 0.12f;
      if (element == 8) return typed && low > 256 ? 0.004f : 0.11f;
      if (element == 16) return 0.015f;
      if (element == 9 || element == 17) return 0.01f;
      return 0.001f;
    }
    case Feature::kAromatic:
      return low == 1 ? 0.42f : 0.58f;
    case Feature::kCharge:
      return low <= 0 && high >= 0 ? 0.98f : 0.01f;
    case Feature::kIsotope:
      return low == 0 ? 1.0f : 0.0001f;
    case Feature::kValence:
      return low == 4 ? 0.74f : 0.12f;
    default:
      return high == kNoUpperEnd ? 0.5f : 0.3f;
  }
}

std::uint64_t hash_of(const AtomNode& n) {
  std::uint64_t h = static_cast<std::uint64_t>(n.op) << 56 ^ static_cast<std::uint64_t>(n.feature) << 48 ^
                    static_cast<std::uint64_t>(static_cast<std::uint16_t>(n.low)) << 32 ^
                    static_cast<std::uint64_t>(static_cast<std::uint16_t>(n.high)) << 16;
  h = (h ^ (std::uint64_t{n.a} << 32 | n.b) * 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
  return h ^ h >> 32;
}

bool is_equal(const AtomNode& x, const AtomNode& y) {
  return x.op == y.op && x.feature == y.feature && x.low == y.low && x.high == y.high && x.a == y.a && x.b == y.b;
}

}  // namespace

// The number of an equal item, found by its hash, or of the new one that make() appends.
template <class Hash, class Equal, class Make>
std::uint32_t find_or_make(ScratchVector<std::uint32_t>& slots, std::size_t items, std::uint64_t hash, Hash&& hash_at,
                           Equal&& is_equal_at, Make&& make) {
  const auto place = [&](std::uint64_t h) { return static_cast<std::size_t>(h & (slots.size() - 1)); };
  if (2 * (items + 1) > slots.size()) {
    slots.assign(slots.empty() ? 256 : 2 * slots.size(), 0);
    for (std::size_t i = 0; i < items; ++i) {
      std::size_t at = place(hash_at(i));
      while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
      slots[at] = static_cast<std::uint32_t>(i + 1);
    }
  }
  std::size_t at = place(hash);
  for (; slots[at] != 0; at = (at + 1) & (slots.size() - 1)) {
    if (is_equal_at(slots[at] - 1)) return slots[at] - 1;
  }
  make();
  slots[at] = static_cast<std::uint32_t>(items + 1);
  return static_cast<std::uint32_t>(items);
}

std::uint32_t QuerySet::node_of(const AtomNode& node, float share) {
  return find_or_make(
      node_slots_, nodes_.size(), hash_of(node), [&](std::size_t i) { return hash_of(nodes_[i]); },
      [&](std::size_t i) { return is_equal(nodes_[i], node); },
      [&] {
        nodes_.push_back(node);
        share_.push_back(share);
        if (node.op == AtomOp::kRange) features_ |= 1u << static_cast<unsigned>(node.feature);
        ring_sizes_ = ring_sizes_ || node.op == AtomOp::kRingSize;
      });
}

std::uint32_t QuerySet::both(std::uint32_t a, std::uint32_t b) {
  if (nodes_[a].op == AtomOp::kAny || a == b) return b;
  if (nodes_[b].op == AtomOp::kAny) return a;
  return node_of({AtomOp::kAnd, Feature::kElement, 0, 0, a, b}, share_[a] * share_[b]);
}

// The values of a feature that atoms in a range of another may have: a type says which element, and whether aromatic.
struct Span {
  int low, high;
};
Span span_of(const AtomNode& n, Feature feature) {
  if (n.feature == feature) return {n.low, n.high};
  if (n.feature == Feature::kType && n.low == n.high) {
    if (feature == Feature::kElement) return {n.low & 255, n.low & 255};
    if (feature == Feature::kAromatic) return {n.low >> 8, n.low >> 8};
  }
  return {-kNoUpperEnd, kNoUpperEnd};
}

// Whether each atom with x has y, as far as the expressions say.
bool QuerySet::implies(std::uint32_t x, std::uint32_t y) const {
  const AtomNode &p = nodes_[x], &q = nodes_[y];
  if (x == y || q.op == AtomOp::kAny) return true;
  if (p.op == AtomOp::kOr) return implies(p.a, y) && implies(p.b, y);
  if (q.op == AtomOp::kAnd) return implies(x, q.a) && implies(x, q.b);
  if (p.op == AtomOp::kAnd) return implies(p.a, y) || implies(p.b, y);
  if (q.op == AtomOp::kOr) return implies(x, q.a) || implies(x, q.b);
  if (q.op == AtomOp::kNot) return p.op == AtomOp::kNot ? implies(q.a, p.a) : excludes(x, q.a);
  if (p.op != AtomOp::kRange || q.op != AtomOp::kRange) return false;
  const Span span = span_of(p, q.feature);
  return span.low >= q.low && span.high <= q.high;
}

// Whether no atom has both, as far as the expressions say.
bool QuerySet::excludes(std::uint32_t x, std::uint32_t y) const {
  const AtomNode &p = nodes_[x], &q = nodes_[y];
  if (p.op == AtomOp::kOr) return excludes(p.a, y) && excludes(p.b, y);
  if (q.op == AtomOp::kOr) return excludes(x, q.a) && excludes(x, q.b);
  if (p.op == AtomOp::kAnd) return excludes(p.a, y) || excludes(p.b, y);
  if (q.op == AtomOp::kAnd) return excludes(x, q.a) || excludes(x, q.b);
  if (p.op == AtomOp::kNot) return implies(y, p.a);
  if (q.op == AtomOp::kNot) return implies(x, q.a);
  if (p.op != AtomOp::kRange || q.op != AtomOp::kRange) return false;
  const bool typed = p.feature == Feature::kType;
  const AtomNode& to = typed ? q : p;
  const Span span = span_of(typed ? p : q, to.feature);
  return span.high < to.low || span.low > to.high;
}

// Whether what may be placed at a bond to x may be placed at y too.
bool QuerySet::is_among(const QueryLink& x, const QueryLink& y, const QueryGraph& graph) const {
  return (bonds_[x.bond] & ~bonds_[y.bond]) == 0 && implies(graph.node[x.atom], graph.node[y.atom]);
}

// A node that holds for atoms with at least so many such neighbours.
std::uint32_t QuerySet::neighbours(std::uint32_t node, std::uint8_t bond, std::int16_t times) {
  const float share = std::min(0.7f, 2 * share_[node]);
  const std::uint8_t states = bonds_[bond];
  if (nodes_[node].op == AtomOp::kAny && (states == kAnyBond || states == kRingBond)) {
    const Feature count = states == kAnyBond ? Feature::kDegree : Feature::kRingBonds;
    return node_of({AtomOp::kRange, count, times, kNoUpperEnd, 0, 0}, share);
  }
  return node_of({AtomOp::kNeighbours, Feature::kElement, times, 0, node, bond}, share);
}

// A node that holds for an atom of the pattern only if its neighbours can be placed too; they can be placed together
// wherever it holds unless `decides` becomes false. Each kind of neighbours needs as many as there are of it and of the
// kinds among it, and that is enough where no two kinds overlap otherwise (Hall's theorem).
std::uint32_t QuerySet::with_neighbours(const QueryGraph& graph, unsigned atom, bool* decides) {
  std::uint32_t node = graph.node[atom];
  for (unsigned i = 0; i < graph.degree[atom]; ++i) {
    const QueryLink link = graph.link[atom][i];
    std::int16_t times = 0;
    bool first = true;
    for (unsigned j = 0; j < graph.degree[atom]; ++j) {
      const QueryLink other = graph.link[atom][j];
      const bool same = other.bond == link.bond && graph.node[other.atom] == graph.node[link.atom];
      const bool among = same || is_among(other, link, graph);
      first = first && (!same || j >= i);
      times += among;
      if (decides == nullptr || among || is_among(link, other, graph)) continue;
      *decides = *decides && ((bonds_[link.bond] & bonds_[other.bond]) == 0 ||
                              excludes(graph.node[link.atom], graph.node[other.atom]));
    }
    if (first) node = both(node, neighbours(graph.node[link.atom], link.bond, times));
  }
  return node;
}

// The centre with its neighbours of a pattern that is one atom, or one with all others around it, if that decides.
std::uint32_t QuerySet::centre_of_star(const QueryGraph& graph, bool rooted, bool& star) {
  unsigned centre = 0;
  for (unsigned a = 1; a < graph.atoms && !rooted; ++a) {
    const bool wider = graph.degree[a] > graph.degree[centre];
    const bool rarer = share_[graph.node[a]] < share_[graph.node[centre]];
    if (wider || (graph.degree[a] == graph.degree[centre] && rarer)) centre = a;
  }
  star = graph.degree[centre] + 1u == graph.atoms && graph.degree[centre] <= kMaxStarRays;
  for (unsigned a = 0; a < graph.atoms; ++a) star = star && (a == centre || graph.degree[a] == 1);
  return star ? with_neighbours(graph, centre, &star) : 0;
}

// Adds a node to the needs from `first` on, which are sorted.
void QuerySet::add_need(ScratchVector<PatternNeed>& needs, std::uint32_t node, std::size_t first) const {
  std::size_t i = first;
  while (i < needs.size() && needs[i].node != node) ++i;
  if (i == needs.size()) needs.push_back({node, 0});
  ++needs[i].times;
  for (; i > first && share_[needs[i].node] < share_[needs[i - 1].node]; --i) std::swap(needs[i], needs[i - 1]);
}

// Whether a node has neither recursive queries nor neighbours below it.
bool QuerySet::is_eager(std::uint32_t node) const {
  const AtomNode& n = nodes_[node];
  switch (n.op) {
    case AtomOp::kAnd:
    case AtomOp::kOr:
      return is_eager(n.a) && is_eager(n.b);
    case AtomOp::kNot:
      return is_eager(n.a);
    default:
      return n.op != AtomOp::kNeighbours && n.op != AtomOp::kMatches;
  }
}

void QuerySet::finish() {
  // Nodes by level and operator.
  struct Place {
    std::uint32_t node, level;
  };
  ScratchVector<Place> places;
  ScratchVector<std::uint32_t> level(nodes_.size(), 0);
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {  // children have smaller numbers
    const AtomNode& n = nodes_[i];
    const bool two = n.op == AtomOp::kAnd || n.op == AtomOp::kOr;
    constexpr std::uint32_t kLazy = ~0u;
    if (n.op == AtomOp::kNeighbours || n.op == AtomOp::kMatches) {
      level[i] = kLazy;
    } else if (two || n.op == AtomOp::kNot) {
      const std::uint32_t deepest = two ? std::max(level[n.a], level[n.b]) : level[n.a];
      level[i] = deepest == kLazy ? kLazy : deepest + 1;
    }
    if (level[i] != kLazy) places.push_back({i, level[i]});
  }
  std::sort(places.begin(), places.end(), [&](const Place& x, const Place& y) {
    const auto key = [&](const Place& p) { return std::tuple(p.level, nodes_[p.node].op, p.node); };
    return key(x) < key(y);
  });
  runs_.clear();
  eager_.clear();
  for (const Place& place : places) {
    const auto at = static_cast<std::uint32_t>(eager_.size());
    const AtomOp op = nodes_[place.node].op;
    const bool same = at != 0 && runs_.back().op == op && level[eager_.back()] == place.level;
    if (!same) runs_.push_back({op, at, at});
    runs_.back().end = at + 1;
    eager_.push_back(place.node);
  }
  // For each node and number, the patterns that need them.
  struct Entry {
    std::uint32_t node, times, pattern;
  };
  ScratchVector<Entry> entries;
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    if (patterns_[p].rooted) continue;
    const std::size_t end = p + 1 < patterns_.size() ? first_screen_[p + 1] : screens_.size();
    for (std::size_t i = first_screen_[p]; i < end; ++i) entries.push_back({screens_[i].node, screens_[i].times, p});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& x, const Entry& y) {
    return std::tuple(x.node, x.times, x.pattern) < std::tuple(y.node, y.times, y.pattern);
  });
  screen_.clear();
  screened_.clear();
  for (const Entry& entry : entries) {
    const auto at = static_cast<std::uint32_t>(screened_.size());
    if (screen_.empty() || screen_.back().node != entry.node || screen_.back().times != entry.times) {
      screen_.push_back({entry.node, entry.times, at, at});
    }
    screen_.back().end = at + 1;
    screened_.push_back(entry.pattern);
  }
}

// A node that holds wherever this one might, whatever the smallest rings are.
std::uint32_t QuerySet::relaxed(std::uint32_t node) {
  const AtomNode n = nodes_[node];
  const AtomNode any{AtomOp::kAny, Feature::kElement, 0, 0, 0, 0};
  const AtomNode in_ring{AtomOp::kRange, Feature::kRingBonds, 1, kNoUpperEnd, 0, 0};
  switch (n.op) {
    case AtomOp::kRange:
      if (n.feature != Feature::kRings) return node;
      return n.low >= 1 ? node_of(in_ring, 0.3f) : node_of(any, 1.0f);
    case AtomOp::kRingSize:
      return node_of(in_ring, 0.3f);
    case AtomOp::kNot:
      return relaxed(n.a) == n.a ? node : node_of(any, 1.0f);
    case AtomOp::kAnd:
    case AtomOp::kOr: {
      const std::uint32_t a = relaxed(n.a), b = relaxed(n.b);
      return a == n.a && b == n.b ? node : node_of({n.op, Feature::kElement, 0, 0, a, b}, share_[node]);
    }
    case AtomOp::kMatches:
      if (!patterns_[n.a].ring_counts) return node;
      return node_of({AtomOp::kMatches, Feature::kElement, 0, 0, patterns_[n.a].relaxed, 0}, share_[node]);
    default:
      return node;
  }
}

std::uint8_t QuerySet::bond_of(std::uint8_t states) {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    if (bonds_[i] == states) return static_cast<std::uint8_t>(i);
  }
  bonds_.push_back(states);
  return static_cast<std::uint8_t>(bonds_.size() - 1);
}

// The graph of a pattern, in RDKit's order of atoms and bonds, as one number.
std::uint64_t QuerySet::hash_of_pattern(const Pattern& pattern) const {
  std::uint64_t h = pattern.atoms;
  const auto mix = [&](std::uint64_t value) {
    h = (h ^ value) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 32;
  };
  for (unsigned k = 0; k < pattern.atoms; ++k) {
    const PlanStep& step = steps_[pattern.list + k];
    mix(std::uint64_t{step.node} << 16 | std::uint64_t{step.atom} << 8 | step.links);
    for (unsigned i = 0; i < step.links; ++i) {
      mix(static_cast<std::uint64_t>(links_[step.first_link + i].step) << 8 | links_[step.first_link + i].bond);
    }
  }
  return h;
}

bool QuerySet::is_same_pattern(const Pattern& x, const Pattern& y) const {
  if (x.atoms != y.atoms) return false;
  for (unsigned k = 0; k < x.atoms; ++k) {
    const PlanStep &a = steps_[x.list + k], &b = steps_[y.list + k];
    if (a.node != b.node || a.atom != b.atom || a.links != b.links) return false;
    for (unsigned i = 0; i < a.links; ++i) {
      const PlanLink &p = links_[a.first_link + i], &q = links_[b.first_link + i];
      if (p.step != q.step || p.bond != q.bond) return false;
    }
  }
  return true;
}

// Appends the steps of a plan. The links of a step are in the order of its atom's bonds.
void QuerySet::add_plan(const QueryGraph& graph, const std::uint8_t* order, const std::uint32_t* node) {
  std::uint8_t step_of[kMaxQueryAtoms];
  for (unsigned k = 0; k < graph.atoms; ++k) {
    const std::uint8_t atom = order[k];
    PlanStep step{node[atom], static_cast<std::uint32_t>(links_.size()), 0, atom};
    for (unsigned i = 0; i < graph.degree[atom]; ++i) {
      const QueryLink link = graph.link[atom][i];
      for (unsigned j = 0; j < k; ++j) {
        if (order[j] != link.atom) continue;
        links_.push_back({step_of[link.atom], link.bond});
        ++step.links;
      }
    }
    step_of[atom] = static_cast<std::uint8_t>(k);
    steps_.push_back(step);
  }
}

std::uint32_t QuerySet::add_pattern(const QueryGraph& graph, bool rooted) {
  Pattern pattern{};
  pattern.rooted = rooted;
  pattern.atoms = static_cast<std::uint8_t>(graph.atoms);
  pattern.ring = graph.ring;
  pattern.any_ring = graph.any_ring;
  // RDKit places the first atom that has a placed neighbour, or else the first that is left.
  std::uint8_t order[kMaxQueryAtoms];
  bool placed[kMaxQueryAtoms] = {};
  const auto is_near = [&](unsigned atom) {
    for (unsigned i = 0; i < graph.degree[atom]; ++i) {
      if (placed[graph.link[atom][i].atom]) return true;
    }
    return false;
  };
  for (unsigned k = 0; k < graph.atoms; ++k) {
    unsigned next = kMaxQueryAtoms, first = kMaxQueryAtoms;
    for (unsigned a = graph.atoms; a-- > 0;) {
      if (placed[a]) continue;
      first = a;
      if (is_near(a)) next = a;
    }
    if (next == kMaxQueryAtoms) {
      pattern.parts = pattern.parts || k != 0;
      next = first;
    }
    placed[next] = true;
    order[k] = static_cast<std::uint8_t>(next);
  }
  pattern.list = static_cast<std::uint32_t>(steps_.size());
  const std::size_t links = links_.size();
  add_plan(graph, order, graph.node);
  const std::size_t known = patterns_.size();
  const std::uint32_t number = find_or_make(
      pattern_slots_, known, hash_of_pattern(pattern), [&](std::size_t i) { return hash_of_pattern(patterns_[i]); },
      [&](std::size_t i) { return patterns_[i].rooted == rooted && is_same_pattern(patterns_[i], pattern); },
      [&] { patterns_.push_back(pattern); });
  if (number < known) {
    steps_.resize(pattern.list);
    links_.resize(links);
    return number;
  }

  // The rarest atom (a recursive query: the first), then always the rarest that closes a ring, or else has a placed
  // neighbour.
  for (bool& p : placed) p = false;
  for (unsigned k = 0; k < graph.atoms; ++k) {
    unsigned next = kMaxQueryAtoms;
    float best = 0;
    for (unsigned a = 0; a < graph.atoms; ++a) {
      if (placed[a]) continue;
      unsigned near = 0;
      for (unsigned i = 0; i < graph.degree[a]; ++i) near += placed[graph.link[a][i].atom];
      const float value = share_[graph.node[a]] + (near == 0 ? 100.0f : near == 1 ? 1.0f : 0.0f);
      if (next == kMaxQueryAtoms || value < best) next = a, best = value;
      if (rooted && k == 0) break;
    }
    placed[next] = true;
    order[k] = static_cast<std::uint8_t>(next);
  }
  pattern.search = static_cast<std::uint32_t>(steps_.size());
  pattern.centre = centre_of_star(graph, rooted, pattern.star);
  if (graph.any_ring) pattern.centre = graph.ring_node;
  std::uint32_t refined[kMaxQueryAtoms];
  for (unsigned a = 0; a < graph.atoms; ++a) {
    // What a recursive query finds out about other atoms than its first is not asked for often enough.
    refined[a] = rooted && a != order[0] ? graph.node[a] : with_neighbours(graph, a);
  }
  add_plan(graph, order, refined);

  pattern.first_need = static_cast<std::uint32_t>(needs_.size());
  first_screen_.resize(patterns_.size());
  first_screen_[number] = static_cast<std::uint32_t>(screens_.size());
  const auto need = [&](std::uint32_t node, std::size_t first) {
    if (is_eager(node)) {
      add_need(screens_, node, first_screen_[number]);
    } else {
      add_need(needs_, node, first);
    }
  };
  if (pattern.star) {
    need(pattern.centre, pattern.first_need);
    for (unsigned a = 0; a < graph.atoms && graph.atoms > 1; ++a) {
      if (is_eager(graph.node[a])) need(graph.node[a], 0);
    }
  } else {
    for (unsigned a = 0; a < graph.atoms; ++a) need(graph.node[a], pattern.first_need);
    const std::size_t rest = needs_.size();
    for (unsigned a = 0; a < graph.atoms; ++a) {
      if (refined[a] != graph.node[a]) need(refined[a], rest);
    }
  }
  pattern.needs = static_cast<std::uint32_t>(needs_.size()) - pattern.first_need;

  // Whether a node below asks about smallest rings.
  ScratchVector<std::uint32_t> open(graph.node, graph.node + graph.atoms);
  for (std::size_t i = 0; i < open.size() && !pattern.ring_counts; ++i) {
    const AtomNode n = nodes_[open[i]];
    if (n.op == AtomOp::kRingSize || (n.op == AtomOp::kRange && n.feature == Feature::kRings)) {
      pattern.ring_counts = true;
    }
    if (n.op == AtomOp::kMatches) pattern.ring_counts = pattern.ring_counts || patterns_[n.a].ring_counts;
    if (n.op == AtomOp::kAnd || n.op == AtomOp::kOr || n.op == AtomOp::kNot) open.push_back(n.a);
    if (n.op == AtomOp::kAnd || n.op == AtomOp::kOr) open.push_back(n.b);
  }
  patterns_[number] = pattern;
  if (pattern.ring_counts) {
    const Scratch<QueryGraph> room(1);
    QueryGraph& copy = *new (room.get()) QueryGraph(graph);
    for (unsigned a = 0; a < graph.atoms; ++a) copy.node[a] = relaxed(graph.node[a]);
    copy.ring_node = relaxed(graph.ring_node);
    patterns_[number].relaxed = add_pattern(copy, rooted);
  }
  return number;
}

QueryTables QuerySet::tables() const {
  return {nodes_.data(),
          bonds_.data(),
          patterns_.data(),
          steps_.data(),
          links_.data(),
          needs_.data(),
          runs_.data(),
          eager_.data(),
          screen_.data(),
          screened_.data(),
          static_cast<std::uint32_t>(runs_.size()),
          static_cast<std::uint32_t>(screen_.size()),
          static_cast<std::uint32_t>(nodes_.size()),
          static_cast<std::uint32_t>(bonds_.size()),
          static_cast<std::uint32_t>(patterns_.size()),
          features_,
          ring_sizes_};
}

class SmartsReader {
 public:
  SmartsReader(QuerySet& set, std::string_view text) : set_(set), text_(text) {}

  SmartsResult read() {
    QueryGraph graph;
    const bool good = read_pattern(graph, 0) && at_ == text_.size();
    SmartsResult result{good ? SmartsStatus::kCompiled : status_, static_cast<std::int64_t>(at_), 0, graph.atoms};
    if (good) result.pattern = set_.add_pattern(graph, false);
    return result;
  }

 private:
  static constexpr int kUnwritten = -1;

  enum class Last : std::uint8_t { kNothing, kAtom, kBranchEnd, kBond, kBranchStart, kDot };

  struct Ring {
    bool open;
    std::uint8_t atom;
    int states;  // kUnwritten if the bond is not
  };
  struct Closure {
    std::uint8_t number, a, b, states;
  };

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool fail(SmartsStatus status = SmartsStatus::kSyntax) {
    status_ = status;
    return false;
  }

  void link(QueryGraph& graph, unsigned a, unsigned b, std::uint8_t states) {
    const std::uint8_t bond = set_.bond_of(states);
    graph.link[a][graph.degree[a]++] = {static_cast<std::uint8_t>(b), bond};
    graph.link[b][graph.degree[b]++] = {static_cast<std::uint8_t>(a), bond};
  }

  // Atoms up to the end of the text, or of a recursive query, whose ')' is not taken.
  bool read_pattern(QueryGraph& graph, int nesting) {
    std::uint8_t branch[kMaxQueryAtoms];
    unsigned depth = 0;
    Ring rings[kMaxRingNumber] = {};
    Closure closures[kMaxQueryAtoms];
    unsigned closed = 0, open_rings = 0;
    unsigned current = kMaxQueryAtoms;
    int states = kUnwritten;
    Last last = Last::kNothing;
    for (;;) {
      const char c = peek();
      if (c == '\0' && at_ < text_.size()) return fail();
      if (c == '\0' || (c == ')' && depth == 0 && nesting > 0)) break;
      const bool after_atom = last == Last::kAtom || last == Last::kBranchEnd;
      if (c == '(') {
        if (!after_atom) return fail();
        if (depth == kMaxQueryAtoms) return fail(SmartsStatus::kSize);
        branch[depth++] = static_cast<std::uint8_t>(current);
        last = Last::kBranchStart;
        ++at_;
      } else if (c == ')') {
        if (!after_atom || depth == 0) return fail();
        current = branch[--depth];
        last = Last::kBranchEnd;
        ++at_;
      } else if (c == '.') {
        if (!after_atom || depth != 0) return fail();
        last = Last::kDot;
        ++at_;
      } else if ((c >= '0' && c <= '9') || c == '%') {
        if (!after_atom && !(last == Last::kBond && !in_branch_start_)) return fail();
        unsigned number = static_cast<unsigned>(c - '0');
        if (c == '%') {
          if (peek(1) < '1' || peek(1) > '9' || peek(2) < '0' || peek(2) > '9') return fail();
          number = static_cast<unsigned>(10 * (peek(1) - '0') + (peek(2) - '0'));
          at_ += 2;
        }
        Ring& ring = rings[number];
        if (ring.open) {
          if (ring.atom == current || closed == kMaxQueryAtoms) return fail();
          if (ring.states >= 0 && states >= 0 && ring.states != states) return fail();
          for (unsigned i = 0; i < graph.degree[current]; ++i) {
            if (graph.link[current][i].atom == ring.atom) return fail();
          }
          for (unsigned i = 0; i < closed; ++i) {
            const Closure& other = closures[i];
            if ((other.a == current && other.b == ring.atom) || (other.b == current && other.a == ring.atom)) {
              return fail();
            }
          }
          closures[closed++] = {static_cast<std::uint8_t>(number), ring.atom, static_cast<std::uint8_t>(current),
                                written(ring.states >= 0 ? ring.states : states)};
          --open_rings;
        } else {
          ring.atom = static_cast<std::uint8_t>(current);
          ring.states = states;
          ++open_rings;
        }
        ring.open = !ring.open;
        states = kUnwritten;
        last = Last::kAtom;
        ++at_;
      } else if (is_bond_start(c)) {
        if (!after_atom && last != Last::kBranchStart) return fail();
        in_branch_start_ = last == Last::kBranchStart;
        std::uint8_t bond = 0;
        if (!read_bond(bond)) return false;
        states = bond;
        last = Last::kBond;
      } else {
        if (graph.atoms == kMaxQueryAtoms) return fail(SmartsStatus::kSize);
        std::uint32_t node = 0;
        if (!read_atom(node, nesting)) return false;
        const unsigned atom = graph.atoms++;
        graph.node[atom] = node;
        graph.degree[atom] = 0;
        if (last != Last::kNothing && last != Last::kDot) {
          link(graph, current, atom, written(states));
        }
        states = kUnwritten;
        current = atom;
        last = Last::kAtom;
      }
    }
    if ((last != Last::kAtom && last != Last::kBranchEnd) || depth != 0 || open_rings != 0) return fail();
    // RDKit adds the bonds that close rings last, by ring number.
    for (unsigned number = 0; number < kMaxRingNumber && closed != 0; ++number) {
      for (unsigned i = 0; i < closed; ++i) {
        if (closures[i].number == number) link(graph, closures[i].a, closures[i].b, closures[i].states);
      }
    }
    if (closed != 0) narrow_rings(graph, closed == 1, nesting > 0);
    return true;
  }

  // What a ring of the pattern asks of its image: bonds in rings, and as many atoms in one ring system.
  void narrow_rings(QueryGraph& graph, bool is_only, bool rooted) {
    std::uint64_t ring[kMaxQueryAtoms] = {};  // neighbours by bonds in rings
    for (unsigned a = 0; a < graph.atoms; ++a) {
      for (unsigned i = 0; i < graph.degree[a]; ++i) {
        const unsigned b = graph.link[a][i].atom;
        std::uint64_t near[kMaxQueryAtoms] = {};  // all others
        for (unsigned c = 0; c < graph.atoms; ++c) {
          for (unsigned k = 0; k < graph.degree[c]; ++k) near[c] |= std::uint64_t{1} << graph.link[c][k].atom;
        }
        near[a] &= ~(std::uint64_t{1} << b);
        near[b] &= ~(std::uint64_t{1} << a);
        if ((reached(near, a) >> b & 1) == 0) continue;
        ring[a] |= std::uint64_t{1} << b;
        std::uint8_t& bond = graph.link[a][i].bond;
        bond = set_.bond_of(static_cast<std::uint8_t>(set_.bonds_[bond] & kRingBond));
      }
    }
    const AtomNode in_ring{AtomOp::kRange, Feature::kRingBonds, 1, kNoUpperEnd, 0, 0};
    graph.any_ring = std::popcount(reached(ring, 0)) == static_cast<int>(graph.atoms);
    graph.ring_node = any();
    for (unsigned a = 0; a < graph.atoms; ++a) {
      const AtomNode& node = set_.nodes_[graph.node[a]];
      const bool is_any = node.op == AtomOp::kAny || is_equal(node, in_ring);
      // The one that is not any atom is the first in a recursive query.
      const bool may_be_other = set_.nodes_[graph.ring_node].op == AtomOp::kAny && (a == 0 || !rooted);
      if (!is_any) graph.ring_node = graph.node[a];
      graph.any_ring = graph.any_ring && graph.degree[a] == 2 && (is_any || may_be_other);
      for (unsigned i = 0; i < graph.degree[a]; ++i) {
        graph.any_ring = graph.any_ring && set_.bonds_[graph.link[a][i].bond] == kRingBond;
      }
    }
    for (unsigned a = 0; a < graph.atoms; ++a) {
      const int system = std::popcount(reached(ring, a));
      if (is_only && system > 1) graph.ring = static_cast<std::uint8_t>(system);
      if (system > kUsualRing)
        graph.node[a] = set_.both(graph.node[a], range(Feature::kRingSystem, system, kNoUpperEnd));
    }
  }

  // The atoms that lead to `atom`, as a set.
  static std::uint64_t reached(const std::uint64_t* near, unsigned atom) {
    std::uint64_t seen = std::uint64_t{1} << atom, border = seen;
    while (border != 0) {
      const std::uint64_t next = near[std::countr_zero(border)] & ~seen;
      border = (border & (border - 1)) | next;
      seen |= next;
    }
    return seen;
  }

  static std::uint8_t written(int states) {
    return states >= 0 ? static_cast<std::uint8_t>(states) : kSingleOrAromatic;
  }

  static bool is_bond_start(char c) {
    return c == '-' || c == '=' || c == '#' || c == ':' || c == '~' || c == '@' || c == '/' || c == '\\' || c == '!';
  }

  bool read_bond_primitive(std::uint8_t& states) {
    bool negated = false;
    while (take('!')) negated = !negated;
    switch (peek()) {
      case '-':
        if (peek(1) == '>') return fail();
        states = kSingleBond;
        break;
      case '=':
        states = kDoubleBond;
        break;
      case '#':
        states = kTripleBond;
        break;
      case ':':
        states = kAromaticBond;
        break;
      case '~':
        if (negated) return fail();
        states = kAnyBond;
        break;
      case '@':
        states = kRingBond;
        break;
      case '\\':
        if (peek(1) == '\\') ++at_;
        [[fallthrough]];
      case '/':
        states = kSingleOrAromatic;
        break;
      default:
        return fail();
    }
    ++at_;
    if (negated) states = static_cast<std::uint8_t>(~states);
    return true;
  }

  // Adjacent primitives, then '&', ',', ';': each level is the next with another operator.
  bool read_bond(std::uint8_t& states, int level = 0) {
    constexpr char operators[] = ";,&";
    if (level == 3) {
      if (!read_bond_primitive(states)) return false;
      while (is_bond_start(peek())) {
        std::uint8_t more = 0;
        if (!read_bond_primitive(more)) return false;
        states &= more;
      }
      return true;
    }
    if (!read_bond(states, level + 1)) return false;
    while (take(operators[level])) {
      std::uint8_t more = 0;
      if (!read_bond(more, level + 1)) return false;
      states = level == 1 ? states | more : states & more;
    }
    return true;
  }

  std::uint32_t range(Feature feature, int low, int high) {
    return set_.node_of(
        {AtomOp::kRange, feature, static_cast<std::int16_t>(low), static_cast<std::int16_t>(high), 0, 0},
        share_of(feature, low, high));
  }
  std::uint32_t type(unsigned element, bool aromatic) {
    const int value = static_cast<int>(element) + (aromatic ? 256 : 0);
    return range(Feature::kType, value, value);
  }
  std::uint32_t any() { return set_.node_of({AtomOp::kAny, Feature::kElement, 0, 0, 0, 0}, 1.0f); }
  std::uint32_t either(std::uint32_t a, std::uint32_t b) {
    const float share = set_.share_[a] + set_.share_[b];
    return a == b ? a : set_.node_of({AtomOp::kOr, Feature::kElement, 0, 0, a, b}, share < 1 ? share : 1.0f);
  }
  std::uint32_t negation(std::uint32_t a) {
    return set_.node_of({AtomOp::kNot, Feature::kElement, 0, 0, a, 0}, 1.01f - set_.share_[a]);
  }

  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }
  // RDKit's numbers: 0, or digits that do not begin with 0.
  bool read_number(int& number) {
    if (!at_digit()) return fail();
    number = 0;
    if (take('0')) return true;
    while (at_digit()) {
      number = 10 * number + (text_[at_++] - '0');
      if (number > 10000) return fail(SmartsStatus::kSize);
    }
    return true;
  }

  // An atom outside brackets, or what is in them.
  bool read_atom(std::uint32_t& node, int nesting) {
    if (!take('[')) {
      const char c = peek();
      if (c == '*' || c == 'a' || c == 'A') {
        ++at_;
        node = c == '*' ? any() : range(Feature::kAromatic, c == 'a', c == 'a');
        return true;
      }
      return read_organic(node);
    }
    const std::size_t start = at_;
    if (!read_hydrogen_atom(node)) {
      at_ = start;
      status_ = SmartsStatus::kSyntax;
      terms_ = 0;
      if (!read_expression(node, nesting, 0)) return false;
    }
    if (take(':')) {
      int number = 0;
      if (!read_number(number)) return false;
    }
    return take(']') || fail();
  }

  // B C N O P S F Cl Br I, b c n o p s.
  bool read_organic(std::uint32_t& node) {
    const char c = peek(), next = peek(1);
    if ((c == 'C' && next == 'l') || (c == 'B' && next == 'r')) {
      at_ += 2;
      node = type(c == 'C' ? 17 : 35, false);
      return true;
    }
    constexpr char symbols[] = "BCNOFPSIbcnops";
    constexpr std::uint8_t elements[] = {5, 6, 7, 8, 9, 15, 16, 53, 5, 6, 7, 8, 15, 16};
    for (unsigned i = 0; i < sizeof(elements); ++i) {
      if (c != symbols[i]) continue;
      ++at_;
      node = type(elements[i], c >= 'a');
      return true;
    }
    return fail();
  }

  // [H], with an isotope, a charge and a map number, is a hydrogen atom; "H" anywhere else counts hydrogens.
  bool read_hydrogen_atom(std::uint32_t& node) {
    int isotope = -1, charge = 0;
    if (at_digit() && !read_number(isotope)) return false;
    if (!take('H')) return false;
    node = range(Feature::kElement, 1, 1);
    if (isotope >= 0) node = set_.both(node, range(Feature::kIsotope, isotope, isotope));
    if (peek() == '+' || peek() == '-') {
      if (!read_charge(charge)) return false;
      node = set_.both(node, range(Feature::kCharge, charge, charge));
    }
    return peek() == ']' || peek() == ':';
  }

  bool read_charge(int& charge) {
    const char sign = text_[at_++];
    charge = 1;
    if (take(sign)) {
      charge = 2;
    } else if (at_digit() && !read_number(charge)) {
      return false;
    }
    if (sign == '-') charge = -charge;
    return true;
  }

  bool read_expression(std::uint32_t& node, int nesting, int level) {
    constexpr char operators[] = ";,&";
    if (level == 3) {
      if (!read_negations(node, nesting)) return false;
      for (char c = peek(); c != ']' && c != ';' && c != ',' && c != '&' && c != ':' && c != '\0'; c = peek()) {
        std::uint32_t more = 0;
        if (!read_negations(more, nesting)) return false;
        node = set_.both(node, more);
      }
      return true;
    }
    if (!read_expression(node, nesting, level + 1)) return false;
    while (take(operators[level])) {
      std::uint32_t more = 0;
      if (!read_expression(more, nesting, level + 1)) return false;
      node = level == 1 ? either(node, more) : set_.both(node, more);
    }
    return true;
  }

  bool read_negations(std::uint32_t& node, int nesting) {
    if (++terms_ > kMaxTerms) return fail(SmartsStatus::kSize);
    bool negated = false;
    while (take('!')) negated = !negated;
    if (negated && (peek() == '@' || peek() == '*')) return fail();
    negated_ = negated;
    if (!read_primitive(node, nesting)) return false;
    if (negated) node = negation(node);
    return true;
  }

  // "{-3}", "{2-}" or "{2-3}".
  bool read_range(int& low, int& high, int lowest) {
    low = lowest;
    high = kNoUpperEnd;
    if (!take('{')) return fail();
    if (peek() != '-' && !read_number(low)) return false;
    const bool open_below = text_[at_ - 1] == '{';
    if (!take('-')) return fail();
    if (peek() != '}' && !read_number(high)) return false;
    if (open_below && high == kNoUpperEnd) return fail();
    return (low <= high && take('}')) || fail();
  }

  // A letter with an optional number or range: alone it means `alone`, or any number from 1 on if that is 0.
  bool read_counted(std::uint32_t& node, Feature feature, int alone) {
    ++at_;
    int low = 1, high = alone != 0 ? alone : kNoUpperEnd;
    if (alone != 0) low = alone;
    if (peek() == '{') {
      if (!read_range(low, high, 0)) return false;
    } else if (at_digit()) {
      if (!read_number(low)) return false;
      high = low;
    }
    const bool of_rings = feature == Feature::kRings || feature == Feature::kSmallestRing;
    if (of_rings && (low == 0 || high == kNoUpperEnd) && (low == 1 || high == 0)) {
      feature = Feature::kRingBonds;  // in a ring or not, which does not need the smallest rings
    }
    node = range(feature, low, high);
    return true;
  }

  bool read_primitive(std::uint32_t& node, int nesting) {
    const char c = peek(), next = peek(1);
    if (at_digit()) {
      int isotope = 0;
      if (!read_number(isotope)) return false;
      node = range(Feature::kIsotope, isotope, isotope);
      const char after = peek();
      const bool letter = (after >= 'A' && after <= 'Z') || (after >= 'a' && after <= 'z');
      if (after != '*' && after != '#' && !letter) return true;
      // An isotope and a symbol are one term, other letters are terms of their own: "!" tells, and is left to RDKit.
      if (negated_) return fail();
      std::uint32_t more = 0;
      if (!read_primitive(more, nesting)) return false;
      node = set_.both(more, node);
      return true;
    }
    switch (c) {
      case '*':
        ++at_;
        node = any();
        return true;
      case '#': {
        ++at_;
        int element = 0;
        if (!read_number(element)) return false;
        if (element > 118) return fail();
        node = range(Feature::kElement, element, element);
        return true;
      }
      case '$':
        return read_recursion(node, nesting);
      case '^': {
        if (next < '0' || next > '5') return fail();
        at_ += 2;
        node = range(Feature::kHybridization, next - '0', next - '0');
        return true;
      }
      case '@':
        ++at_;
        take('@');
        if (peek() == '@' || peek() == '?' || is_chiral_class()) return fail();
        node = any();  // matches do not depend on chirality unless it is asked for
        return true;
      case '+':
      case '-': {
        if (next == '{') {
          ++at_;
          int low = 0, high = 0;
          if (!read_range(low, high, -kNoUpperEnd)) return false;
          node = c == '+' ? range(Feature::kCharge, low, high) : range(Feature::kCharge, -high, -low);
          return true;
        }
        int charge = 0;
        if (!read_charge(charge)) return false;
        node = range(Feature::kCharge, charge, charge);
        return true;
      }
      default:
        return c >= 'a' ? read_lower(node) : read_upper(node);
    }
  }

  bool is_chiral_class() const {
    const char pair[] = {peek(), peek(1), '\0'};
    for (const char* known : {"TH", "AL", "SP", "TB", "OH"}) {
      if (pair[0] == known[0] && pair[1] == known[1]) return true;
    }
    return false;
  }

  bool read_lower(std::uint32_t& node) {
    const char c = peek(), next = peek(1);
    const unsigned pair = c == 's' && next == 'i'   ? 14
                          : c == 'a' && next == 's' ? 33
                          : c == 's' && next == 'e' ? 34
                          : c == 't' && next == 'e' ? 52
                                                    : 0;
    if (pair != 0) {
      at_ += 2;
      node = type(pair, true);
      return true;
    }
    switch (c) {
      case 'a':
        ++at_;
        node = range(Feature::kAromatic, 1, 1);
        return true;
      case 'd':
        return read_counted(node, Feature::kHeavyDegree, 1);
      case 'x':
        return read_counted(node, Feature::kRingBonds, 0);
      case 'v':
        return read_counted(node, Feature::kValence, 1);
      case 'h':
        return read_counted(node, Feature::kHydrogensWithoutAtoms, 0);
      case 'z':
        return read_counted(node, Feature::kHeteroNeighbours, 0);
      case 'r':
        return read_counted(node, Feature::kSmallestRing, 0);
      case 'k': {
        ++at_;
        if (peek() == '{') return fail();
        if (!at_digit()) {
          node = range(Feature::kRingBonds, 1, kNoUpperEnd);
          return true;
        }
        int size = 0;
        if (!read_number(size)) return false;
        if (size > static_cast<int>(kMaxRingSizeBit)) return fail(SmartsStatus::kSize);
        node = set_.node_of({AtomOp::kRingSize, Feature::kElement, static_cast<std::int16_t>(size), 0, 0, 0}, 0.3f);
        return true;
      }
      default:
        return read_organic(node);
    }
  }

  bool read_upper(std::uint32_t& node) {
    const char c = peek(), next = peek(1);
    if (c < 'A' || c > 'Z') return fail();
    if (next >= 'a' && next <= 'z') {
      const unsigned element = element_of(c, next);
      // The newest names are not in the grammar of all versions of RDKit.
      if (element == 113 || element == 115 || element == 117 || element == 118) return fail();
      if (element == 17 || element == 35) return read_organic(node);
      if (element != 0) {
        at_ += 2;
        node = range(Feature::kElement, static_cast<int>(element), static_cast<int>(element));
        return true;
      }
    }
    switch (c) {
      case 'A':
        ++at_;
        node = range(Feature::kAromatic, 0, 0);
        return true;
      case 'D':
        return read_counted(node, Feature::kDegree, 1);
      case 'X':
        return read_counted(node, Feature::kConnections, 1);
      case 'R':
        return read_counted(node, Feature::kRings, 0);
      case 'Z':
        return read_counted(node, Feature::kAliphaticHeteroNeighbours, 0);
      case 'H': {
        ++at_;
        int count = 1;
        if (at_digit() && !read_number(count)) return false;
        node = range(Feature::kHydrogens, count, count);
        return true;
      }
      case 'K':
      case 'V':
      case 'Y':
      case 'W':
      case 'U': {
        ++at_;
        const auto element = static_cast<int>(element_of(c, '\0'));
        node = range(Feature::kElement, element, element);
        return true;
      }
      default:
        return read_organic(node);
    }
  }

  bool read_recursion(std::uint32_t& node, int nesting) {
    if (peek(1) != '(') return fail();
    if (nesting == kMaxNesting) return fail(SmartsStatus::kSize);
    at_ += 2;
    // The graph of a pattern takes kilobytes; they are not on the stack, where they would add up.
    const Scratch<QueryGraph> room(1);
    QueryGraph* graph = new (room.get()) QueryGraph;
    const int terms = terms_;
    const bool branch_start = in_branch_start_;
    if (!read_pattern(*graph, nesting + 1)) return false;
    terms_ = terms;
    in_branch_start_ = branch_start;
    if (!take(')') || peek() == '_') return fail();
    float rarest = 1;
    for (unsigned a = 0; a < graph->atoms; ++a) {
      const float share = set_.share_[graph->node[a]];
      if (share < rarest) rarest = share;
    }
    const float first = set_.share_[graph->node[0]];
    const std::uint32_t pattern = set_.add_pattern(*graph, true);
    node =
        set_.node_of({AtomOp::kMatches, Feature::kElement, 0, 0, pattern, 0}, first < 3 * rarest ? first : 3 * rarest);
    return true;
  }

  QuerySet& set_;
  std::string_view text_;
  std::size_t at_ = 0;
  SmartsStatus status_ = SmartsStatus::kSyntax;
  int terms_ = 0;
  bool negated_ = false;          // the term that is read
  bool in_branch_start_ = false;  // the bond that was read follows '(': no ring number may follow it
};

SmartsResult QuerySet::add(std::string_view smarts) {
  return SmartsReader(*this, smarts).read();
}

}  // namespace catalase
