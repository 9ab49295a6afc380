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
// same holds for marked atoms that RDKit may have unmarked while reading. What depends on the order of rings, which
// follows from RDKit's search, is left to RDKit too.
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
  const bool pyramidal = atom.element == 15 || atom.element == 33;
  if (pyramidal ? atom.degree >= 2 && degree <= 4 : could_be_centre(m, a, f)) return true;
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

// Counts for each atom and bond the rings in which candidates depend on each other: they lie opposite each other, at each
// third of the ring, or at the ends of a shared part of it.
template <int W>
void note_rings(const Molecule& m, const RingSet<W>& rings, Spacial<W>& s) {
  __builtin_memset(s.atom_rings, 0, m.atoms);
  __builtin_memset(s.bond_rings, 0, m.bonds());
  for (unsigned r = 0; r < rings.count; ++r) {
    const Bits<W>& bonds = rings.bonds[r];
    if (!(rings.atoms[r] & s.candidates).any()) continue;
    const unsigned size = walk_ring(m, bonds, s);
    const auto has_stereo_bond = [&](unsigned a) {  // beside the ring
      for (unsigned k = 0; k < m.atom[a].degree; ++k) {
        if (s.double_bonds.test(m.bond[a][k]) && !bonds.test(m.bond[a][k])) return true;
      }
      return false;
    };
    Bits<W> found = Bits<W>::none();
    unsigned count = 0;
    for (unsigned i = 0; i < size; ++i) {
      const unsigned a = s.ring_atom[i];
      if (!s.candidates.test(a)) continue;
      for (unsigned parts = 2; parts <= 3; ++parts) {
        if (size % parts != 0) continue;
        unsigned by_bond = 0, by_atom = 0;
        for (unsigned k = 1; k < parts; ++k) {
          const unsigned other = s.ring_atom[(i + k * (size / parts)) % size];
          by_bond += has_stereo_bond(other);
          by_atom += by_bond == 0 && s.candidates.test(other);
        }
        if (by_bond != parts - 1 && by_atom != parts - 1) continue;
        count += 1 + by_bond;
        for (unsigned k = 0; k < parts; ++k) found.set(s.ring_atom[(i + k * (size / parts)) % size]);
      }
      if (!s.several_atoms.test(a)) continue;
      for (unsigned step = 1; step <= (size + 1) / 2; ++step) {
        if (!s.several_bonds.test(s.ring_bond[(i + step - 1) % size])) break;
        const unsigned other = s.ring_atom[(i + step) % size];
        if (!s.candidates.test(other)) continue;
        count += 2;
        found.set(a);
        found.set(other);
        break;
      }
    }
    if (count <= 1) continue;
    for_each(found, [&](unsigned a) { ++s.atom_rings[a]; });
    for_each(bonds, [&](unsigned b) { ++s.bond_rings[b]; });
  }
}

// An atom that is no centre leaves its rings: those with less than two are not counted any more. False if the order of
// rings matters.
template <int W>
bool leave_rings(const Molecule& m, unsigned a, const RingSet<W>& rings, Spacial<W>& s) {
  s.atom_rings[a] = 0;
  u8 atoms[2][256], bonds[2][256];
  for (unsigned way = 0; way < 2; ++way) {
    __builtin_memcpy(atoms[way], s.atom_rings, m.atoms);
    __builtin_memcpy(bonds[way], s.bond_rings, m.bonds());
    for (unsigned k = 0; k < rings.count; ++k) {
      const unsigned r = way == 0 ? k : rings.count - 1 - k;
      unsigned count = 0, last = 0;
      for_each(rings.atoms[r], [&](unsigned b) {
        if (atoms[way][b] != 0) ++count, last = b;
      });
      if (count > 1) continue;
      if (count == 1) --atoms[way][last];
      for_each(rings.bonds[r],
               [&](unsigned b) { bonds[way][b] = static_cast<u8>(bonds[way][b] - (bonds[way][b] != 0)); });
    }
  }
  if (__builtin_memcmp(atoms[0], atoms[1], m.atoms) != 0 || __builtin_memcmp(bonds[0], bonds[1], m.bonds()) != 0) {
    return false;
  }
  __builtin_memcpy(s.atom_rings, atoms[0], m.atoms);
  __builtin_memcpy(s.bond_rings, bonds[0], m.bonds());
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

// Whether the two other neighbours at an end of a double bond have one class.
template <int W>
bool are_ends_equal(const Molecule& m, unsigned bond, unsigned a, const Spacial<W>& s) {
  unsigned other[2], n = 0;
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (m.bond[a][i] != bond && n < 2) other[n++] = m.neighbour[a][i];
  }
  return n == 2 && s.classes.colour[other[0]] == s.classes.colour[other[1]];
}

// The same, unless the atom opposite in a ring of them is a candidate, or has a stereo bond that leaves the ring.
template <int W>
bool has_equal_ends(const Molecule& m, unsigned bond, unsigned a, const RingSet<W>& rings, Spacial<W>& s,
                    const Bits<W>& kept, const Bits<W>& kept_bonds) {
  if (!are_ends_equal(m, bond, a, s)) return false;
  Bits<W> others = Bits<W>::none();
  for (unsigned i = 0; i < m.atom[a].degree; ++i) {
    if (m.bond[a][i] != bond) others.set(m.neighbour[a][i]);
  }
  for (unsigned r = 0; r < rings.count; ++r) {
    const Bits<W>& atoms = rings.atoms[r];
    if ((others & ~atoms).any() || atoms.count() % 2 != 0) continue;
    const unsigned size = walk_ring(m, rings.bonds[r], s);
    for (unsigned i = 0; i < size; ++i) {
      if (s.ring_atom[i] != m.begin[bond] && s.ring_atom[i] != m.end[bond]) continue;
      const unsigned opposite = s.ring_atom[(i + size / 2) % size];
      if (kept.test(opposite)) return false;
      for (unsigned k = 0; k < m.atom[opposite].degree && m.atom[opposite].degree == 3; ++k) {
        if (!atoms.test(m.neighbour[opposite][k]) && kept_bonds.test(m.bond[opposite][k])) return false;
      }
    }
  }
  return true;
}

