// A molecule during reading: arrays of small fields in the caller's workspace, without allocation. Molecules that do
// not fit are read into a LargeMolecule (large_molecule.h), which has the same members.
//
// Atoms have RDKit's numbers: the order of the SMILES without the hydrogens that are merged. That order is a
// depth-first tree: the bond by which an atom was read (its tree bond) has the atom's own number, and the bonds that
// close rings have the numbers from `atoms` on. A parent's number is smaller than its child's, which makes rings cheap.
#pragma once

#include <cstdint>

#include "molecule/status.h"

namespace catalase {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr unsigned kMaxAtoms = 255;  // the number 255 means no atom
constexpr unsigned kMaxBonds = 255;  // tree bonds, roots and closures together; 255 means no bond
constexpr unsigned kMaxClosures = 64;
constexpr unsigned kMaxDegree = 8;
constexpr u8 kNoAtom = 255;

// Bond orders; kAromaticOrder is "as written" until the rings are known, and RDKit's 12 when it is hashed.
enum Order : u8 { kSingle = 1, kDouble = 2, kTriple = 3, kAromaticOrder = 4 };

enum AtomFlag : u8 {
  kWrittenAromatic = 1,  // lower case
  kBracket = 2,          // no implicit hydrogens
  kPerceivedAromatic = 4,
  kTetrahedral = 8,  // '@' or '@@'
  kClockwise = 16,   // '@@'
  kIsotope = 32,     // a mass was written
  kMapped = 64,      // a number was written, as in [CH3:7]
  kTaken = 128       // a hydrogen that was written as an atom is one of its hydrogens
};

// Eight bytes, so that a new atom is one store and a vector of 64-bit lanes holds one atom a lane.
struct alignas(8) Atom {
  u8 element;    // atomic number
  u8 degree;     // neighbours
  u8 hydrogens;  // written ones; all of them after valence.h
  std::int8_t charge;
  std::int8_t mass_shift;  // whole mass units from the average atom
  u8 twice_valence;        // bond orders and hydrogens, twice: an aromatic bond counts 3
  u8 kind;                 // symbol outside brackets, see elements.h
  u8 flags;
};
static_assert(sizeof(Atom) == 8);

// What only the order of RDKit's bonds and chirality ask about a bond that closes a ring: its ring number, the places of
// both its digits among all digits of the text, and whether RDKit has it begin at the atom that opens the ring.
struct Closure {
  u32 opened, closed;
  u8 ring;
  bool from_opening;
};

enum Direction : u8 { kNoDirection, kUp, kDown };  // '/' and '\\', from a bond's begin to its end

struct Molecule {
  using Number = u8;  // of an atom or a bond
  static constexpr Number kNone = kNoAtom;
  static constexpr unsigned max_atoms() { return kMaxAtoms; }
  static constexpr unsigned max_bonds() { return kMaxBonds; }
  static constexpr unsigned max_closures() { return kMaxClosures; }
  static constexpr unsigned words() { return 4; }

  unsigned atoms;
  unsigned closures;
  bool stereo_marks;        // an '@', '/' or '\\' was read
  bool wide;                // some atom has more than four neighbours
  bool hydrogen_atoms;      // there are isotopes or ions of hydrogen
  u64 written_aromatic[4];  // atoms, as a set
  u64 aromatic_bonds[4];    // bonds of order kAromaticOrder as read, as a set

  alignas(64) Atom atom[256];
  alignas(64) u8 neighbour[256][kMaxDegree];  // kNoAtom in empty slots
  alignas(64) u8 bond[256][kMaxDegree];       // in the same order; 255 in empty slots

  // Bonds. begin[] is the parent of a tree bond's atom, and kNoAtom at a root.
  u8 begin[256];
  u8 end[256];
  u8 order[256];  // 0 at a root

  u8 stack[256];  // of the reader: atoms with a branch open

  Closure closure[kMaxClosures];
  u8 taken_before
      [256];         // kTaken: the atom before which that hydrogen stands, 0 at the start; kNoAtom if there are more
  u8 directed[256];  // the bonds that have a direction, in the order of the text, and the direction
  u8 direction[256];
  unsigned directions;

  unsigned bonds() const { return atoms + closures; }  // numbers in use; those of roots are no bonds
};

// Both for a Molecule and a LargeMolecule; flags of the atom are those before.
template <class M>
inline void note_taken(M& m, unsigned a, unsigned before) {
  m.taken_before[a] = (m.atom[a].flags & kTaken) != 0 ? M::kNone : static_cast<typename M::Number>(before);
}

template <class M>
inline void note_direction(M& m, unsigned bond, Direction d) {
  m.directed[m.directions] = static_cast<typename M::Number>(bond);
  m.direction[m.directions++] = d;
}

}  // namespace
}  // namespace catalase
