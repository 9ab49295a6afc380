// Reads SMILES into a Molecule (Weininger, J. Chem. Inf. Comput. Sci. 28 (1988) 31; the OpenSMILES specification).
//
// One pass over the text, one switch a token, no allocation; all state is in registers. The grammar is a strict subset
// of RDKit's: rare or ambiguous forms (ring bonds after a branch, dots in branches, wildcards, dative and quadruple
// bonds, extended chirality) are kSyntax, and RDKit decides. Plain [H] atoms with one heavy neighbour become hydrogens
// of that neighbour, as RDKit merges them. '@', '/' and '\' are noted, with what stereo.h needs to know of the order of
// the text.
//
// Bound: mispredicted branches, 0.37 us for ZINC's 44 characters.
#pragma once

#include "molecule/elements.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

enum BondMark : u8 { kNoMark = 0, kMarkSingle, kMarkDouble, kMarkTriple, kMarkAromatic, kMarkUp, kMarkDown };

enum TokenClass : u8 { kNoToken = 0, kOrganic, kOpenBracket, kBond, kOpen, kClose, kDot, kDigit, kPercent };

struct TokenTable {
  u8 token[256];
  u8 value[256];  // the kind of an atom, the mark of a bond, the value of a digit
};

constexpr TokenTable make_token_table() {
  TokenTable table{};
  const auto set = [&](char c, TokenClass token, int value) {
    table.token[static_cast<u8>(c)] = token;
    table.value[static_cast<u8>(c)] = static_cast<u8>(value);
  };
  const char symbols[] = "BCNOFPS..Ibcnops";  // in order of kind; Cl and Br are found during parsing
  for (int kind = 0; kind < 16; ++kind) {
    if (symbols[kind] != '.') set(symbols[kind], kOrganic, kind);
  }
  for (char c = '0'; c <= '9'; ++c) set(c, kDigit, c - '0');
  set('[', kOpenBracket, 0);
  set('(', kOpen, 0);
  set(')', kClose, 0);
  set('.', kDot, 0);
  set('%', kPercent, 0);
  set('-', kBond, kMarkSingle);
  set('=', kBond, kMarkDouble);
  set('#', kBond, kMarkTriple);
  set(':', kBond, kMarkAromatic);
  set('/', kBond, kMarkUp);
  set('\\', kBond, kMarkDown);
  return table;
}
constexpr TokenTable kTokens = make_token_table();

struct OrganicTable {
  Atom atom[16];
};
constexpr OrganicTable make_organic_table() {
  constexpr u8 elements[16] = {5, 6, 7, 8, 9, 15, 16, 17, 35, 53, 5, 6, 7, 8, 15, 16};
  OrganicTable table{};
  for (u8 kind = 0; kind < 16; ++kind) {
    table.atom[kind].element = elements[kind];
    table.atom[kind].kind = kind;
    table.atom[kind].flags = kind >= kKindAromaticB ? kWrittenAromatic : 0;
  }
  return table;
}
constexpr OrganicTable kOrganicAtoms = make_organic_table();

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The element of a lower-case symbol in brackets, 0 if there is none.
inline u8 aromatic_symbol(const char*& p, const char* end) {
  const char c = *p++;
  const char next = p != end ? *p : '\0';
  switch (c) {
    case 'b':
      return 5;
    case 'c':
      return 6;
    case 'n':
      return 7;
    case 'o':
      return 8;
    case 'p':
      return 15;
    case 's':
      return next == 'e' ? (++p, u8{34}) : u8{16};
    case 't':
      return next == 'e' ? (++p, u8{52}) : u8{0};
    default:
      return 0;
  }
}