// Until nothing changes, or done() says that classes are fine enough.
template <int W, class Done>
void refine_spacial(const Molecule& m, Spacial<W>& s, Done&& done) {
  Classes& c = s.classes;
  c.count = 0;
  for (unsigned before = ~0u; c.count != before && !done();) {
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
  note_rings(m, f.rings, s);
  Bits<W> possible = s.candidates & ~known, possible_bonds = s.double_bonds & ~s.named;
  Bits<W> fixed = Bits<W>::none(), plain = fixed, ring_atoms = fixed;  // plain: marked, but without a label now
  for (unsigned r = 0; r < f.rings.count; ++r) ring_atoms |= f.rings.atoms[r];
  const Bits<W> own_bonds = m.stereo_marks && equal ? possible_bonds : s.double_bonds;
  for (unsigned b = 0; b < m.bonds(); ++b) s.bond_code[b] = mix(m.order[b] + (own_bonds.test(b) ? 16 * (b + 1) : 0));
  unsigned rounds = 0;
  for (bool again = true; again;) {
    if (++rounds > 2 * m.atoms + 16) return false;
    again = false;
    for (unsigned a = 0; a < m.atoms; ++a) {
      const bool labelled = known.test(a) && !plain.test(a);
      const unsigned number = possible.test(a) || (labelled && !equal) ? a + 2 : labelled;
      s.classes.colour[a] = mix(m.atom[a].element + 256u * static_cast<u8>(m.atom[a].charge) + 65536u * number);
    }
    Bits<W> doubtful = (possible | known) & ~fixed & s.tetrahedral, doubtful_bonds = possible_bonds;
    refine_spacial(m, s, [&] {
      for_each(doubtful, [&](unsigned a) {
        if (neighbours_differ(m, a, s.classes.colour)) doubtful.clear(a);
      });
      for_each(doubtful_bonds, [&](unsigned b) {
        if (!are_ends_equal(m, b, m.begin[b], s) && !are_ends_equal(m, b, m.end[b], s)) doubtful_bonds.clear(b);
      });
      return !doubtful.any() && !doubtful_bonds.any();
    });
    bool ordered = true;
    for_each(possible | known, [&](unsigned a) {
      if (fixed.test(a)) return;
      if (!s.tetrahedral.test(a) || !has_equal_neighbours(m, a, s)) {
        if (!known.test(a)) return;
        fixed.set(a);
        again = again || plain.test(a);
        plain.clear(a);
        return;
      }
      again = again || possible.test(a) || s.atom_rings[a] != 0;
      possible.clear(a);
      if (known.test(a)) plain.set(a);
      if (s.atom_rings[a] == 0) return;
      fixed &= ~ring_atoms;
      ordered = ordered && leave_rings(m, a, f.rings, s);
    });
    if (!ordered) return false;
    const Bits<W> kept = possible | known;
    for_each(possible_bonds, [&](unsigned b) {
      const unsigned i = m.begin[b], j = m.end[b];
      if (m.atom[i].degree == 1 || m.atom[j].degree == 1) return;
      const Bits<W> kept_bonds = possible_bonds | (s.named & s.double_bonds);
      if (!has_equal_ends(m, b, i, f.rings, s, kept, kept_bonds) &&
          !has_equal_ends(m, b, j, f.rings, s, kept, kept_bonds)) {
        return;
      }
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
  s.sure = Bits<W>::none();
  Bits<W> outside = Bits<W>::none();  // rings, with neighbours at both ends
  for_each(bonds & ~ring_bonds, [&](unsigned b) {
    if (m.atom[m.begin[b]].degree > 1 && m.atom[m.end[b]].degree > 1) outside.set(b);
  });
  for (unsigned before = ~0u; c.count != before;) {
    for_each(outside & ~s.named, [&](unsigned b) {
      if (can_be_named(m, b, c.colour)) s.named.set(b);
    });
    for_each(s.marked & ~s.sure, [&](unsigned a) {
      if (neighbours_differ(m, a, c.colour)) s.sure.set(a);
    });
    if (s.named == outside && s.sure == s.marked) break;
    before = c.count;
    refine_once(m, c);
  }
  if (m.stereo_marks && (s.double_bonds & ring_bonds).any()) return kStereo;
  if (m.stereo_marks && !(s.named == outside)) {
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
    for_each(outside & ~s.named, [&](unsigned b) { doubtful = doubtful || can_be_named(m, b, c.colour); });
    if (doubtful) return kStereo;
  }
  Bits<W> centres = Bits<W>::none();
  if (s.candidates.any()) {
    if (!find_centres(m, f, s, true, s.marked, centres)) return kStereo;
    const bool unsure = (s.marked & ~s.sure).any();
    const bool all = centres == (s.candidates & s.tetrahedral);  // finer classes keep no more
    for (unsigned bound = 1; bound < 4 && m.stereo_marks && !all; ++bound) {
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
  static constexpr int by_hybrid[] = {4, 4, 1, 2, 3, 4, 4, 4};
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
