// Elements: symbols, and the proven facts about those that the native reader accepts in bonds.
#pragma once

#include "molecule/molecule.h"

namespace catalase {
namespace {

// Atoms outside brackets, whose implicit hydrogens are to be found (valence.h). Aromatic ones come last.
enum Kind : u8 {
  kKindB,
  kKindC,
  kKindN,
  kKindO,
  kKindF,
  kKindP,
  kKindS,
  kKindCl,
  kKindBr,
  kKindI,
  kKindAromaticB,
  kKindAromaticC,
  kKindAromaticN,
  kKindAromaticO,
  kKindAromaticP,
  kKindAromaticS,
  kKindBracket
};

// The symbols in order of atomic number, two characters each.
constexpr char kSymbols[] =
    "H HeLiBeB C N O F NeNaMgAlSiP S ClArK CaScTiV CrMnFeCoNiCuZnGaGeAsSeBrKrRbSrY ZrNbMoTcRuRhPdAgCdInSnSbTeI Xe"
    "CsBaLaCePrNdPmSmEuGdTbDyHoErTmYbLuHfTaW ReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaU NpPuAmCmBkCfEsFmMdNoLrRfDbSgBhHsMt"
    "DsRgCnNhFlMcLvTsOg";

struct SymbolTable {
  u8 number[26][27];  // first letter, second letter (0: none)
};

constexpr SymbolTable make_symbol_table() {
  SymbolTable table{};
  for (int z = 0; z < 118; ++z) {
    const char first = kSymbols[2 * z], second = kSymbols[2 * z + 1];
    table.number[first - 'A'][second == ' ' ? 0 : second - 'a' + 1] = static_cast<u8>(z + 1);
  }
  return table;
}
constexpr SymbolTable kSymbolTable = make_symbol_table();

// The atomic number of a symbol (second is 0 for one letter), 0 if there is none.
inline unsigned element_of(char first, char second) {
  return kSymbolTable.number[first - 'A'][second == 0 ? 0 : second - 'a' + 1];
}

// The invariants use the difference of an isotope's mass from the element's average, truncated to a whole number. These
// are the isotopes whose difference was observed.
inline bool known_isotope(unsigned element, unsigned isotope, int& mass_shift) {
  struct Isotope {
    u8 element, mass;
    std::int8_t shift;
  };
  static constexpr Isotope table[] = {
      {1, 2, 1},     {1, 3, 2},     {5, 10, 0},   {5, 11, 0},   {6, 11, 0},   {6, 12, 0},   {6, 13, 0},
      {6, 14, 1},    {7, 13, -1},   {7, 14, 0},   {7, 15, 0},   {8, 15, 0},   {8, 16, 0},   {8, 17, 1},
      {8, 18, 2},    {9, 18, 0},    {9, 19, 0},   {15, 31, 0},  {15, 32, 0},  {15, 33, 1},  {16, 32, 0},
      {16, 33, 0},   {16, 34, 1},   {16, 35, 2},  {17, 35, 0},  {17, 36, 0},  {17, 37, 1},  {34, 75, -4},
      {35, 75, -4},  {35, 76, -3},  {35, 77, -2}, {35, 79, 0},  {35, 81, 1},  {35, 82, 2},  {53, 123, -3},
      {53, 124, -2}, {53, 125, -1}, {53, 127, 0}, {53, 128, 1}, {53, 129, 2}, {53, 131, 4},
  };
  for (const Isotope& known : table) {
    if (known.element == element && known.mass == isotope) return mass_shift = known.shift, true;
  }
  return false;
}

// Electrons in the outer shell, for the elements that may be in an aromatic ring or next to one; 0 for others.
inline int outer_electrons(unsigned element) {
  switch (element) {
    case 5:
      return 3;
    case 6:
    case 14:
      return 4;
    case 7:
    case 15:
    case 33:
      return 5;
    case 8:
    case 16:
    case 34:
    case 52:
      return 6;
    case 9:
    case 17:
    case 35:
    case 53:
      return 7;
    case 1:
      return 1;
    default:
      return 0;
  }
}

// The usual valence of an element: 8 minus its outer electrons from carbon on, its outer electrons before.
inline int usual_valence(unsigned element) {
  const int outer = outer_electrons(element);
  return outer > 4 ? 8 - outer : outer;
}

// The usual valence of a charged atom is that of the element with as many electrons: N+ binds like C.
inline int usual_valence(unsigned element, int charge) {
  const int outer = outer_electrons(element) - charge;
  if (outer <= 0 || outer > 8) return 0;
  return outer > 4 ? 8 - outer : outer;
}

// The highest valence of atoms with bonds that is proven, by element and charge; -1 if none is. An atom without bonds
// and hydrogens of any element needs no proof.
inline int highest_valence(unsigned element, int charge) {
  if (charge == 0) {
    switch (element) {
      case 1:
        return 1;
      case 5:
        return 3;
      case 6:
        return 4;
      case 7:
        return 3;
      case 8:
        return 2;
      case 9:
        return 1;
      case 14:
        return 4;
      case 15:
        return 5;
      case 16:
        return 6;
      case 17:
        return 1;
      case 34:
        return 6;
      case 33:
        return 5;
      case 35:
        return 1;
      case 52:
        return 2;
      case 53:
        return 1;
      default:
        return -1;
    }
  }
  if (charge < -1 || charge > 1) return -1;
  switch (element) {
    case 5:
      return charge < 0 ? 4 : -1;
    case 6:
      return 3;
    case 7:
      return charge < 0 ? 2 : 4;
    case 8:
      return charge < 0 ? 1 : 3;
    case 9:
      return charge < 0 ? 0 : -1;
    case 15:
      return charge < 0 ? -1 : 4;
    case 16:
      return charge < 0 ? 1 : 5;
    case 34:
      return charge < 0 ? 1 : 3;
    case 53:
      return charge < 0 ? 0 : 2;
    case 17:
    case 35:
      return charge < 0 ? 0 : -1;
    default:
      return -1;
  }
}

}  // namespace
}  // namespace catalase
