#include "graph/environments.h"

#include <algorithm>
#include <cstring>

namespace catalase {
namespace {

using Hash = std::uint64_t;

Hash mixed(Hash x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}
Hash joined(Hash a, Hash b) {
  return mixed(a * 0x9e3779b97f4a7c15u + b + 1);
}

Hash hash_of_bytes(Hash seed, const void* data, Index bytes) {
  const auto* p = static_cast<const unsigned char*>(data);
  for (; bytes > 0; bytes -= 8, p += 8) {
    Hash word = 0;
    std::memcpy(&word, p, static_cast<std::size_t>(bytes < 8 ? bytes : 8));
    seed = joined(seed, word);
  }
  return seed;
}

// Finds the number of something by its hash; `same(number)` says whether it is that one.
class Finder {
 public:
  // Returns a number below `count`, or `count` itself for something new, whose hash must then be added to `hashes`.
  template <class Same>
  Index find(Hash hash, const ScratchVector<Hash>& hashes, Same&& same) {
    if (2 * hashes.size() >= places_.size()) grow(hashes);
    const std::size_t mask = places_.size() - 1;
    for (std::size_t at = static_cast<std::size_t>(hash) & mask;; at = (at + 1) & mask) {
      const std::int32_t number = places_[at];
      if (number < 0) {
        places_[at] = static_cast<std::int32_t>(hashes.size());
        return static_cast<Index>(hashes.size());
      }
      if (hashes[static_cast<std::size_t>(number)] == hash && same(static_cast<Index>(number))) return number;
    }
  }

 private:
  void grow(const ScratchVector<Hash>& hashes) {
    places_.assign(std::max<std::size_t>(256, 4 * places_.size()), -1);
    const std::size_t mask = places_.size() - 1;
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      std::size_t at = static_cast<std::size_t>(hashes[i]) & mask;
      while (places_[at] >= 0) at = (at + 1) & mask;
      places_[at] = static_cast<std::int32_t>(i);
    }
  }

  ScratchVector<std::int32_t> places_;  // a power of two, at most half full; -1: free
};

// The number of a class of this content in the table, to which it is added if it is new.
std::int32_t number_of(ClassTable& table, Finder& finder, std::int32_t kind, const std::int32_t* members, Index count,
                       Hash hash) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(std::int32_t);
  const Index number = finder.find(hash, table.hash, [&](Index c) {
    const Index* offsets = table.offsets.data() + c;
    return table.kind[static_cast<std::size_t>(c)] == kind && offsets[1] - offsets[0] == count &&
           (count == 0 || std::memcmp(table.index.data() + offsets[0], members, bytes) == 0);
  });
  if (number == static_cast<Index>(table.hash.size())) {
    table.hash.push_back(hash);
    table.kind.push_back(kind);
    table.index.insert(table.index.end(), members, members + count);
    table.offsets.push_back(static_cast<Index>(table.index.size()));
  }
  return static_cast<std::int32_t>(number);
}

// The kind of each atom, and a representative of each.
void find_atom_kinds(const PackedGraphs& g, ScratchVector<std::int32_t>& kinds, ScratchVector<Hash>& hashes,
                     ScratchVector<std::int32_t>& of_atom) {
  Finder finder;
  const auto codes = static_cast<std::size_t>(g.atom_fields), floats = static_cast<std::size_t>(g.atom_numbers);
  for (Index a = 0; a < g.atoms; ++a) {
    const std::uint8_t* code = g.atom_codes + a * g.atom_fields;
    const float* number = g.atom_floats + a * g.atom_numbers;
    Hash hash = hash_of_bytes(1, code, g.atom_fields);
    hash = hash_of_bytes(hash, number, g.atom_numbers * static_cast<Index>(sizeof(float)));
    const Index kind = finder.find(hash, hashes, [&](Index k) {
      const Index other = kinds[static_cast<std::size_t>(k)];
      return (codes == 0 || std::memcmp(g.atom_codes + other * g.atom_fields, code, codes) == 0) &&
             (floats == 0 || std::memcmp(g.atom_floats + other * g.atom_numbers, number, floats * sizeof(float)) == 0);
    });
    if (kind == static_cast<Index>(hashes.size())) {
      hashes.push_back(hash);
      kinds.push_back(static_cast<std::int32_t>(a));
    }
    of_atom[static_cast<std::size_t>(a)] = static_cast<std::int32_t>(kind);
  }
}

