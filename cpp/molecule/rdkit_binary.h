// A molecule from the bytes of RDKit's Mol.ToBinary(NoConformers), unchanged: nothing is perceived again.
//
//   header    magic, tag, version (major, minor, patch), atoms, bonds, a flag byte
//   atom      element, flag byte, a byte that says which fields follow, the fields
//   bond      both ends, flag byte, the fields that it announces
//   rings     tag, number, and for each its size and its atoms; absent if rings were never computed
//
// Integers are little-endian, of 4 bytes; atom numbers have 1 byte up to 255 atoms, and larger molecules are left to
// RDKit. The versions in kVersions were compared with RDKit's answers; any other version is left to RDKit, and so is
// any unknown field or tag, or a surplus byte. Every read is checked: the bytes need not come from RDKit.
//
// RDKit stores uncounted hydrogens like none, so the caller must check Mol.NeedsUpdatePropertyCache first.
#pragma once

#include "molecule/bits.h"
#include "molecule/elements.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

class Bytes {
 public:
  Bytes(const u8* at, const u8* end) : at_(at), end_(end) {}
  u8 byte() { return at_ != end_ ? *at_++ : (short_ = true, u8{0}); }
  u32 word() {
    if (end_ - at_ < 4) return at_ = end_, short_ = true, 0;
    u32 value;
    __builtin_memcpy(&value, at_, 4);
    at_ += 4;
    return value;
  }
  void skip(std::int64_t count) {
    if (end_ - at_ < count) at_ = end_, short_ = true;
    if (!short_) at_ += count;
  }
  bool at_end() const { return at_ == end_; }
  bool short_of() const { return short_; }  // a read went past the end, and returned 0

 private:
  const u8 *at_, *end_;
  bool short_ = false;
};

// RDKit 2024.9 and 2025 write 16.2.0, 2026.3 writes 16.3.0, 2026.9 writes 16.4.0.
constexpr u32 kVersions[][3] = {{16, 2, 0}, {16, 3, 0}, {16, 4, 0}};

enum BinaryTag : u8 {
  kBeginAtoms = 1,
  kBeginBonds = 11,
  kSmallestRings = 20,
  kEndMolecule = 22,
  kMapNumber = 24,
  kSymmetrizedRings = 66,
  kFastRings = 67,
  kOtherRings = 68,
};

enum AtomBits : u8 { kHasMapNumber = 8, kNoImplicit = 32, kIsAromatic = 64 };
constexpr u8 kSp3Hybridization = 4;  // where none is stored
enum BondBits : u8 { kHasStereo = 2, kHasDirection = 4, kHasType = 8, kConjugated = 32, kBondIsAromatic = 64 };

// What only patterns and graphs ask about: the numbers that RDKit has computed, as they are.
struct BinaryDetails {
  u8 tag[256], hybridization[256], radicals[256], implicit[256];  // of atoms, in RDKit's numbers
  u8 begin[256], end[256], conjugated[256], stereo[256];          // of bonds
  std::int16_t isotope[256];
  u8 valence[256], aromatic[256];
  std::int16_t rings[256],
      smallest_ring[256];  // smallest rings of each atom, and the size of the smallest of them, or 0
  u32 ring_sizes[256];     // bit n: in a ring of n atoms, up to 31
  Bits<4> ring_bonds;
  std::int32_t aromatic_rings;  // smallest rings whose bonds are all aromatic; -1 if types and flags disagree
};

// What read_rdkit_binary adds to.
inline void clear_rings(BinaryDetails& details) {
  __builtin_memset(details.rings, 0, sizeof(details.rings));
  __builtin_memset(details.smallest_ring, 0, sizeof(details.smallest_ring));
  __builtin_memset(details.ring_sizes, 0, sizeof(details.ring_sizes));
  details.ring_bonds = Bits<4>::none();
  details.aromatic_rings = 0;
}

// Checks that only FCFP needs: atoms and bonds agree on aromaticity, and the valence that RDKit counted is that of the
// bonds and hydrogens. A molecule that was edited since may differ.
struct BinaryCheck {
  u8 aromatic[256], aromatic_bonds[256];
  u8 valence[256], bond_orders[256];  // without hydrogens
  bool consistent;
};

inline Status read_binary_header(Bytes& in, u32& atoms, u32& bonds) {
  if (in.word() != 0xdeadbeefu || in.word() != 0) return kSyntax;
  const u32 major = in.word(), minor = in.word(), patch = in.word();
  bool known = false;
  for (const auto& v : kVersions) known = known || (v[0] == major && v[1] == minor && v[2] == patch);
  if (!known) return kSyntax;
  atoms = in.word();
  bonds = in.word();
  if (atoms > kMaxAtoms || bonds > kMaxBonds) return kSize;
  return in.byte() == 0x80 && in.byte() == kBeginAtoms && !in.short_of() ? kNative : kSyntax;
}

