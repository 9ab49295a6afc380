// The highest valence that RDKit permits, for all elements: the fallback of the short list in elements.h.
//
// The rule was found by querying RDKit 2024.9.1 and 2026.9.1 about every element with charges from -9 to +9, single and
// double bonds and hydrogens. Most metals have no limit, with any charge. Another atom may bind as the neutral element
// with as many electrons does. Phosphorus, sulphur, arsenic and selenium with negative charges may bind more than this
// rule says; but next to a metal RDKit then makes the bond dative, so the lower limit is kept for them.
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr u8 kNoLimit = 127;  // more than any twice_valence

struct ValenceTable {
  u8 highest[119];
};

constexpr ValenceTable make_valence_table() {
  ValenceTable table{};
  for (u8& highest : table.highest) highest = kNoLimit;
  constexpr u8 limited[][2] = {{1, 1},  {2, 0},  {4, 2},  {5, 3},  {6, 4},  {7, 3},  {8, 2},  {9, 1},  {10, 0},
                               {13, 3}, {14, 4}, {15, 5}, {16, 6}, {17, 1}, {18, 0}, {31, 3}, {32, 4}, {33, 5},
                               {34, 6}, {35, 1}, {36, 0}, {49, 3}, {50, 4}, {51, 5}, {52, 6}, {53, 5}, {54, 6},
                               {55, 1}, {82, 4}, {83, 5}, {84, 6}, {85, 5}, {86, 0}, {87, 1}};
  for (const auto& entry : limited) table.highest[entry[0]] = entry[1];
  return table;
}
constexpr ValenceTable kValences = make_valence_table();

// The elements that RDKit treats as metals: it never makes them the donor of a dative bond.
inline bool is_metal(unsigned element) {
  if (element <= 2 || (element >= 5 && element <= 10) || (element >= 14 && element <= 18)) return false;
  return (element < 33 || element > 36) && (element < 52 || element > 54) && element != 85 && element != 86;
}

inline unsigned permitted_valence(unsigned element, int charge) {
  const bool shrinks = element == 15 || element == 16 || element == 33 || element == 34;
  if (shrinks && charge < -1) return 0;
  if (kValences.highest[element] == kNoLimit) return kNoLimit;
  const int electrons = static_cast<int>(element) - charge;
  return electrons > 0 && electrons <= 118 ? kValences.highest[electrons] : kNoLimit;
}

}  // namespace
}  // namespace catalase