// The class at depth 0 of each bond.
void find_bond_kinds(const PackedGraphs& g, const ScratchVector<std::int32_t>& of_atom,
                     const ScratchVector<Hash>& atom_hashes, ScratchVector<std::int32_t>& kinds,
                     ScratchVector<Hash>& hashes, ScratchVector<std::int32_t>& of_bond) {
  Finder finder;
  const auto codes = static_cast<std::size_t>(g.bond_fields);
  for (Index b = 0; b < g.bonds; ++b) {
    const std::uint8_t* code = g.bond_codes + b * g.bond_fields;
    const std::int32_t atom = of_atom[static_cast<std::size_t>(g.source[b])];
    const Hash hash = hash_of_bytes(atom_hashes[static_cast<std::size_t>(atom)], code, g.bond_fields);
    const Index kind = finder.find(hash, hashes, [&](Index k) {
      const Index other = kinds[static_cast<std::size_t>(k)];
      return of_atom[static_cast<std::size_t>(g.source[other])] == atom &&
             (codes == 0 || std::memcmp(g.bond_codes + other * g.bond_fields, code, codes) == 0);
    });
    if (kind == static_cast<Index>(hashes.size())) {
      hashes.push_back(hash);
      kinds.push_back(static_cast<std::int32_t>(b));
    }
    of_bond[static_cast<std::size_t>(b)] = static_cast<std::int32_t>(kind);
  }
}

// The bonds into atom a: into[starts[a]] .. into[starts[a + 1] - 1], ascending.
void find_arrivals(const PackedGraphs& g, ScratchVector<Index>& starts, ScratchVector<std::int32_t>& into) {
  starts.assign(static_cast<std::size_t>(g.atoms) + 2, 0);
  into.resize(static_cast<std::size_t>(g.bonds));
  Index* next = starts.data() + 1;  // next[a]: the place of the next bond into a; at the end the start of a + 1
  for (Index b = 0; b < g.bonds; ++b) ++starts[static_cast<std::size_t>(g.target[b]) + 2];
  for (Index a = 0; a < g.atoms; ++a) next[a + 1] += next[a];
  for (Index b = 0; b < g.bonds; ++b)
    into[static_cast<std::size_t>(next[g.target[b]]++)] = static_cast<std::int32_t>(b);
}

// A bond into an atom, with its class.
struct Arrival {
  Hash hash;
  std::int32_t number;
  std::int32_t bond;
  bool operator<(const Arrival& o) const { return hash != o.hash ? hash < o.hash : number < o.number; }
};

void sort_arrivals(Arrival* first, Index count) {
  if (count > 16) return std::sort(first, first + count);
  for (Index i = 1; i < count; ++i) {  // an atom has few bonds
    const Arrival moved = first[i];
    Index j = i;
    for (; j > 0 && moved < first[j - 1]; --j) first[j] = first[j - 1];
    first[j] = moved;
  }
}

}  // namespace

Index first_bad_bond(const PackedGraphs& g) {
  for (Index i = 0; i < g.molecules; ++i) {
    const Index low = g.atom_offsets[i], high = g.atom_offsets[i + 1];
    for (Index b = g.bond_offsets[i]; b < g.bond_offsets[i + 1]; ++b) {
      const Index reverse = b ^ 1;
      const bool beside = reverse >= g.bond_offsets[i] && reverse < g.bond_offsets[i + 1];
      if (!beside || g.source[b] < low || g.source[b] >= high || g.source[b] != g.target[reverse]) return b;
    }
  }
  return -1;
}