// Reads the text after '[', up to and including ']'. `plain` is set for "[H]", which is no atom yet.
template <class M>
inline Status read_bracket(const char*& p, const char* end, Atom& atom, M& m, bool& plain) {
  const char* start = p;
  unsigned isotope = 0;
  while (p != end && is_digit(*p) && p - start < 4) isotope = 10 * isotope + static_cast<unsigned>(*p++ - '0');
  if (p == end || (p != start && *start == '0')) return kSyntax;
  atom = {};
  atom.kind = kKindBracket;
  atom.flags = kBracket;
  if (*p >= 'A' && *p <= 'Z') {
    const char first = *p++;
    const char second = p != end && *p >= 'a' && *p <= 'z' ? *p++ : '\0';
    atom.element = static_cast<u8>(element_of(first, second));
  } else {
    atom.flags |= kWrittenAromatic;
    atom.element = aromatic_symbol(p, end);
  }
  if (atom.element == 0) return kSyntax;
  plain = atom.element == 1 && p != end && *p == ']' && p - start == 1;
  if (p != end && *p == '@') {
    if (atom.element == 1) return kSyntax;
    m.stereo_marks = true;
    atom.flags |= kTetrahedral;
    if (++p != end && *p == '@') ++p, atom.flags |= kClockwise;
    if (p != end && *p >= 'A' && *p <= 'Z' && *p != 'H') return kSyntax;  // @TH1, @SP2 and similar marks
  }
  if (p != end && *p == 'H') {
    atom.hydrogens = 1;
    if (++p != end && is_digit(*p)) atom.hydrogens = static_cast<u8>(*p++ - '0');
  }
  int charge = 0;
  if (p != end && (*p == '+' || *p == '-')) {
    const char sign = *p++;
    charge = 1;
    if (p != end && is_digit(*p)) {
      charge = *p++ - '0';
    } else {
      if (p != end && *p == sign) ++charge, ++p;  // RDKit reads two signs, not three
    }
    if (charge > 4 && sign == '-') return kElement;  // RDKit refuses some of them
    if (sign == '-') charge = -charge;
  }
  bool mapped = false;
  if (p != end && *p == ':') {
    mapped = true;
    start = ++p;
    while (p != end && is_digit(*p) && p - start < 4) ++p;
    if (p == start || *start == '0') return kSyntax;
    atom.flags |= kMapped;
  }
  if (p == end || *p++ != ']') return kSyntax;
  if (plain) return kNative;
  if (atom.element == 1) {
    if (atom.hydrogens != 0 || mapped || (isotope == 0 && charge == 0)) return kSyntax;
    m.hydrogen_atoms = true;
  }
  int mass_shift = 0;
  if (isotope != 0) {
    if (!known_isotope(atom.element, isotope, mass_shift)) return kElement;
    atom.flags |= kIsotope;
  }
  atom.charge = static_cast<std::int8_t>(charge);
  atom.mass_shift = static_cast<std::int8_t>(mass_shift);
  atom.twice_valence = static_cast<u8>(2 * atom.hydrogens);
  return kNative;
}

// The order of a bond between atoms a and b; 0 if it is not proven.
inline u8 order_of(BondMark mark, const Atom& a, const Atom& b) {
  static constexpr u8 orders[] = {kAromaticOrder, kSingle,        kDouble,       kTriple,
                                  kAromaticOrder, kAromaticOrder, kAromaticOrder};
  const u8 order = orders[mark];
  if (order != kAromaticOrder || (a.flags & b.flags & kWrittenAromatic) != 0) return order;
  return mark == kMarkAromatic ? 0 : static_cast<u8>(kSingle);  // a direction leaves the order open, like no mark
}

inline Direction direction_of(u8 mark) {
  return mark == kMarkUp ? kUp : mark == kMarkDown ? kDown : kNoDirection;
}

// Records atom b as a neighbour of a, by a bond. The caller has ensured that there is room.
template <class M>
inline void link(M& m, unsigned a, unsigned b, unsigned bond, u8 order) {
  Atom& atom = m.atom[a];
  const unsigned slot = atom.degree++;
  m.neighbour[a][slot] = static_cast<typename M::Number>(b);
  m.bond[a][slot] = static_cast<typename M::Number>(bond);
  atom.twice_valence = static_cast<u8>(atom.twice_valence + (order == kAromaticOrder ? 3 : 2 * order));
  if (slot >= 4) m.wide = true;
}

template <class M>
inline bool are_neighbours(const M& m, unsigned a, unsigned b) {
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (m.neighbour[a][i] == b) return true;
  }
  return false;
}

