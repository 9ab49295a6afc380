// Chirality tags and the E and Z of double bonds, as RDKit's Mol has them after it has read a SMILES: the marks of the
// text, without those on atoms that RDKit does not take for centres. RDKit's legacy perception, which is its default.
//
// An atom keeps its tag if its neighbours have different ranks, or if it is one of several such atoms of a ring system
// whose ring neighbours tie (1,4-dimethylcyclohexane). A double bond has a label if bonds at both of its ends have
// directions, and the neighbours at each end have different ranks. Ranks are Labute's: atoms are ordered by element, and
// then again and again by the list of their neighbours' ranks, each as often as twice the bond's order, in descending
// order, with a zero for each hydrogen (Labute, J. Chem. Comput. Group, 1996). A finer order never exchanges atoms that
// are ordered already. So usually a round or two decide about all marks; only if marks are left when nothing changes any
// more do the labels R, S, E and Z found so far order the tied atoms further, as in RDKit.
//
// A tag is relative to the order of the atom's bonds in RDKit: those of the tree of the SMILES, then ring closures by
// ring number. The text has parent, hydrogen, ring digits and branches; each exchange of two of them turns the tag.
#pragma once

#include "molecule/facts.h"
#include "molecule/large_molecule.h"
#include "molecule/molecule.h"
#include "molecule/ring_set.h"
#include "molecule/rings.h"
#include "molecule/stereo_centre.h"

namespace catalase {
namespace {

enum ChiralTag : u8 { kNoTag, kClockwiseTag, kCounterclockwiseTag };  // RDKit's numbers
enum BondStereo : u8 { kNoStereo = 0, kBondZ = 2, kBondE = 3 };       // likewise

constexpr unsigned kMinStereoRing = 8;  // double bonds in smaller rings have no label
constexpr unsigned kMostBonds = 24;     // twice the bond orders and hydrogens of an atom that is ranked

struct Stereo {
  using Number = Molecule::Number;  // of atoms, bonds and ranks
  static constexpr unsigned kRankBits = 8;

  u8 tag[256];         // of atoms
  bool untagged[256];  // the tag was removed as that of no centre; RDKit then makes a written hydrogen an implicit one
  u8 bond[256];        // E and Z
  u32 place[256];      // of bonds, in RDKit's order

  // Work space.
  u8 direction[256], label[256];                 // label: 2 for R, 1 for S
  Number rank[256], next_rank[256], order[256];  // order: the atoms by rank
  Number tagged[256], doubles[256];              // atoms and bonds that are not decided
  u64 key[256][kMostBonds / (64 / kRankBits) + 1];
  unsigned ranks, rounds;
  bool stable;
};

constexpr unsigned kMaxRanked = 1024;  // atoms of a larger molecule are not ranked: time grows with their square

// The same for a large molecule.
struct LargeStereo {
  using Number = std::uint16_t;
  static constexpr unsigned kRankBits = 16;

  LargeStereo(const WorkMemory& memory, const LargeMolecule& m)
      : bytes(memory, 5 * std::size_t{m.room}),
        places(memory, m.room),
        numbers(memory, 5 * std::size_t{kMaxRanked}),
        keys(memory, kMaxRanked) {
    tag = bytes.get();
    bond = tag + m.room;
    direction = bond + m.room;
    label = direction + m.room;
    untagged = label + m.room;
    place = places.get();
    rank = numbers.get();
    next_rank = rank + kMaxRanked;
    order = next_rank + kMaxRanked;
    tagged = order + kMaxRanked;
    doubles = tagged + kMaxRanked;
    key = keys.get();
  }