Environments find_environments(const PackedGraphs& g, Index depth) {
  Environments e;
  const auto atoms = static_cast<std::size_t>(g.atoms), bonds = static_cast<std::size_t>(g.bonds);
  ScratchVector<std::int32_t> kind_of_atom(atoms), kind_of_bond(bonds);
  ScratchVector<Hash> atom_hashes, bond_hashes;
  find_atom_kinds(g, e.atom_kinds, atom_hashes, kind_of_atom);
  find_bond_kinds(g, kind_of_atom, atom_hashes, e.bond_kinds, bond_hashes, kind_of_bond);

  // The bonds into each atom.
  ScratchVector<Index> starts(atoms + 2, 0);
  Index* next = starts.data() + 1;
  for (Index b = 0; b < g.bonds; ++b) ++next[g.target[b] + 1];
  for (Index a = 0; a < g.atoms; ++a) next[a + 1] += next[a];
  ScratchVector<std::int32_t> into(bonds);
  for (Index b = 0; b < g.bonds; ++b)
    into[static_cast<std::size_t>(next[g.target[b]]++)] = static_cast<std::int32_t>(b);

  ScratchVector<std::int32_t> classes = kind_of_bond, following(depth > 1 ? bonds : 0), members;
  ScratchVector<Arrival> arrivals;
  const ScratchVector<Hash>* hashes = &bond_hashes;
  // The bonds into atom a, in the order of their classes.
  const auto arrive = [&](Index a) {
    const Index first = starts[static_cast<std::size_t>(a)], count = starts[static_cast<std::size_t>(a) + 1] - first;
    arrivals.resize(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) {
      const std::int32_t b = into[static_cast<std::size_t>(first + i)];
      const std::int32_t number = classes[static_cast<std::size_t>(b)];
      arrivals[static_cast<std::size_t>(i)] = {(*hashes)[static_cast<std::size_t>(number)], number, b};
    }
    sort_arrivals(arrivals.data(), count);
  };

  e.bonds.resize(static_cast<std::size_t>(depth - 1));
  for (ClassTable& table : e.bonds) {
    Finder finder;
    for (Index a = 0; a < g.atoms; ++a) {
      arrive(a);
      for (const Arrival& own : arrivals) {  // the bond back along `own` starts at a
        const auto b = static_cast<std::size_t>(own.bond ^ 1);
        const std::int32_t kind = kind_of_bond[b];
        Hash hash = joined(bond_hashes[static_cast<std::size_t>(kind)], 2);
        members.clear();
        for (const Arrival& other : arrivals) {
          if (&other == &own) continue;
          members.push_back(other.number);
          hash = joined(hash, other.hash);
        }
        following[b] = number_of(table, finder, kind, members.data(), static_cast<Index>(members.size()), hash);
      }
    }
    classes.swap(following);
    hashes = &table.hash;
  }

  Finder finder;
  e.atom_classes.resize(atoms);
  for (Index a = 0; a < g.atoms; ++a) {
    arrive(a);
    const std::int32_t kind = kind_of_atom[static_cast<std::size_t>(a)];
    Hash hash = joined(atom_hashes[static_cast<std::size_t>(kind)], 3);
    members.clear();
    for (const Arrival& other : arrivals) {
      members.push_back(other.number);
      hash = joined(hash, other.hash);
    }
    e.atom_classes[static_cast<std::size_t>(a)] =
        number_of(e.atoms, finder, kind, members.data(), static_cast<Index>(members.size()), hash);
  }

  e.atom_order.resize(atoms);
  for (Index i = 0; i < g.molecules; ++i) {
    arrivals.clear();
    for (Index a = g.atom_offsets[i]; a < g.atom_offsets[i + 1]; ++a) {
      const std::int32_t number = e.atom_classes[static_cast<std::size_t>(a)];
      arrivals.push_back({e.atoms.hash[static_cast<std::size_t>(number)], number, static_cast<std::int32_t>(a)});
    }
    sort_arrivals(arrivals.data(), static_cast<Index>(arrivals.size()));
    std::int32_t* to = e.atom_order.data() + g.atom_offsets[i];
    for (const Arrival& atom : arrivals) *to++ = atom.bond;
  }
  return e;
}

Environments plain_environments(const PackedGraphs& g) {
  Environments e;
  const auto atoms = static_cast<std::size_t>(g.atoms), bonds = static_cast<std::size_t>(g.bonds);
  e.atom_kinds.resize(atoms), e.bond_kinds.resize(bonds);
  for (std::size_t a = 0; a < atoms; ++a) e.atom_kinds[a] = static_cast<std::int32_t>(a);
  for (std::size_t b = 0; b < bonds; ++b) e.bond_kinds[b] = static_cast<std::int32_t>(b);
  e.atom_classes = e.atom_order = e.atoms.kind = e.atom_kinds;
  ScratchVector<Index> starts;
  find_arrivals(g, starts, e.atoms.index);
  e.atoms.offsets.assign(starts.begin(), starts.begin() + g.atoms + 1);
  e.bonds.resize(1);
  ClassTable& table = e.bonds[0];
  table.kind = e.bond_kinds;
  for (Index b = 0; b < g.bonds; ++b) {
    const auto a = static_cast<std::size_t>(g.source[b]);
    for (Index i = starts[a]; i < starts[a + 1]; ++i) {
      const std::int32_t other = e.atoms.index[static_cast<std::size_t>(i)];
      if (other != (b ^ 1)) table.index.push_back(other);
    }
    table.offsets.push_back(static_cast<Index>(table.index.size()));
  }
  return e;
}

