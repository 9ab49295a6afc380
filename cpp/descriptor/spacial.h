// Spacial score (Krzyzanowski et al., J. Med. Chem. 66 (2023) 12739): over atoms, hybridization times stereo times ring
// times the square of the neighbours, divided by the atoms.
//
// Stereo are the ends of double bonds that can be E or Z (RDKit's ranks of neighbours, as in stereo.h), and the
// tetrahedral centres of RDKit's newer perception. There each unmarked candidate is an atom of its own class, candidates
// whose neighbours are of one class are struck out, and that is repeated until nothing changes. In rings with several
// candidates, a neighbour over such a ring may have the class of another (1,4-dimethylcyclohexane).
//
// Where atoms or bonds are marked, RDKit's classes have the marks in them. Two bounds are computed: with marks that are all
// equal, and with marks that all differ. Finer classes keep more candidates, so if both keep the same, so does RDKit. The
// same holds for marked atoms that RDKit may have unmarked while reading. What depends on the direction or order of rings,
// which follow from RDKit's search, is left to RDKit too.
#pragma once

#include "descriptor/stereo.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

constexpr unsigned kSmallestStereoRing = 8;

template <int W>
struct Spacial {
  Bits<W> candidates;     // atoms that can be centres
  Bits<W> tetrahedral;    // those of them that are not bipyramidal or octahedral
  Bits<W> marked;         // those with a mark
  Bits<W> sure;           // those of these whose neighbours differ without marks
  Bits<W> ends;           // atoms of double bonds that count
  Bits<W> named;          // double bonds that RDKit has marked as E, Z or unknown
  Bits<W> double_bonds;   // that the newer perception accepts
  Bits<W> several_atoms;  // in more than one ring
  Bits<W> several_bonds;
  u8 ring_atom[256], ring_bond[256];    // of one ring, in order
  u8 atom_rings[256], bond_rings[256];  // rings in which neighbours of one class do not matter
  u64 bond_code[256];
  Classes classes;
};

// Whether the newer perception takes an atom for a candidate.
template <int W>
bool is_candidate(const Molecule& m, unsigned a, const Facts<W>& f, bool& tetrahedral) {
  const Atom& atom = m.atom[a];
  const int degree = atom.degree + atom.hydrogens;
  tetrahedral = true;
  if (could_be_centre(m, a, f)) return true;
  if ((atom.flags & kTetrahedral) != 0 || (atom.element < 12 && atom.element != 4) || degree < 4 || degree > 6) {
    return false;
  }
  tetrahedral = degree == 4;
  return true;
}

// The ring's atoms and bonds in order: ring_bond[i] leads from ring_atom[i] to the next.
template <int W>
unsigned walk_ring(const Molecule& m, const Bits<W>& bonds, Spacial<W>& s) {
  const unsigned first = bonds.first(), size = static_cast<unsigned>(bonds.count());
  unsigned at = m.begin[first], from = 255;
  for (unsigned i = 0; i < size; ++i) {
    s.ring_atom[i] = static_cast<u8>(at);
    unsigned slot = 0;
    while (m.bond[at][slot] == from || !bonds.test(m.bond[at][slot])) ++slot;
    from = m.bond[at][slot];
    s.ring_bond[i] = static_cast<u8>(from);
    at = m.neighbour[at][slot];
  }
  return size;
}