  Block<u8> bytes;
  Block<u32> places;
  Block<Number> numbers;
  Block<u64[kMostBonds / (64 / kRankBits) + 1]> keys;
  u8 *tag, *bond, *direction, *label, *untagged;
  u32* place;
  Number *rank, *next_rank, *order, *tagged, *doubles;
  u64 (*key)[kMostBonds / (64 / kRankBits) + 1];
  unsigned ranks, rounds;
  bool stable;
};

// The numbers of all bonds in RDKit's order, increasing but not consecutive: ring closures by ring number.
template <class M>
void find_places(const M& m, u32* place) {
  for (unsigned b = 0; b < m.atoms; ++b) place[b] = b;
  if (m.closures <= 8) {
    for (unsigned k = 0; k < m.closures; ++k) {
      unsigned before = k;
      for (unsigned j = 0; j < k; ++j) before -= m.closure[j].ring > m.closure[k].ring;
      for (unsigned j = k + 1; j < m.closures; ++j) before += m.closure[j].ring < m.closure[k].ring;
      place[m.atoms + k] = m.atoms + before;
    }
    return;
  }
  u32 start[101];
  __builtin_memset(start, 0, sizeof(start));
  for (unsigned k = 0; k < m.closures; ++k) ++start[m.closure[k].ring + 1];
  start[0] = m.atoms;
  for (unsigned ring = 1; ring <= 100; ++ring) start[ring] += start[ring - 1];
  for (unsigned k = 0; k < m.closures; ++k) place[m.atoms + k] = start[m.closure[k].ring]++;
}

inline unsigned exchanges(const u32* list, unsigned n) {
  unsigned count = 0;
  for (unsigned i = 1; i < n; ++i) {
    for (unsigned j = 0; j < i; ++j) count += list[j] > list[i];
  }
  return count;
}

// The tag of an atom with an '@', relative to RDKit's order of its bonds; kNoTag if it is not known.
template <class M>
ChiralTag tag_of(const M& m, unsigned a, const u32* place) {
  constexpr u32 kHydrogenPlace = ~0u;
  const Atom& atom = m.atom[a];
  const bool taken = (atom.flags & kTaken) != 0;
  if (taken && m.taken_before[a] == M::kNone) return kNoTag;
  u32 list[2 * kMaxDegree];
  unsigned n = 0;
  bool hydrogen_left = taken;
  const bool first = m.begin[a] == M::kNone && !(taken && m.taken_before[a] == 0);
  if (m.begin[a] != M::kNone) list[n++] = place[a];
  if (hydrogen_left && m.taken_before[a] == 0) list[n++] = kHydrogenPlace, hydrogen_left = false;
  struct Digit {
    unsigned serial, bond;
  };
  Digit digit[kMaxDegree];
  unsigned digits = 0;
  for (unsigned i = 0; i < atom.degree; ++i) {
    const unsigned bond = m.bond[a][i];
    if (bond < m.atoms) continue;
    const Closure& c = m.closure[bond - m.atoms];
    const Digit found{m.begin[bond] == a ? c.opened : c.closed, bond};
    unsigned j = digits++;
    for (; j > 0 && digit[j - 1].serial > found.serial; --j) digit[j] = digit[j - 1];
    digit[j] = found;
  }
  for (unsigned i = 0; i < digits; ++i) list[n++] = place[digit[i].bond];
  for (unsigned i = 0; i < atom.degree; ++i) {  // branches are in the order of the text
    const unsigned bond = m.bond[a][i];
    if (bond >= m.atoms || bond == a) continue;
    if (hydrogen_left && m.taken_before[a] <= bond) list[n++] = kHydrogenPlace, hydrogen_left = false;
    list[n++] = place[bond];
  }
  if (hydrogen_left) list[n++] = kHydrogenPlace;
  unsigned swaps = exchanges(list, n);
  if (n == 3) {
    bool saturated = true;
    for (unsigned i = 0; i < atom.degree; ++i) saturated = saturated && m.order[m.bond[a][i]] == kSingle;
    const bool written = atom.hydrogens - taken == 1;
    swaps += written ? first : digits == 1 && saturated;
  }
  return ((atom.flags & kClockwise) != 0) == (swaps % 2 == 0) ? kClockwiseTag : kCounterclockwiseTag;
}

// Sets ranks from the sorted order, where same(a, b) tells whether neighbours in it are equal.
template <class M, class S, class Same>
void number_ranks(const M& m, S& s, Same&& same) {
  unsigned rank = 0;
  for (unsigned i = 0; i < m.atoms; ++i) {
    rank += i != 0 && !same(s.order[i - 1], s.order[i]);
    s.next_rank[s.order[i]] = static_cast<typename S::Number>(rank);
  }
  __builtin_memcpy(s.rank, s.next_rank, m.atoms * sizeof(*s.rank));
  s.ranks = rank + 1;
}

template <class M, class S>
void rank_elements(const M& m, S& s) {
  std::uint16_t start[128];
  __builtin_memset(start, 0, sizeof(start));
  for (unsigned a = 0; a < m.atoms; ++a) ++start[m.atom[a].element];
  std::uint16_t before = 0;
  for (std::uint16_t& count : start) {
    const std::uint16_t here = count;
    count = before;
    before = static_cast<std::uint16_t>(before + here);
  }
  for (unsigned a = 0; a < m.atoms; ++a) s.order[start[m.atom[a].element]++] = static_cast<typename S::Number>(a);
  number_ranks(m, s, [&](unsigned a, unsigned b) { return m.atom[a].element == m.atom[b].element; });
  s.rounds = 0;
  s.stable = s.ranks == m.atoms;
}

// RDKit counts a neighbour as often as twice the bond's order, but phosphorus at a double bond once.
template <class M>
unsigned times_ranked(const M& m, unsigned bond, unsigned b) {
  static constexpr u8 twice[] = {0, 2, 4, 6, 3};
  const bool phosphorus = m.order[bond] == kDouble && m.atom[b].element == 15;
  return phosphorus && m.atom[b].degree >= 3 && m.atom[b].degree <= 4 ? 1 : twice[m.order[bond]];
}

// The list of the ranks of an atom's neighbours, from the most significant bits on, and its length.
template <class M, class S>
bool make_key(const M& m, unsigned a, S& s) {
  constexpr unsigned each = 64 / S::kRankBits, words = kMostBonds / each;  // ranks a word
  u64* key = s.key[a];
  u8 near[kMaxDegree];  // slots by descending rank
  const unsigned degree = m.atom[a].degree;
  for (unsigned i = 0; i < degree; ++i) {
    const unsigned r = s.rank[m.neighbour[a][i]];
    unsigned j = i;
    for (; j > 0 && s.rank[m.neighbour[a][near[j - 1]]] < r; --j) near[j] = near[j - 1];
    near[j] = static_cast<u8>(i);
  }
  for (unsigned w = 0; w < words; ++w) key[w] = 0;
  unsigned n = 0;
  for (unsigned i = 0; i < degree; ++i) {
    const unsigned b = m.neighbour[a][near[i]], times = times_ranked(m, m.bond[a][near[i]], b);
    if (n + times > kMostBonds) return false;
    for (unsigned t = 0; t < times; ++t, ++n) {
      key[n / each] |= (u64{s.rank[b]} + 1) << (64 - S::kRankBits * (n % each + 1));
    }
  }
  key[words] = n + m.atom[a].hydrogens;
  return true;
}

template <class S>
bool key_less(const S& s, unsigned a, unsigned b) {
  for (unsigned i = 0; i <= kMostBonds / (64 / S::kRankBits); ++i) {
    if (s.key[a][i] != s.key[b][i]) return s.key[a][i] < s.key[b][i];
  }
  return false;
}

// One round of refinement. False for an atom with more bonds than a key holds.
template <class M, class S>
bool refine_ranks(const M& m, S& s) {
  for (unsigned i = 0, end; i < m.atoms; i = end) {
    const unsigned rank = s.rank[s.order[i]];
    for (end = i + 1; end < m.atoms && s.rank[s.order[end]] == rank;) ++end;
    if (end == i + 1) continue;
    for (unsigned j = i; j < end; ++j) {
      const auto a = s.order[j];
      if (!make_key(m, a, s)) return false;
      unsigned k = j;
      for (; k > i && key_less(s, a, s.order[k - 1]); --k) s.order[k] = s.order[k - 1];
      s.order[k] = a;
    }
  }
  const unsigned before = s.ranks;
  number_ranks(m, s, [&](unsigned a, unsigned b) { return s.rank[a] == s.rank[b] && !key_less(s, a, b); });
  s.stable = s.ranks == before || s.ranks == m.atoms || ++s.rounds > m.atoms / 2;
  return true;
}

template <class M, class Rank>
bool ranks_differ(const M& m, unsigned a, const Rank* rank) {
  for (unsigned i = 1; i < m.atom[a].degree; ++i) {
    for (unsigned j = 0; j < i; ++j) {
      if (rank[m.neighbour[a][i]] == rank[m.neighbour[a][j]]) return false;
    }
  }
  return true;
}

// Whether the next round of refinement parts all neighbours of an atom: their keys are compared alone, since that is
// enough for most centres. False if not, and if that is not known.
template <class M, class S>
bool next_ranks_differ(const M& m, unsigned a, S& s) {
  const unsigned degree = m.atom[a].degree;
  for (unsigned i = 0; i < degree; ++i) {
    if (!make_key(m, m.neighbour[a][i], s)) return false;
  }
  for (unsigned i = 1; i < degree; ++i) {
    const unsigned b = m.neighbour[a][i];
    for (unsigned j = 0; j < i; ++j) {
      const unsigned c = m.neighbour[a][j];
      if (s.rank[b] == s.rank[c] && !key_less(s, b, c) && !key_less(s, c, b)) return false;
    }
  }
  return true;
}

// The one or two bonds beside a double bond at one of its ends, in RDKit's order, with directions that lead away from it.
struct DoubleEnd {
  unsigned count, atom[2];
  u8 direction[2];
  bool directed;
};

template <class M, class S>
DoubleEnd end_of(const M& m, unsigned a, unsigned bond, const S& s) {
  DoubleEnd e{};
  unsigned place[2] = {};
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    const unsigned other = m.bond[a][i];
    if (other == bond) continue;
    u8 direction = s.direction[other];
    e.directed = e.directed || direction != kNoDirection;
    const bool closure = other >= m.atoms, opening = closure && m.closure[other - m.atoms].from_opening;
    const unsigned begin = !closure || opening ? m.begin[other] : m.end[other];
    if (direction != kNoDirection && begin != a) direction = static_cast<u8>(3 - direction);
    unsigned j = e.count++;
    if (j == 1 && place[0] > s.place[other]) {
      place[1] = place[0];
      e.atom[1] = e.atom[0];
      e.direction[1] = e.direction[0];
      j = 0;
    }
    place[j] = s.place[other];
    e.atom[j] = m.neighbour[a][i];
    e.direction[j] = direction;
  }
  if (!e.directed) return e;
  for (unsigned i = 0; i < 2 && e.count == 2; ++i) {
    if (e.direction[i] == kNoDirection) e.direction[i] = static_cast<u8>(3 - e.direction[1 - i]);
  }
  return e;
}

// Whether a bond is a double bond between atoms of two or three bonds.
template <class M>
bool could_have_label(const M& m, unsigned bond) {
  if (m.order[bond] != kDouble) return false;
  const unsigned degree[2] = {m.atom[m.begin[bond]].degree, m.atom[m.end[bond]].degree};
  return degree[0] >= 2 && degree[0] <= 3 && degree[1] >= 2 && degree[1] <= 3;
}

template <class M, class F, class Set>
bool allows_label(const M& m, unsigned bond, const F& f, const Set& ring_bonds) {
  if (!could_have_label(m, bond)) return false;
  if (!ring_bonds.test(bond)) return true;
  for (unsigned i = 0; i < f.rings.count; ++i) {
    if (f.rings.bonds[i].test(bond) && static_cast<unsigned>(f.rings.bonds[i].count()) < kMinStereoRing) return false;
  }
  return true;
}

enum class Labelled { kNo, kYes, kTied, kConflict };

// Gives a double bond its label if ranks and directions allow one; kTied if neighbours at an end have one rank.
template <class M, class S>
Labelled label_bond(const M& m, unsigned bond, S& s) {
  const DoubleEnd end[2] = {end_of(m, m.begin[bond], bond, s), end_of(m, m.end[bond], bond, s)};
  if (!end[0].directed || !end[1].directed) return Labelled::kNo;
  u8 highest[2] = {};
  for (unsigned i = 0; i < 2; ++i) {
    const DoubleEnd& e = end[i];
    if (e.count == 1) {
      highest[i] = e.direction[0];
      continue;
    }
    if (s.rank[e.atom[0]] == s.rank[e.atom[1]]) return Labelled::kTied;
    if (e.direction[0] == e.direction[1]) return Labelled::kConflict;
    highest[i] = e.direction[s.rank[e.atom[0]] > s.rank[e.atom[1]] ? 0 : 1];
  }
  s.bond[bond] = highest[0] == highest[1] ? kBondZ : kBondE;
  return Labelled::kYes;
}

// R (2) or S (1), from the order of the neighbours' ranks.
inline u8 centre_label(const Molecule& m, unsigned a, const Stereo& s) {
  u32 list[kMaxDegree];
  u8 rank[kMaxDegree];
  const unsigned degree = m.atom[a].degree;
  for (unsigned i = 0; i < degree; ++i) {
    const u8 r = s.rank[m.neighbour[a][i]];
    unsigned j = i;
    for (; j > 0 && rank[j - 1] > r; --j) {
      rank[j] = rank[j - 1];
      list[j] = list[j - 1];
    }
    rank[j] = r;
    list[j] = s.place[m.bond[a][i]];
  }
  const unsigned swaps = exchanges(list, degree) + (degree == 3 && m.atom[a].hydrogens == 1);
  return (s.tag[a] == kClockwiseTag) == (swaps % 2 == 0) ? 2 : 1;
}

// Orders atoms of one rank by the labels of themselves and of their double bonds, and refines.
inline bool rank_by_labels(const Molecule& m, Stereo& s) {
  u8 code[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    unsigned sum = 10u * s.label[a];
    for (unsigned i = 0; i < m.atom[a].degree; ++i) {
      const u8 stereo = s.bond[m.bond[a][i]];
      sum += stereo == kBondE ? 1 : stereo == kBondZ ? 2 : 0;
    }
    code[a] = static_cast<u8>(sum);
  }
  const auto less = [&](unsigned a, unsigned b) {
    return s.rank[a] != s.rank[b] ? s.rank[a] < s.rank[b] : code[a] < code[b];
  };
  for (unsigned i = 1; i < m.atoms; ++i) {
    const u8 a = s.order[i];
    unsigned j = i;
    for (; j > 0 && less(a, s.order[j - 1]); --j) s.order[j] = s.order[j - 1];
    s.order[j] = a;
  }
  number_ranks(m, s, [&](unsigned a, unsigned b) { return !less(a, b); });
  s.rounds = 0;
  s.stable = s.ranks == m.atoms;
  while (!s.stable) {
    if (!refine_ranks(m, s)) return false;
  }
  return true;
}

// Whether the ring neighbours of an atom tie so that only the rest of the ring can make it a centre.
template <int W>
bool is_ring_candidate(const Molecule& m, unsigned a, const Facts<W>& f, const Rings<W>& rings, const u8* rank) {
  if (!rings.atoms.test(a)) return false;
  if (m.atom[a].element == 7 && m.atom[a].degree + m.atom[a].hydrogens == 3) {
    bool allowed = is_bridgehead(m, a, f);
    for (unsigned i = 0; i < f.rings.count; ++i) {
      allowed = allowed || (f.rings.atoms[i].test(a) && f.rings.atoms[i].count() == 3);
    }
    if (!allowed) return false;
  }
  u8 outside[kMaxDegree], inside[kMaxDegree];
  unsigned out = 0, in = 0, different = 0;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    const u8 r = rank[m.neighbour[a][i]];
    if (!rings.bonds.test(m.bond[a][i])) {
      outside[out++] = r;
      continue;
    }
    bool seen = false;
    for (unsigned j = 0; j < in; ++j) seen = seen || inside[j] == r;
    different += !seen;
    inside[in++] = r;
  }
  if (out == 2) return outside[0] != outside[1] && in != different;
  if (out == 1) return in > different;
  return out == 0 && ((in == 4 && different == 3) || (in == 3 && different == 2));
}