Index marks_needed(const EnvironmentsView& e) {
  Index total = e.atoms.classes + e.atom_kinds + e.bond_kinds;
  for (Index t = 0; t + 1 < e.depth; ++t) total += e.bonds[t].classes;
  return total;
}

namespace {

// Numbers the classes of one table in the order in which they are met.
class Numbering {
 public:
  Numbering(ClassMark* marks, std::uint32_t stamp, ScratchVector<std::int32_t>& met)
      : marks_(marks), stamp_(stamp), met_(met) {}

  std::int32_t operator()(std::int32_t number) {
    ClassMark& mark = marks_[number];
    if (mark.stamp != stamp_) {
      const auto row = static_cast<std::int32_t>(met_.size());
      met_.push_back(number);
      mark = {stamp_, row};
    }
    return mark.row;
  }

 private:
  ClassMark* marks_;
  std::uint32_t stamp_;
  ScratchVector<std::int32_t>& met_;
};

// The lists and kinds of the rows `met` of one table.
void fill_level(const ClassView& table, const ScratchVector<std::int32_t>& met, Numbering& members, Numbering& kinds,
                BatchLevel& level) {
  level.offsets.reserve(met.size() + 1);
  level.kind.reserve(met.size());
  level.offsets.push_back(0);
  for (const std::int32_t number : met) {
    for (Index i = table.offsets[number]; i < table.offsets[number + 1]; ++i) {
      level.index.push_back(members(table.index[i]));
    }
    level.offsets.push_back(static_cast<Index>(level.index.size()));
    level.kind.push_back(kinds(table.kind[number]));
  }
}

}  // namespace

EnvironmentBatch environment_batch(const EnvironmentsView& e, const Index* molecules, Index count, ClassMark* marks,
                                   std::uint32_t stamp) {
  EnvironmentBatch batch;
  ScratchVector<std::int32_t> atoms, above, below;
  Numbering atom(marks, stamp, atoms);
  marks += e.atoms.classes;
  batch.molecules.offsets.push_back(0);
  for (Index i = 0; i < count; ++i) {
    for (Index a = e.atom_offsets[molecules[i]]; a < e.atom_offsets[molecules[i] + 1]; ++a) {
      batch.molecules.index.push_back(atom(e.atom_classes[e.atom_order[a]]));
    }
    batch.molecules.offsets.push_back(static_cast<Index>(batch.molecules.index.size()));
  }
  ClassMark* depth_marks = marks;
  for (Index t = 0; t + 1 < e.depth; ++t) marks += e.bonds[t].classes;
  Numbering atom_kind(marks, stamp, batch.atom_kinds);
  Numbering bond_kind(marks + e.atom_kinds, stamp, batch.bond_kinds);
  batch.bonds.resize(static_cast<std::size_t>(e.depth - 1));
  if (e.depth == 1) {
    fill_level(e.atoms, atoms, bond_kind, atom_kind, batch.atoms);
    return batch;
  }
  {
    Numbering last(depth_marks, stamp, above);
    fill_level(e.atoms, atoms, last, atom_kind, batch.atoms);
  }
  for (Index t = e.depth - 1; t >= 1; --t) {  // `above` are the classes of depth t that were met
    const ClassView& table = e.bonds[t - 1];
    BatchLevel& level = batch.bonds[static_cast<std::size_t>(t - 1)];
    if (t == 1) {
      fill_level(table, above, bond_kind, bond_kind, level);
    } else {
      depth_marks += table.classes;
      below.clear();
      Numbering members(depth_marks, stamp, below);
      fill_level(table, above, members, bond_kind, level);
      above.swap(below);
    }
  }
  return batch;
}

}  // namespace catalase