inline Status read_binary_atom(Bytes& in, Molecule& m, unsigned a, BinaryCheck& check, BinaryDetails* details) {
  Atom atom{};
  atom.element = in.byte();
  const u8 bits = in.byte();
  if ((bits & ~(kHasMapNumber | kNoImplicit | kIsAromatic)) != 0) return kSyntax;
  const u32 fields = in.word();
  if ((fields & ~0x1feu) != 0) return kSyntax;
  const auto field = [&](unsigned i) { return (fields >> i & 1) != 0 ? in.byte() : u8{0}; };
  atom.charge = static_cast<std::int8_t>(field(1));
  const unsigned tag = field(2), hybridization = (fields >> 3 & 1) != 0 ? in.byte() : kSp3Hybridization;
  const unsigned written = field(4), valence = field(5), implicit = field(6);
  const unsigned radicals = field(7);
  const u32 isotope = (fields >> 8 & 1) != 0 ? in.word() : 0;
  if ((bits & kHasMapNumber) != 0) {
    if (in.byte() != kMapNumber) return kSyntax;
    if (in.byte() >= 128) in.word();
  }
  if ((written | valence | implicit) >= 64) return kValence;
  atom.hydrogens = static_cast<u8>((bits & kNoImplicit) != 0 ? written : written + implicit);
  if (isotope != 0) {
    int shift = 0;
    if (!known_isotope(atom.element, isotope, shift)) return kElement;
    atom.mass_shift = static_cast<std::int8_t>(shift);
  }
  if (details != nullptr) {
    if (isotope > 32767) return kElement;
    details->isotope[a] = static_cast<std::int16_t>(isotope);
    details->valence[a] = static_cast<u8>(valence + ((bits & kNoImplicit) != 0 ? 0 : implicit));
    details->aromatic[a] = (bits & kIsAromatic) != 0;
    details->tag[a] = static_cast<u8>(tag);
    details->hybridization[a] = static_cast<u8>(hybridization);
    details->radicals[a] = static_cast<u8>(radicals);
    details->implicit[a] = static_cast<u8>((bits & kNoImplicit) != 0 ? 0 : implicit);
  }
  m.hydrogen_atoms = m.hydrogen_atoms || atom.element == 1;
  m.atom[a] = atom;
  __builtin_memset(m.neighbour[a], kNoAtom, kMaxDegree);
  __builtin_memset(m.bond[a], 255, kMaxDegree);
  check.aromatic[a] = (bits & kIsAromatic) != 0;
  check.aromatic_bonds[a] = check.bond_orders[a] = 0;
  check.valence[a] = static_cast<u8>(valence - written);
  check.consistent = check.consistent && valence >= written && ((bits & kNoImplicit) == 0 || implicit == 0);
  return kNative;
}

inline Status read_binary_bond(Bytes& in, Molecule& m, unsigned b, BinaryCheck& check, BinaryDetails* details) {
  const unsigned ends[2] = {in.byte(), in.byte()};
  if (ends[0] >= m.atoms || ends[1] >= m.atoms || ends[0] == ends[1]) return kSyntax;
  const u8 bits = in.byte();
  if ((bits & ~(kHasStereo | kHasDirection | kHasType | kConjugated | kBondIsAromatic)) != 0) return kSyntax;
  const unsigned type = (bits & kHasType) != 0 ? in.byte() : 1;
  if ((bits & kHasDirection) != 0) in.byte();
  unsigned stereo = 0;
  if ((bits & kHasStereo) != 0) {
    stereo = in.byte();
    in.skip(in.byte());  // the atoms that it is named after
  }
  if (!(type >= 1 && type <= 3) && type != 12) return kSyntax;
  m.order[b] = type == 12 ? u8{kAromaticOrder} : static_cast<u8>(type);
  const bool aromatic = type == 12;
  if (details != nullptr) {
    details->begin[b] = static_cast<u8>(ends[0]);
    details->end[b] = static_cast<u8>(ends[1]);
    details->conjugated[b] = (bits & kConjugated) != 0;
    details->stereo[b] = static_cast<u8>(stereo);
  }
  check.consistent = check.consistent && aromatic == ((bits & kBondIsAromatic) != 0);
  for (unsigned side = 0; side < 2; ++side) {
    const unsigned a = ends[side];
    const unsigned slot = m.atom[a].degree;
    if (slot == kMaxDegree) return kSize;
    m.wide = m.wide || slot == 4;
    m.neighbour[a][slot] = static_cast<u8>(ends[1 - side]);
    m.bond[a][slot] = static_cast<u8>(b);
    m.atom[a].degree = static_cast<u8>(slot + 1);
    check.aromatic_bonds[a] = check.aromatic_bonds[a] || aromatic;
    check.bond_orders[a] = static_cast<u8>(check.bond_orders[a] + type);
  }
  return kNative;
}