// Removes the tags of atoms that have no label and are not one of several candidates of a ring system.
template <int W>
void remove_tags(const Molecule& m, const Facts<W>& f, const Rings<W>& rings, Stereo& s) {
  Bits<W> candidates = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) {
    if (s.tag[a] == kNoTag || s.label[a] != 0) continue;
    if (is_ring_candidate(m, a, f, rings, s.rank)) {
      candidates.set(a);
    } else {
      s.tag[a] = kNoTag;
      s.untagged[a] = true;
    }
  }
  while (candidates.any()) {
    const Bits<W> start = Bits<W>::one(candidates.first());
    Bits<W> system = start, front = start;
    while (front.any()) {
      Bits<W> next = Bits<W>::none();
      for_each(front, [&](unsigned a) {
        for (unsigned i = 0; i < m.atom[a].degree; ++i) {
          if (rings.bonds.test(m.bond[a][i])) next.set(m.neighbour[a][i]);
        }
      });
      front = next & ~system;
      system |= next;
    }
    const Bits<W> found = candidates & system;
    if (found.count() == 1) {
      s.tag[found.first()] = kNoTag;
      s.untagged[found.first()] = true;
    }
    candidates &= ~found;
  }
}

// All labels, in RDKit's rounds, from stable ranks.
template <int W>
Status label_all(const Molecule& m, const Facts<W>& f, const Rings<W>& rings, Stereo& s) {
  __builtin_memset(s.label, 0, m.atoms);
  for (bool more = true; more;) {
    bool unlabelled = false, changed = false;
    for (unsigned a = 0; a < m.atoms; ++a) {
      if (s.label[a] != 0 || !could_be_centre(m, a, f)) continue;
      if (s.tag[a] != kNoTag && ranks_differ(m, a, s.rank)) {
        s.label[a] = centre_label(m, a, s);
        changed = true;
      } else {
        unlabelled = true;
      }
    }
    for (unsigned b = 0; b < m.bonds(); ++b) {
      if (s.bond[b] != kNoStereo || !allows_label(m, b, f, rings.bonds)) continue;
      const Labelled labelled = m.directions != 0 ? label_bond(m, b, s) : Labelled::kNo;
      if (labelled == Labelled::kConflict) return kStereo;
      changed |= labelled == Labelled::kYes;
      unlabelled |= labelled != Labelled::kYes;
    }
    more = unlabelled && changed;
    if (more && !rank_by_labels(m, s)) return kStereo;
  }
  remove_tags(m, f, rings, s);
  return kNative;
}

