// Reads SMILES into a Molecule (Weininger, J. Chem. Inf. Comput. Sci. 28 (1988) 31; the OpenSMILES specification).
//
// One pass, one switch a character, no allocation. The grammar is a strict subset of what RDKit reads: whatever is rare,
// ambiguous or a matter of taste (ring bonds after a branch, dots in branches, wildcards, dative and quadruple bonds,
// extended chirality) is kSyntax, and RDKit decides. Plain [H] atoms with one heavy neighbour become hydrogens of that
// neighbour here, as RDKit merges them. '@', '/' and '\' are read and noted; connectivity is all that is kept.
#pragma once

#include "fingerprint/elements.h"
#include "fingerprint/molecule.h"

namespace catalase {
namespace {

enum BondMark : u8 { kNoMark = 0, kMarkSingle, kMarkDouble, kMarkTriple, kMarkAromatic, kMarkDirected };

class SmilesReader {
 public:
  SmilesReader(const char* text, const char* end, Molecule& m) : p_(text), end_(end), m_(m) {}

  Status read() {
    m_.atoms = m_.closures = 0;
    m_.stereo_marks = m_.hydrogen_atoms = m_.wide = false;
    if (p_ == end_) return kNative;  // a molecule of no atoms
    while (p_ != end_) {
      const Status status = token(*p_++);
      if (status != kNative) return status;
    }
    if (mark_ != kNoMark || depth_ != 0 || open_ != 0 || pending_hydrogens_ != 0) return kSyntax;
    if (last_ != kAfterAtom && last_ != kAfterClose) return kSyntax;
    return number_bonds();
  }

 private:
  enum Last : u8 { kStart, kAfterAtom, kAfterOpen, kAfterClose, kAfterDot };