// The bond between two atoms of a ring, or 255.
inline unsigned bond_between(const Molecule& m, unsigned a, unsigned b) {
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (m.neighbour[a][i] == b) return m.bond[a][i];
  }
  return 255;
}

inline Status read_binary_rings(Bytes& in, const Molecule& m, Bits<4>& ring_atoms, BinaryDetails* details) {
  const u8 tag = in.byte();
  if (tag != kSmallestRings && (tag < kSymmetrizedRings || tag > kOtherRings)) return kRings;
  const u32 rings = in.word();
  for (u32 r = 0; r < rings && !in.short_of(); ++r) {
    const unsigned size = in.byte();
    u8 first = 0, last = 0;
    bool aromatic = size != 0;
    for (unsigned i = 0; i < size && !in.short_of(); ++i) {
      const u8 atom = in.byte();
      if (atom >= m.atoms) return kSyntax;
      ring_atoms.set(atom);
      if (details == nullptr) continue;
      ++details->rings[atom];
      if (size < 32) details->ring_sizes[atom] |= 1u << size;
      std::int16_t& smallest = details->smallest_ring[atom];
      if (smallest == 0 || static_cast<int>(size) < smallest) smallest = static_cast<std::int16_t>(size);
      if (i == 0) first = atom;
      const unsigned before = i == 0 ? 255 : bond_between(m, last, atom);
      const unsigned closing = i + 1 == size ? bond_between(m, atom, first) : 254;
      if ((i != 0 && before == 255) || closing == 255) return kRings;
      if (i != 0) details->ring_bonds.set(before), aromatic = aromatic && m.order[before] == kAromaticOrder;
      if (i + 1 == size) details->ring_bonds.set(closing), aromatic = aromatic && m.order[closing] == kAromaticOrder;
      last = atom;
    }
    if (details != nullptr) details->aromatic_rings += aromatic;
  }
  return in.byte() == kEndMolecule && in.at_end() && !in.short_of() ? kNative : kSyntax;
}

// FCFP counts bonds and aromatic neighbours as SMARTS does only if the molecule is consistent.
inline bool is_consistent(const Molecule& m, const BinaryCheck& check) {
  if (!check.consistent) return false;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if (check.aromatic[a] != check.aromatic_bonds[a]) return false;
    if (!check.aromatic[a] && check.valence[a] != check.bond_orders[a]) return false;
  }
  return true;
}

// Bonds have RDKit's numbers, which are not those of a tree: only m.bonds() uses m.begin, m.end and m.closures.
__attribute__((noinline)) Status read_rdkit_binary(const char* data, std::int64_t length, bool features, Molecule& m,
                                                   Bits<4>& ring_atoms, BinaryDetails* details = nullptr) {
  const auto* bytes = reinterpret_cast<const u8*>(data);
  Bytes in(bytes, bytes + length);
  u32 atoms = 0, bonds = 0;
  Status status = read_binary_header(in, atoms, bonds);
  if (status != kNative) return status;
  BinaryCheck check;
  check.consistent = true;
  m.atoms = atoms;
  m.closures = bonds > atoms ? bonds - atoms : 0;
  m.wide = m.hydrogen_atoms = false;
  ring_atoms = Bits<4>::none();
  for (unsigned a = 0; a < atoms; ++a) {
    status = read_binary_atom(in, m, a, check, details);
    if (status != kNative || in.short_of()) return status != kNative ? status : kSyntax;
  }
  if (in.byte() != kBeginBonds) return kSyntax;
  for (unsigned b = 0; b < bonds; ++b) {
    status = read_binary_bond(in, m, b, check, details);
    if (status != kNative || in.short_of()) return status != kNative ? status : kSyntax;
  }
  for (unsigned b = bonds; b < atoms; ++b) m.order[b] = 0;
  status = read_binary_rings(in, m, ring_atoms, details);
  if (details != nullptr && !check.consistent) details->aromatic_rings = -1;
  return status == kNative && features && !is_consistent(m, check) ? kAromatic : status;
}

}  // namespace
}  // namespace catalase