// During reading ring bonds have numbers from max_bonds() - 1 down, since the number of atoms is not known yet; here
// they get their final numbers.
template <class M>
inline Status number_closures(M& m) {
  using Number = typename M::Number;
  if (m.bonds() + m.closures > m.max_bonds()) return kSize;  // old and new numbers must not meet
  for (unsigned k = 0; k < m.closures; ++k) {
    const auto old_number = static_cast<Number>(m.max_bonds() - 1 - k), number = static_cast<Number>(m.atoms + k);
    const Number ends[2] = {m.begin[old_number], m.end[old_number]};
    const u8 order = m.order[old_number];
    for (const Number a : ends) {
      for (unsigned i = 0; i < m.atom[a].degree; ++i) {
        if (m.bond[a][i] == old_number) m.bond[a][i] = number;
      }
    }
    m.begin[number] = ends[0];
    m.end[number] = ends[1];
    m.order[number] = order;
    if (order == kAromaticOrder) m.aromatic_bonds[number / 64] |= u64{1} << (number % 64);
  }
  return kNative;
}

template <class M>
inline Status read_smiles(const char* p, const char* end, M& m) {
  using Number = typename M::Number;
  enum Last : u8 { kStart, kAfterAtom, kAfterOpen, kAfterClose, kAfterDot };
  Number ring_atom[100];
  u8 ring_mark[100];
  u32 ring_opened[100];
  u64 open_low = 0, open_high = 0;  // ring numbers in use
  unsigned atoms = 0, depth = 0, pending_hydrogens = 0, digits = 0;
  Number current = M::kNone;
  u8 mark = kNoMark;
  Last last = kStart;
  m.closures = m.directions = 0;
  m.stereo_marks = m.hydrogen_atoms = m.wide = false;
  for (unsigned i = 0; i < m.words(); ++i) m.written_aromatic[i] = m.aromatic_bonds[i] = 0;

  while (p != end) {
    const u8 c = static_cast<u8>(*p++);
    const u8 value = kTokens.value[c];
    unsigned ring_number = value;
    Atom atom;
    switch (kTokens.token[c]) {
      case kOrganic:
        atom = kOrganicAtoms.atom[value];
        if (p != end && ((c == 'C' && *p == 'l') || (c == 'B' && *p == 'r'))) {
          atom = kOrganicAtoms.atom[c == 'C' ? kKindCl : kKindBr];
          ++p;
        }
        break;
      case kOpenBracket: {
        bool plain = false;
        const Status status = read_bracket(p, end, atom, m, plain);
        if (status != kNative) return status;
        if (!plain) break;
        if (last == kStart || last == kAfterDot) {
          // Its neighbour is the next atom: "[H]C", "[H]-C"; anything else ("[H]1", "[H](C)", "[H]=C", alone) is left.
          if (pending_hydrogens != 0) return kSyntax;
          if (p != end && *p == '-') ++p;
          if (p == end || !((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '[')) return kSyntax;
          pending_hydrogens = 1;
          continue;
        }
        if (mark > kMarkSingle) return kSyntax;
        if (p != end && *p != ')' && *p != '.') return kSyntax;  // it has another neighbour
        Atom& neighbour = m.atom[current];
        if (neighbour.element <= 1) return kSyntax;
        if (neighbour.hydrogens == kMaxDegree) return kSize;
        ++neighbour.hydrogens;
        note_taken(m, current, atoms);
        neighbour.flags |= kTaken;
        neighbour.twice_valence = static_cast<u8>(neighbour.twice_valence + 2);
        mark = kNoMark;
        last = kAfterAtom;
        continue;
      }
      case kBond:
        if (mark != kNoMark || last == kStart || last == kAfterDot) return kSyntax;
        if (c == '\\' && p != end && *p == '\\') ++p;  // RDKit reads an escaped backslash as one
        mark = value;
        m.stereo_marks |= value >= kMarkUp;
        continue;
      case kOpen:
        if ((last != kAfterAtom && last != kAfterClose) || mark != kNoMark || depth == m.max_atoms()) return kSyntax;
        m.stack[depth++] = current;
        last = kAfterOpen;
        continue;
      case kClose:
        if ((last != kAfterAtom && last != kAfterClose) || mark != kNoMark || depth == 0) return kSyntax;
        current = m.stack[--depth];
        last = kAfterClose;
        continue;
      case kDot:
        if ((last != kAfterAtom && last != kAfterClose) || mark != kNoMark || depth != 0) return kSyntax;
        current = M::kNone;
        last = kAfterDot;
        continue;
      case kPercent:
        if (end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]) || p[0] == '0') return kSyntax;
        ring_number = static_cast<unsigned>(10 * (p[0] - '0') + (p[1] - '0'));
        p += 2;
        [[fallthrough]];
      case kDigit: {
        if (last != kAfterAtom) return kSyntax;
        const u64 bit = u64{1} << (ring_number % 64);
        u64& open = ring_number < 64 ? open_low : open_high;
        open ^= bit;
        if ((open & bit) != 0) {
          ring_atom[ring_number] = current;
          ring_mark[ring_number] = mark;
          ring_opened[ring_number] = digits++;
          mark = kNoMark;
          continue;
        }
        const unsigned there = ring_atom[ring_number];
        const u8 other_mark = ring_mark[ring_number];
        const bool differ = other_mark != mark && (other_mark < kMarkUp || mark < kMarkUp);
        if (other_mark != kNoMark && mark != kNoMark && differ) return kSyntax;
        const auto either = static_cast<BondMark>(mark != kNoMark ? mark : other_mark);
        const u8 order = order_of(either, m.atom[current], m.atom[there]);
        if (order == 0 || current == there || are_neighbours(m, current, there)) return kSyntax;
        if (m.closures == m.max_closures() || m.atom[current].degree == kMaxDegree ||
            m.atom[there].degree == kMaxDegree) {
          return kSize;
        }
        const unsigned bond = m.max_bonds() - 1 - m.closures++;
        if (bond < atoms) return kSize;
        m.begin[bond] = static_cast<Number>(there);
        m.end[bond] = current;
        m.order[bond] = order;
        link(m, there, current, bond, order);
        link(m, current, there, bond, order);
        const bool from_opening = other_mark != kNoMark && other_mark < kMarkUp;
        m.closure[m.closures - 1] = {ring_opened[ring_number], digits++, static_cast<u8>(ring_number), from_opening};
        // Both ends may have a direction: that of the end at which RDKit has the bond begin counts.
        if (mark >= kMarkUp) {
          note_direction(m, bond, direction_of(mark));
        } else if (other_mark >= kMarkUp) {
          note_direction(m, bond, other_mark == kMarkUp ? kDown : kUp);
        }
        mark = kNoMark;
        continue;
      }
      default:
        return kSyntax;
    }

    // A new atom.
    const unsigned i = atoms;
    if (i + m.closures >= m.max_atoms()) return kSize;
    if (pending_hydrogens != 0) {
      if (atom.element <= 1) return kSyntax;
      ++atom.hydrogens;
      atom.twice_valence = static_cast<u8>(atom.twice_valence + 2);
    }
    m.atom[i] = atom;
    if (pending_hydrogens != 0) {
      note_taken(m, i, 0);
      m.atom[i].flags |= kTaken;
      pending_hydrogens = 0;
    }
    if ((atom.flags & kWrittenAromatic) != 0) m.written_aromatic[i / 64] |= u64{1} << (i % 64);
    __builtin_memset(m.neighbour[i], 0xff, sizeof(m.neighbour[i]));  // M::kNone
    __builtin_memset(m.bond[i], 0xff, sizeof(m.bond[i]));
    m.begin[i] = current;
    m.end[i] = static_cast<Number>(i);
    m.order[i] = 0;
    if (current != M::kNone) {
      const u8 order = order_of(static_cast<BondMark>(mark), m.atom[current], atom);
      if (order == 0) return kSyntax;
      if (m.atom[current].degree == kMaxDegree) return kSize;
      m.order[i] = order;
      if (order == kAromaticOrder) m.aromatic_bonds[i / 64] |= u64{1} << (i % 64);
      link(m, current, i, i, order);
      link(m, i, current, i, order);
      if (mark >= kMarkUp) note_direction(m, i, direction_of(mark));
      mark = kNoMark;
    }
    atoms = i + 1;
    current = static_cast<Number>(i);
    last = kAfterAtom;
  }
  m.atoms = atoms;
  if (mark != kNoMark || depth != 0 || (open_low | open_high) != 0 || pending_hydrogens != 0) return kSyntax;
  if (last != kAfterAtom && last != kAfterClose && atoms != 0) return kSyntax;
  return number_closures(m);
}

}  // namespace
}  // namespace catalase