  Status token(char c) {
    switch (c) {
      case 'C':
        if (p_ != end_ && *p_ == 'l') return ++p_, organic(17, kKindCl);
        return organic(6, kKindC);
      case 'B':
        if (p_ != end_ && *p_ == 'r') return ++p_, organic(35, kKindBr);
        return organic(5, kKindB);
      case 'N': return organic(7, kKindN);
      case 'O': return organic(8, kKindO);
      case 'P': return organic(15, kKindP);
      case 'S': return organic(16, kKindS);
      case 'F': return organic(9, kKindF);
      case 'I': return organic(53, kKindI);
      case 'b': return organic(5, kKindAromaticB);
      case 'c': return organic(6, kKindAromaticC);
      case 'n': return organic(7, kKindAromaticN);
      case 'o': return organic(8, kKindAromaticO);
      case 'p': return organic(15, kKindAromaticP);
      case 's': return organic(16, kKindAromaticS);
      case '[': return bracket();
      case '-': return bond_mark(kMarkSingle);
      case '=': return bond_mark(kMarkDouble);
      case '#': return bond_mark(kMarkTriple);
      case ':': return bond_mark(kMarkAromatic);
      case '\\':
        if (p_ != end_ && *p_ == '\\') ++p_;  // RDKit takes an escaped backslash for one
        [[fallthrough]];
      case '/': m_.stereo_marks = true; return bond_mark(kMarkDirected);
      case '(':
        if ((last_ != kAfterAtom && last_ != kAfterClose) || mark_ != kNoMark || depth_ == kMaxAtoms) return kSyntax;
        stack_[depth_++] = current_;
        last_ = kAfterOpen;
        return kNative;
      case ')':
        if ((last_ != kAfterAtom && last_ != kAfterClose) || mark_ != kNoMark || depth_ == 0) return kSyntax;
        current_ = stack_[--depth_];
        last_ = kAfterClose;
        return kNative;
      case '.':
        if ((last_ != kAfterAtom && last_ != kAfterClose) || mark_ != kNoMark || depth_ != 0) return kSyntax;
        current_ = kNoAtom;
        last_ = kAfterDot;
        return kNative;
      case '%': {
        if (end_ - p_ < 2 || !is_digit(p_[0]) || !is_digit(p_[1])) return kSyntax;
        const unsigned number = static_cast<unsigned>(10 * (p_[0] - '0') + (p_[1] - '0'));
        p_ += 2;
        return ring_bond(number);
      }
      case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return ring_bond(static_cast<unsigned>(c - '0'));
      default: return kSyntax;
    }
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  Status bond_mark(BondMark mark) {
    if (mark_ != kNoMark || (last_ != kAfterAtom && last_ != kAfterOpen && last_ != kAfterClose)) return kSyntax;
    mark_ = mark;
    return kNative;
  }

  // The order of a bond between atoms a and b; 0 where it is not proven.
  u8 order_of(BondMark mark, unsigned a, unsigned b) const {
    static constexpr u8 orders[] = {kAromaticOrder, kSingle, kDouble, kTriple, kAromaticOrder, kAromaticOrder};
    const u8 order = orders[mark];
    if (order != kAromaticOrder || (m_.flags[a] & m_.flags[b] & kWrittenAromatic) != 0) return order;
    return mark == kMarkAromatic ? 0 : static_cast<u8>(kSingle);  // a direction leaves the order open, as no mark does
  }

  void count_bond(unsigned a, unsigned b, u8 order) {
    const u8 twice = order == kAromaticOrder ? 3 : static_cast<u8>(2 * order);
    m_.twice_valence[a] = static_cast<u8>(m_.twice_valence[a] + twice);
    m_.twice_valence[b] = static_cast<u8>(m_.twice_valence[b] + twice);
    m_.wide |= ++m_.degree[a] > 4;
    m_.wide |= ++m_.degree[b] > 4;
  }

  Status add_atom(u8 element, u8 flags, u8 kind, int charge, int mass_shift, unsigned hydrogens) {
    const unsigned i = m_.atoms;
    if (i == kMaxAtoms) return kSize;
    if (pending_hydrogens_ != 0) {
      if (element <= 1) return kSyntax;
      hydrogens += pending_hydrogens_;
      pending_hydrogens_ = 0;
    }
    m_.atoms = i + 1;
    m_.element[i] = element;
    m_.flags[i] = flags;
    m_.kind[i] = kind;
    m_.charge[i] = static_cast<std::int8_t>(charge);
    m_.mass_shift[i] = static_cast<std::int8_t>(mass_shift);
    m_.hydrogens[i] = static_cast<u8>(hydrogens);
    m_.twice_valence[i] = static_cast<u8>(2 * hydrogens);
    m_.degree[i] = 0;
    __builtin_memset(m_.neighbour[i], kNoAtom, kMaxDegree);
    __builtin_memset(m_.bond[i], kNoAtom, kMaxDegree);
    m_.parent[i] = current_;
    m_.begin[i] = current_;
    m_.end[i] = static_cast<u8>(i);
    m_.order[i] = 0;
    if (current_ != kNoAtom) {
      const u8 order = order_of(static_cast<BondMark>(mark_), current_, i);
      if (order == 0) return kSyntax;
      if (m_.degree[current_] == kMaxDegree) return kSize;
      m_.order[i] = order;
      count_bond(current_, i, order);
      mark_ = kNoMark;
    }
    current_ = static_cast<u8>(i);
    last_ = kAfterAtom;
    return kNative;
  }

  Status organic(u8 element, u8 kind) {
    return add_atom(element, kind >= kKindAromaticB ? kWrittenAromatic : 0, kind, 0, 0, 0);
  }

  // After '['.
  Status bracket() {
    unsigned isotope = 0;
    const char* start = p_;
    while (p_ != end_ && is_digit(*p_) && p_ - start < 4) isotope = 10 * isotope + static_cast<unsigned>(*p_++ - '0');
    if (p_ == end_) return kSyntax;
    u8 flags = kBracket;
    unsigned element;
    if (*p_ >= 'A' && *p_ <= 'Z') {
      const char first = *p_++;
      char second = 0;
      if (p_ != end_ && *p_ >= 'a' && *p_ <= 'z') second = *p_++;
      element = element_of(first, second);
    } else {
      flags |= kWrittenAromatic;
      element = aromatic_symbol();
    }
    if (element == 0) return kSyntax;
    if (element == 1 && p_ != end_ && *p_ == ']' && p_[-2] == '[') return ++p_, plain_hydrogen();
    bool mapped = false;
    if (p_ != end_ && *p_ == '@') {
      m_.stereo_marks = true;
      if (++p_ != end_ && *p_ == '@') ++p_;
      if (p_ != end_ && *p_ >= 'A' && *p_ <= 'Z' && *p_ != 'H') return kSyntax;  // @TH1, @SP2 and their like
    }
    unsigned hydrogens = 0;
    if (p_ != end_ && *p_ == 'H') {
      hydrogens = 1;
      if (++p_ != end_ && is_digit(*p_)) hydrogens = static_cast<unsigned>(*p_++ - '0');
    }
    int charge = 0;
    if (p_ != end_ && (*p_ == '+' || *p_ == '-')) {
      const char sign = *p_++;
      charge = 1;
      if (p_ != end_ && is_digit(*p_)) {
        charge = *p_++ - '0';
      } else {
        while (p_ != end_ && *p_ == sign && charge < 5) ++charge, ++p_;
      }
      if (sign == '-') charge = -charge;
    }
    if (p_ != end_ && *p_ == ':') {
      mapped = true;
      start = ++p_;
      while (p_ != end_ && is_digit(*p_) && p_ - start < 4) ++p_;
      if (p_ == start) return kSyntax;
    }
    if (p_ == end_ || *p_++ != ']') return kSyntax;
    if (charge < -4 || charge > 4) return kElement;
    if (element == 1 && (hydrogens != 0 || mapped || (isotope == 0 && charge == 0))) return kSyntax;
    if (element == 1) m_.hydrogen_atoms = true;
    int mass_shift = 0;
    if (isotope != 0 && !known_isotope(element, isotope, mass_shift)) return kElement;
    return add_atom(static_cast<u8>(element), flags, kKindBracket, charge, mass_shift, hydrogens);
  }

  unsigned aromatic_symbol() {
    const char c = *p_++;
    const char next = p_ != end_ ? *p_ : '\0';
    switch (c) {
      case 'b': return 5;
      case 'c': return 6;
      case 'n': return 7;
      case 'o': return 8;
      case 'p': return 15;
      case 's': return next == 'e' ? (++p_, 34u) : 16u;
      case 't': return next == 'e' ? (++p_, 52u) : 0u;
      default: return 0;
    }
  }

  // "[H]" has been read. With one heavy neighbour by a single bond it is a hydrogen of that atom, and no atom.
  Status plain_hydrogen() {
    if (last_ == kStart || last_ == kAfterDot) {
      // Its neighbour is the next atom: "[H]C", "[H]-C"; anything else ("[H]1", "[H](C)", "[H]=C", alone) is left.
      if (pending_hydrogens_ != 0) return kSyntax;
      if (p_ != end_ && *p_ == '-') ++p_;
      if (p_ == end_ || !((*p_ >= 'A' && *p_ <= 'Z') || (*p_ >= 'a' && *p_ <= 'z') || *p_ == '[')) return kSyntax;
      pending_hydrogens_ = 1;
      return kNative;
    }
    if (mark_ > kMarkSingle) return kSyntax;
    if (p_ != end_ && *p_ != ')' && *p_ != '.') return kSyntax;  // it has another neighbour
    if (m_.element[current_] <= 1) return kSyntax;
    if (m_.hydrogens[current_] == kMaxDegree) return kSize;
    ++m_.hydrogens[current_];
    m_.twice_valence[current_] = static_cast<u8>(m_.twice_valence[current_] + 2);
    mark_ = kNoMark;
    last_ = kAfterAtom;
    return kNative;
  }

  Status ring_bond(unsigned number) {
    if (last_ != kAfterAtom) return kSyntax;
    const u64 bit = u64{1} << (number % 64);
    u64& open = number < 64 ? open_low_ : open_high_;
    const unsigned here = current_;
    if ((open & bit) == 0) {
      open |= bit;
      ++open_;
      ring_atom_[number] = current_;
      ring_mark_[number] = mark_;
      mark_ = kNoMark;
      return kNative;
    }
    open &= ~bit;
    --open_;
    const unsigned there = ring_atom_[number];
    u8 mark = ring_mark_[number];
    if (mark == kNoMark) {
      mark = mark_;
    } else if (mark_ != kNoMark && mark_ != mark) {
      return kSyntax;
    }
    mark_ = kNoMark;
    if (here == there || m_.parent[here] == there || m_.parent[there] == here) return kSyntax;
    const unsigned k = m_.closures;
    for (unsigned i = 0; i < k; ++i) {
      if (m_.closure_begin[i] == there && m_.closure_end[i] == here) return kSyntax;
      if (m_.closure_begin[i] == here && m_.closure_end[i] == there) return kSyntax;
    }
    if (k == kMaxClosures || m_.degree[here] == kMaxDegree || m_.degree[there] == kMaxDegree) return kSize;
    const u8 order = order_of(static_cast<BondMark>(mark), here, there);
    if (order == 0) return kSyntax;
    m_.closure_begin[k] = static_cast<u8>(there);
    m_.closure_end[k] = static_cast<u8>(here);
    m_.closure_order[k] = order;
    m_.closures = k + 1;
    count_bond(here, there, order);
    return kNative;
  }

  // Gives the closures their numbers, after the last atom, and fills the neighbour lists.
  Status number_bonds() {
    const unsigned n = m_.atoms;
    if (n + m_.closures > kMaxBonds) return kSize;
    u8 filled[256];
    for (unsigned i = 0; i < n; ++i) filled[i] = 0;
    for (unsigned i = 0; i < n; ++i) {
      if (m_.parent[i] != kNoAtom) link(m_.parent[i], i, i, filled);
    }
    for (unsigned k = 0; k < m_.closures; ++k) {
      m_.begin[n + k] = m_.closure_begin[k];
      m_.end[n + k] = m_.closure_end[k];
      m_.order[n + k] = m_.closure_order[k];
      link(m_.closure_begin[k], m_.closure_end[k], n + k, filled);
    }
    return kNative;
  }
  void link(unsigned a, unsigned b, unsigned bond, u8* filled) {
    m_.neighbour[a][filled[a]] = static_cast<u8>(b);
    m_.bond[a][filled[a]++] = static_cast<u8>(bond);
    m_.neighbour[b][filled[b]] = static_cast<u8>(a);
    m_.bond[b][filled[b]++] = static_cast<u8>(bond);
  }

  const char* p_;
  const char* end_;
  Molecule& m_;
  u8 current_ = kNoAtom;
  u8 mark_ = kNoMark;
  u8 last_ = kStart;
  unsigned depth_ = 0;
  unsigned open_ = 0;
  unsigned pending_hydrogens_ = 0;
  u64 open_low_ = 0, open_high_ = 0;  // ring numbers in use
  u8 stack_[256];
  u8 ring_atom_[100];
  u8 ring_mark_[100];
};

}  // namespace
}  // namespace catalase