// False if the direction of a ring matters.
template <int W>
bool note_rings(const Molecule& m, const RingSet<W>& rings, Spacial<W>& s) {
  __builtin_memset(s.atom_rings, 0, m.atoms);
  __builtin_memset(s.bond_rings, 0, m.bonds());
  for (unsigned r = 0; r < rings.count; ++r) {
    const Bits<W>& bonds = rings.bonds[r];
    if (!(rings.atoms[r] & s.candidates).any()) continue;
    const unsigned size = walk_ring(m, bonds, s), half = (size + 1) / 2;
    Bits<W> flagged[2];
    for (unsigned backward = 0; backward < 2; ++backward) {
      Bits<W> found = Bits<W>::none();
      int count = 0;
      for (unsigned i = 0; i < size; ++i) {
        const unsigned a = s.ring_atom[i];
        if (!s.candidates.test(a)) continue;
        if (size % 2 == 0) {
          const unsigned opposite = s.ring_atom[(i + half) % size];
          bool beside = false;  // a stereo bond beside the ring
          for (unsigned k = 0; k < m.atom[opposite].degree; ++k) {
            const unsigned b = m.bond[opposite][k];
            beside = beside || (s.double_bonds.test(b) && !bonds.test(b));
          }
          if (beside || s.candidates.test(opposite)) {
            count += 1 + beside;
            found.set(a);
            found.set(opposite);
            continue;
          }
        }
        if (!s.several_atoms.test(a)) continue;
        for (unsigned step = 1; step <= half; ++step) {
          const unsigned to = backward != 0 ? (i + size - step) % size : (i + step) % size;
          const unsigned bond = backward != 0 ? to : (i + step - 1) % size;
          if (!s.several_bonds.test(s.ring_bond[bond])) break;
          if (!s.candidates.test(s.ring_atom[to])) continue;
          count += 2;
          found.set(a);
          found.set(s.ring_atom[to]);
          break;
        }
      }
      flagged[backward] = count > 1 ? found : Bits<W>::none();
    }
    if (!(flagged[0] == flagged[1])) return false;
    if (!flagged[0].any()) continue;
    for_each(flagged[0], [&](unsigned a) { ++s.atom_rings[a]; });
    for_each(bonds, [&](unsigned b) { ++s.bond_rings[b]; });
  }
  return true;
}

// A candidate that was struck out leaves its rings. False if the order of rings matters.
template <int W>
bool leave_rings(const Molecule& m, unsigned a, const RingSet<W>& rings, Spacial<W>& s) {
  if (s.atom_rings[a] == 0 || --s.atom_rings[a] != 0) return true;
  for (unsigned b = 0; b < m.atoms; ++b) {
    if (s.atom_rings[b] > 1) return false;
  }
  __builtin_memset(s.atom_rings, 0, m.atoms);
  for (unsigned r = 0; r < rings.count; ++r) {
    for_each(rings.bonds[r], [&](unsigned b) { s.bond_rings[b] -= s.bond_rings[b] != 0; });
  }
  return true;
}

// Whether two neighbours of an atom have one class, and it is not excused by a ring.
template <int W>
bool has_equal_neighbours(const Molecule& m, unsigned a, const Spacial<W>& s) {
  const u64* colour = s.classes.colour;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    for (unsigned j = 0; j < i; ++j) {
      const unsigned x = m.neighbour[a][i], y = m.neighbour[a][j];
      if (colour[x] != colour[y]) continue;
      const unsigned later = x > y ? i : j;
      if (s.atom_rings[a] == 0 || s.bond_rings[m.bond[a][later]] == 0) return true;
    }
  }
  return false;
}

// Whether the two other neighbours at an end of a double bond have one class, unless the atom opposite in a ring of them
// is a candidate.
template <int W>
bool has_equal_ends(const Molecule& m, unsigned bond, unsigned a, const RingSet<W>& rings, Spacial<W>& s,
                    const Bits<W>& kept) {
  unsigned other[2], n = 0;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (m.bond[a][i] != bond && n < 2) other[n++] = m.neighbour[a][i];
  }
  if (n < 2 || s.classes.colour[other[0]] != s.classes.colour[other[1]]) return false;
  for (unsigned r = 0; r < rings.count; ++r) {
    const Bits<W>& atoms = rings.atoms[r];
    if (!atoms.test(other[0]) || !atoms.test(other[1]) || atoms.count() % 2 != 0) continue;
    const unsigned size = walk_ring(m, rings.bonds[r], s);
    for (unsigned i = 0; i < size; ++i) {
      const bool end = s.ring_atom[i] == m.begin[bond] || s.ring_atom[i] == m.end[bond];
      if (end && kept.test(s.ring_atom[(i + size / 2) % size])) return false;
    }
  }
  return true;
}

template <int W>
void refine_spacial(const Molecule& m, Spacial<W>& s) {
  Classes& c = s.classes;
  c.count = 0;
  for (unsigned before = ~0u; c.count != before;) {
    before = c.count;
    for (unsigned a = 0; a < m.atoms; ++a) {
      u64 sum = 0;
      for (unsigned i = 0; i < m.atom[a].degree; ++i) {
        sum += mix(c.colour[m.neighbour[a][i]] + s.bond_code[m.bond[a][i]]);
      }
      c.next[a] = mix(c.colour[a] + 0x632be59bd9b4e019u * sum);
    }
    __builtin_memcpy(c.colour, c.next, m.atoms * sizeof(u64));
    c.count = count_classes(m.atoms, c.colour);
  }
}