// Ring sizes, which only some molecules need; large ones that do are left to RDKit.
template <int W>
bool find_all_rings(const Molecule& m, Rings<W>& rings, Facts<W>& f) {
  return find_rings(m, rings, f.rings);
}
template <class M, class R, class F>
bool find_all_rings(const M&, R&, F&) {
  return false;
}
template <class M, class R, class F>
Status label_all(const M&, const F&, const R&, LargeStereo&) {
  return kStereo;
}

// Tags, labels of bonds, and the order of bonds. The molecule has its aromatic bonds, and f is complete apart from the
// rings. kStereo, kRings or kSize for molecules that are left to RDKit.
template <class M, class R, class F, class S>
Status perceive_stereo(const M& m, F& f, R& rings, S& s) {
  using Number = typename S::Number;
  __builtin_memset(s.tag, kNoTag, m.atoms);
  __builtin_memset(s.untagged, 0, m.atoms);
  __builtin_memset(s.bond, kNoStereo, m.bonds());
  find_places(m, s.place);
  if (!m.stereo_marks) return kNative;
  if (m.atoms > kMaxRanked) return kSize;
  unsigned n = 0, k = 0, kept = 0;  // numbers of atoms and bonds to decide
  bool with_rings = false, mapped = false;
  for (unsigned a = 0; a < m.atoms; ++a) {
    mapped = mapped || (m.atom[a].flags & kMapped) != 0;
    if ((m.atom[a].flags & kTetrahedral) == 0 || f.hybrid[a] != kSp3) continue;
    s.tagged[n++] = static_cast<Number>(a);
    with_rings |= m.atom[a].element == 7 && m.atom[a].degree == 3 && rings.atoms.test(a);
  }
  if (m.directions != 0) {
    __builtin_memset(s.direction, kNoDirection, m.bonds());
    for (unsigned i = 0; i < m.directions; ++i) {
      const unsigned old = m.directed[i], first_old = m.max_bonds() - m.closures;
      s.direction[old >= first_old ? m.atoms + (m.max_bonds() - 1 - old) : old] = m.direction[i];
    }
    for (unsigned b = 0; b < m.bonds(); ++b) {
      if (!could_have_label(m, b)) continue;
      if (!end_of(m, m.begin[b], b, s).directed || !end_of(m, m.end[b], b, s).directed) continue;
      with_rings |= rings.bonds.test(b);
      if (k == kMaxRanked) return kSize;
      s.doubles[k++] = static_cast<Number>(b);
    }
  }
  if (n + k == 0) return kNative;
  if (mapped) return kStereo;  // numbers are part of RDKit's ranks
  f.rings.count = 0;
  if (with_rings && !find_all_rings(m, rings, f)) return kRings;
  for (unsigned i = 0; i < k; ++i) {
    if (allows_label(m, s.doubles[i], f, rings.bonds)) s.doubles[kept++] = s.doubles[i];
  }
  k = kept;
  bool whole = false;  // all rounds are needed
  for (unsigned i = kept = 0; i < n; ++i) {
    const unsigned a = s.tagged[i];
    s.tag[a] = tag_of(m, a, s.place);
    if (could_be_centre(m, a, f)) {
      if (s.tag[a] == kNoTag) return kStereo;
      s.tagged[kept++] = static_cast<Number>(a);
    } else if (m.atom[a].degree < 3 || !rings.atoms.test(a)) {
      s.tag[a] = kNoTag;
      s.untagged[a] = true;
    } else {
      if (s.tag[a] == kNoTag) return kStereo;
      whole = true;
    }
  }
  n = kept;
  rank_elements(m, s);
  while (true) {
    for (unsigned i = kept = 0; i < n; ++i) {
      const Number a = s.tagged[i];
      if (!ranks_differ(m, a, s.rank) && (s.stable || !next_ranks_differ(m, a, s))) s.tagged[kept++] = a;
    }
    n = kept;
    for (unsigned i = kept = 0; i < k; ++i) {
      const Labelled labelled = label_bond(m, s.doubles[i], s);
      if (labelled == Labelled::kConflict) return kStereo;
      if (labelled == Labelled::kTied) s.doubles[kept++] = s.doubles[i];
    }
    k = kept;
    whole = whole || (s.stable && n + k != 0);
    if ((s.stable || n + k == 0) && !whole) return kNative;
    if (s.stable) break;
    if (!refine_ranks(m, s)) return kStereo;
  }
  if (!with_rings && m.closures != 0 && !find_all_rings(m, rings, f)) return kRings;
  __builtin_memset(s.bond, kNoStereo, m.bonds());
  return label_all(m, f, rings, s);
}

}  // namespace
}  // namespace catalase