// The centres that remain. `equal`: marks are all equal, else all different. `known`: marked atoms that keep their mark.
template <int W>
bool find_centres(const Molecule& m, const Facts<W>& f, Spacial<W>& s, bool equal, const Bits<W>& known,
                  Bits<W>& centres) {
  if (!note_rings(m, f.rings, s)) return false;
  Bits<W> possible = s.candidates & ~known, possible_bonds = s.double_bonds & ~s.named, fixed = Bits<W>::none();
  const Bits<W> own_bonds = m.stereo_marks && equal ? possible_bonds : s.double_bonds;
  for (unsigned b = 0; b < m.bonds(); ++b) s.bond_code[b] = mix(m.order[b] + (own_bonds.test(b) ? 16 * (b + 1) : 0));
  for (bool again = true; again;) {
    again = false;
    for (unsigned a = 0; a < m.atoms; ++a) {
      const bool own = possible.test(a) || (known.test(a) && !equal);
      const unsigned number = own ? a + 2 : known.test(a);
      s.classes.colour[a] = mix(m.atom[a].element + 256u * static_cast<u8>(m.atom[a].charge) + 65536u * number);
    }
    refine_spacial(m, s);
    bool ordered = true;
    for_each(possible | known, [&](unsigned a) {
      if (fixed.test(a) || !s.tetrahedral.test(a)) return;
      const bool equals = has_equal_neighbours(m, a, s);
      if (!equals && known.test(a)) {
        fixed.set(a);
      } else if (equals && possible.test(a)) {
        possible.clear(a);
        again = true;
        ordered = ordered && leave_rings(m, a, f.rings, s);
      }
    });
    if (!ordered) return false;
    for_each(possible_bonds, [&](unsigned b) {
      const unsigned i = m.begin[b], j = m.end[b];
      if (m.atom[i].degree == 1 || m.atom[j].degree == 1) return;
      const Bits<W> kept = possible | known;
      if (!has_equal_ends(m, b, i, f.rings, s, kept) && !has_equal_ends(m, b, j, f.rings, s, kept)) return;
      possible_bonds.clear(b);
      s.bond_code[b] = mix(m.order[b]);
      again = true;
    });
  }
  centres = (possible | fixed) & s.tetrahedral;
  return true;
}

// Whether the neighbours at an end of a double bond differ in RDKit's ranks; single and aromatic bonds count.
inline bool ends_differ(const Molecule& m, unsigned bond, unsigned a, const u64* colour, bool& any) {
  unsigned other[2], n = 0;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    const u8 order = m.order[m.bond[a][i]];
    if (m.bond[a][i] != bond && n < 2 && (order == kSingle || order == kAromaticOrder)) other[n++] = m.neighbour[a][i];
  }
  any = n != 0;
  return n < 2 || colour[other[0]] != colour[other[1]];
}

inline bool can_be_named(const Molecule& m, unsigned b, const u64* colour) {
  const unsigned i = m.begin[b], j = m.end[b];
  const auto fits = [&](unsigned a) { return m.atom[a].degree == 2 || m.atom[a].degree == 3; };
  if (!fits(i) || !fits(j)) return false;
  bool left = false, right = false;
  const bool differ = ends_differ(m, b, i, colour, left) && ends_differ(m, b, j, colour, right);
  return differ && left && right;
}

// kStereo for molecules that are left to RDKit.
template <int W>
Status find_spacial_stereo(const Molecule& m, const Facts<W>& f, const Bits<W>& ring_bonds, Spacial<W>& s,
                           Bits<W>& stereo) {
  stereo = s.ends = s.candidates = s.tetrahedral = s.marked = s.named = s.double_bonds = Bits<W>::none();
  s.several_atoms = s.several_bonds = Bits<W>::none();
  Bits<W> once_atoms = Bits<W>::none(), once_bonds = once_atoms, small = once_atoms;
  for (unsigned r = 0; r < f.rings.count; ++r) {
    s.several_atoms |= once_atoms & f.rings.atoms[r];
    s.several_bonds |= once_bonds & f.rings.bonds[r];
    once_atoms |= f.rings.atoms[r];
    once_bonds |= f.rings.bonds[r];
    if (f.rings.bonds[r].count() < static_cast<int>(kSmallestStereoRing)) small |= f.rings.bonds[r];
  }
  for (unsigned a = 0; a < m.atoms; ++a) {
    bool tetrahedral = false;
    if (!is_candidate(m, a, f, tetrahedral)) continue;
    s.candidates.set(a);
    if (tetrahedral) s.tetrahedral.set(a);
    if ((m.atom[a].flags & kTetrahedral) != 0) s.marked.set(a);
  }
  Bits<W> bonds = Bits<W>::none();
  for (unsigned b = 0; b < m.bonds(); ++b) {
    if (m.order[b] != kDouble) continue;
    bonds.set(b);
    const auto fits = [&](unsigned a) {
      const int degree = m.atom[a].degree + m.atom[a].hydrogens;
      return degree >= 2 && degree <= 3 && f.hydrogens[a] < 2;
    };
    if (!small.test(b) && fits(m.begin[b]) && fits(m.end[b])) s.double_bonds.set(b);
  }
  if (!s.candidates.any() && !bonds.any()) return kNative;
  for (unsigned a = 0; a < m.atoms; ++a) {
    if ((m.atom[a].flags & kMapped) != 0) return kStereo;
  }
  Classes& c = s.classes;
  for (unsigned a = 0; a < m.atoms; ++a) c.colour[a] = mix(m.atom[a].element);
  c.count = 0;
  refine(m, c);
  for_each(bonds & ~ring_bonds, [&](unsigned b) {
    if (can_be_named(m, b, c.colour)) s.named.set(b);
  });
  s.sure = Bits<W>::none();
  for_each(s.marked, [&](unsigned a) {
    if (neighbours_differ(m, a, c.colour)) s.sure.set(a);
  });
  if (m.stereo_marks) {
    if ((s.double_bonds & ring_bonds).any()) return kStereo;
    for_each(bonds, [&](unsigned b) {
      if (m.atom[m.begin[b]].degree > 1 && m.atom[m.end[b]].degree > 1) {
        c.colour[m.begin[b]] += mix(m.begin[b] + 1);
        c.colour[m.end[b]] += mix(m.end[b] + 1);
      }
    });
    for (unsigned a = 0; a < m.atoms; ++a) {
      if ((m.atom[a].flags & kTetrahedral) != 0) c.colour[a] += mix(a + 1);
    }
    c.count = 0;
    refine(m, c);
    bool doubtful = false;
    for_each(bonds & ~ring_bonds & ~s.named, [&](unsigned b) { doubtful = doubtful || can_be_named(m, b, c.colour); });
    if (doubtful) return kStereo;
  }
  Bits<W> centres = Bits<W>::none();
  if (s.candidates.any()) {
    if (!find_centres(m, f, s, true, s.marked, centres)) return kStereo;
    const bool unsure = (s.marked & ~s.sure).any();
    for (unsigned bound = 1; bound < 4 && m.stereo_marks; ++bound) {
      if (bound > 1 && !unsure) break;
      Bits<W> others = Bits<W>::none();
      const bool found = find_centres(m, f, s, bound == 2, bound == 1 ? s.marked : s.sure, others);
      if (!found || !(others == centres)) return kStereo;
    }
  }
  for_each(s.named, [&](unsigned b) {
    s.ends.set(m.begin[b]);
    s.ends.set(m.end[b]);
  });
  stereo = centres | s.ends;
  return kNative;
}

// kSize without heavy atoms: RDKit has no value.
template <int W>
Status spacial_score(const Molecule& m, const Facts<W>& f, const Bits<W>& ring_atoms, const Bits<W>& ring_bonds,
                     Spacial<W>& s, double& score) {
  Bits<W> stereo;
  const Status status = find_spacial_stereo(m, f, ring_bonds, s, stereo);
  if (status != kNative) return status;
  static constexpr int by_hybrid[] = {4, 1, 2, 3, 4, 4, 4};
  int sum = 0, heavy = 0;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const int ring = ring_atoms.test(a) && !f.aromatic.test(a) ? 2 : 1;
    sum += by_hybrid[f.hybrid[a]] * (stereo.test(a) ? 2 : 1) * ring * m.atom[a].degree * m.atom[a].degree;
    heavy += m.atom[a].element != 1;
  }
  if (heavy == 0) return kSize;
  score = static_cast<double>(sum) / heavy;
  return kNative;
}

}  // namespace
}  // namespace catalase
