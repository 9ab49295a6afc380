#include "graph/environments.h"

#include <algorithm>
#include <cstring>
#include <utility>

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

// Hashes of a multiset are added after this: the sum without a member costs one subtraction.
Hash spread(Hash x) {
  return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
}

// A table of numbers by the hashes of their contents: open addressing, at most half full. A place holds half of the hash,
// so that other contents are hardly ever looked at.
class Finder {
 public:
  Finder() : places_(256, Place{0, -1}) {}

  // The number of a content; `same(number)` says whether it is that one. A new content gets the next number.
  template <class Same>
  std::int32_t find(Hash hash, Same&& same) {
    if (2 * hashes.size() >= places_.size()) grow();
    Place& place = free_or(hash, same);
    if (place.number >= 0) return place.number;
    place = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::int32_t>(hashes.size())};
    hashes.push_back(hash);
    return place.number;
  }

  ScratchVector<Hash> hashes;  // of each number

 private:
  struct Place {
    std::uint32_t tag;
    std::int32_t number;  // -1: free
  };

  template <class Equal>
  Place& free_or(Hash hash, Equal&& equal) {
    const std::size_t mask = places_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = static_cast<std::size_t>(hash) & mask;; at = (at + 1) & mask) {
      Place& place = places_[at];
      if (place.number < 0 || (place.tag == tag && equal(place.number))) return place;
    }
  }

  void grow() {
    places_.assign(2 * places_.size(), Place{0, -1});
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      free_or(hashes[i], [](std::int32_t) { return false; }) = {static_cast<std::uint32_t>(hashes[i] >> 32),
                                                                static_cast<std::int32_t>(i)};
    }
  }

  ScratchVector<Place> places_;
};

// The classes of one depth while they are found.
class ClassFinder {
 public:
  // `bonds` are the kinds of the members' bonds, where they belong to the content.
  std::int32_t number_of(std::int32_t kind, const std::int32_t* members, Index count, Hash hash,
                         const std::int32_t* bonds = nullptr) {
    const std::int32_t number = finder_.find(hash, [&](std::int32_t c) {
      const Index* offsets = table_.offsets.data() + c;
      if (table_.kind[static_cast<std::size_t>(c)] != kind || offsets[1] - offsets[0] != count) return false;
      const std::int32_t* own = table_.index.data() + offsets[0];
      for (Index i = 0; i < count; ++i) {
        if (own[i] != members[i]) return false;
        if (bonds && table_.bond[static_cast<std::size_t>(offsets[0] + i)] != bonds[i]) return false;
      }
      return true;
    });
    if (number == static_cast<std::int32_t>(table_.kind.size())) {
      table_.kind.push_back(kind);
      table_.index.insert(table_.index.end(), members, members + count);
      if (bonds) table_.bond.insert(table_.bond.end(), bonds, bonds + count);
      table_.offsets.push_back(static_cast<Index>(table_.index.size()));
    }
    return number;
  }

  ClassTable table() { return std::move(table_); }

 private:
  Finder finder_;
  ClassTable table_;
};

// The number and the hash of a class.
struct Numbered {
  Hash hash;
  std::int32_t number;
};

// Numbers keys of a fixed number of words.
class KeyFinder {
 public:
  explicit KeyFinder(std::size_t words) : words_(words) {}

  std::int32_t number_of(const Hash* key, Hash hash) {
    const std::int32_t number = finder_.find(hash, [&](std::int32_t k) {
      const Hash* own = keys_.data() + static_cast<std::size_t>(k) * words_;
      for (std::size_t i = 0; i < words_; ++i) {
        if (own[i] != key[i]) return false;
      }
      return true;
    });
    if (static_cast<std::size_t>(number) * words_ == keys_.size()) keys_.insert(keys_.end(), key, key + words_);
    return number;
  }

 private:
  std::size_t words_;
  Finder finder_;
  ScratchVector<Hash> keys_;
};

std::size_t words_of(Index bytes) {
  return static_cast<std::size_t>(bytes + 7) / sizeof(Hash);
}

// The kind of each atom, and an atom of each kind. A key is the codes and the floats, filled up with zeros.
void find_atom_kinds(const PackedGraphs& g, ScratchVector<std::int32_t>& kinds, ScratchVector<Numbered>& of_atom) {
  const auto codes = static_cast<std::size_t>(g.atom_fields);
  const auto floats = static_cast<std::size_t>(g.atom_numbers) * sizeof(float);
  const std::size_t first = words_of(g.atom_fields), words = first + words_of(static_cast<Index>(floats)) + 1;
  ScratchVector<Hash> key(words, 0);  // the last word stays zero: a key has one word at least
  KeyFinder finder(words);
  for (Index a = 0; a < g.atoms; ++a) {
    if (codes > 0) std::memcpy(key.data(), g.atom_codes + a * g.atom_fields, codes);
    if (floats > 0) std::memcpy(key.data() + first, g.atom_floats + a * g.atom_numbers, floats);
    Hash hash = 1;
    for (std::size_t i = 0; i + 1 < words; ++i) hash = joined(hash, key[i]);
    const std::int32_t kind = finder.number_of(key.data(), hash);
    if (kind == static_cast<std::int32_t>(kinds.size())) kinds.push_back(static_cast<std::int32_t>(a));
    of_atom[static_cast<std::size_t>(a)] = {hash, kind};
  }
}

// The class at depth 0 of each bond. A key is the codes and, if it is given, the kind of the source atom.
void find_bond_kinds(const PackedGraphs& g, const ScratchVector<Numbered>* of_atom, ScratchVector<std::int32_t>& kinds,
                     ScratchVector<Numbered>& of_bond) {
  const auto codes = static_cast<std::size_t>(g.bond_fields);
  const std::size_t words = words_of(g.bond_fields) + 1;
  ScratchVector<Hash> key(words, 0);
  KeyFinder finder(words);
  for (Index b = 0; b < g.bonds; ++b) {
    const Numbered atom = of_atom ? (*of_atom)[static_cast<std::size_t>(g.source[b])] : Numbered{1, 0};
    if (codes > 0) std::memcpy(key.data(), g.bond_codes + b * g.bond_fields, codes);
    key[words - 1] = static_cast<Hash>(atom.number);
    Hash hash = atom.hash;
    for (std::size_t i = 0; i + 1 < words; ++i) hash = joined(hash, key[i]);
    const std::int32_t kind = finder.number_of(key.data(), hash);
    if (kind == static_cast<std::int32_t>(kinds.size())) kinds.push_back(static_cast<std::int32_t>(b));
    of_bond[static_cast<std::size_t>(b)] = {hash, kind};
  }
}

// The bonds into atom a: bonds[starts[a]] .. bonds[starts[a + 1] - 1], ascending.
struct Arrivals {
  explicit Arrivals(const PackedGraphs& g)
      : starts(static_cast<std::size_t>(g.atoms) + 2, 0), bonds(static_cast<std::size_t>(g.bonds)) {
    Index* next = starts.data() + 1;  // next[a]: the place of the next bond into a; at the end the start of a + 1
    for (Index b = 0; b < g.bonds; ++b) ++starts[static_cast<std::size_t>(g.target[b]) + 2];
    for (Index a = 0; a < g.atoms; ++a) {
      most = std::max(most, static_cast<std::size_t>(next[a + 1]));
      next[a + 1] += next[a];
    }
    for (Index b = 0; b < g.bonds; ++b)
      bonds[static_cast<std::size_t>(next[g.target[b]]++)] = static_cast<std::int32_t>(b);
  }

  std::size_t most = 0;  // bonds into one atom
  ScratchVector<Index> starts;
  ScratchVector<std::int32_t> bonds;
};

struct Sum {
  Index count;
  Hash hash;
};

// A bond into an atom (or an atom of a molecule), with its class.
struct Arrival {
  Hash hash;
  std::int32_t number;
  std::int32_t item;
  std::int32_t bond = 0;  // the kind of the bond, where it is not in the class
  bool operator<(const Arrival& o) const {
    return hash != o.hash ? hash < o.hash : number != o.number ? number < o.number : bond < o.bond;
  }
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

// The class of each atom, and the atoms of each molecule in the order of their classes.
void order_atoms(const PackedGraphs& g, const ScratchVector<Numbered>& classes, Environments& e) {
  ScratchVector<Arrival> atoms;
  e.atom_classes.reserve(classes.size()), e.atom_order.reserve(classes.size());
  for (const Numbered& own : classes) e.atom_classes.push_back(own.number);
  for (Index i = 0; i < g.molecules; ++i) {
    atoms.clear();
    for (Index a = g.atom_offsets[i]; a < g.atom_offsets[i + 1]; ++a) {
      const Numbered& own = classes[static_cast<std::size_t>(a)];
      atoms.push_back({own.hash, own.number, static_cast<std::int32_t>(a)});
    }
    sort_arrivals(atoms.data(), static_cast<Index>(atoms.size()));
    for (const Arrival& atom : atoms) e.atom_order.push_back(atom.item);
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
  ScratchVector<Numbered> kind_of_atom(atoms), kind_of_bond(bonds);
  find_atom_kinds(g, e.atom_kinds, kind_of_atom);
  find_bond_kinds(g, &kind_of_atom, e.bond_kinds, kind_of_bond);
  const Arrivals into(g);

  ScratchVector<Numbered> classes = kind_of_bond, following(depth > 1 ? bonds : 0);
  ScratchVector<Arrival> arrivals(into.most);
  ScratchVector<std::int32_t> members(into.most + 1);
  // Finds the bonds into atom a, in the order of their classes, and returns their number and the sum of their hashes.
  const auto arrive = [&](std::size_t a) {
    const Index first = into.starts[a], count = into.starts[a + 1] - first;
    Arrival* to = arrivals.data();
    for (Index i = 0; i < count; ++i) {
      const std::int32_t b = into.bonds[static_cast<std::size_t>(first + i)];
      const Numbered& own = classes[static_cast<std::size_t>(b)];
      to[i] = {own.hash, own.number, b};
    }
    sort_arrivals(to, count);
    Hash sum = 0;
    for (Index i = 0; i < count; ++i) sum += spread(to[i].hash), members[static_cast<std::size_t>(i)] = to[i].number;
    return Sum{count, sum};
  };

  for (Index t = 1; t < depth; ++t) {
    ClassFinder finder;
    for (std::size_t a = 0; a < atoms; ++a) {
      const Sum all = arrive(a);
      // The bond back along arrival i starts at a, and sums the others: members without the i-th, which are all but the
      // first at the start, and get one more of the first at each turn.
      std::int32_t* others = members.data() + 1;
      for (Index i = 0; i < all.count; ++i) {
        const Arrival& own = arrivals[static_cast<std::size_t>(i)];
        const auto b = static_cast<std::size_t>(own.item ^ 1);
        const Numbered& kind = kind_of_bond[b];
        const Hash hash = joined(kind.hash, all.hash - spread(own.hash));
        following[b] = {hash, finder.number_of(kind.number, others, all.count - 1, hash)};
        others[i] = own.number;
      }
    }
    classes.swap(following);
    e.bonds.push_back(finder.table());
  }

  ClassFinder finder;
  ScratchVector<Numbered> found(atoms);
  for (std::size_t a = 0; a < atoms; ++a) {
    const Sum all = arrive(a);
    const Hash hash = joined(kind_of_atom[a].hash, all.hash);
    found[a] = {hash, finder.number_of(kind_of_atom[a].number, members.data(), all.count, hash)};
  }
  e.atoms = finder.table();
  order_atoms(g, found, e);
  return e;
}

Environments find_atom_environments(const PackedGraphs& g, Index depth, bool with_bonds) {
  Environments e;
  const auto atoms = static_cast<std::size_t>(g.atoms);
  ScratchVector<Numbered> classes(atoms), following(atoms);
  find_atom_kinds(g, e.atom_kinds, classes);
  ScratchVector<Numbered> kind_of_bond(with_bonds ? static_cast<std::size_t>(g.bonds) : 0);
  if (with_bonds) find_bond_kinds(g, nullptr, e.bond_kinds, kind_of_bond);
  const Arrivals into(g);
  ScratchVector<Arrival> arrivals(into.most);
  ScratchVector<std::int32_t> members(into.most), bonds(into.most);
  for (Index t = 1; t <= depth; ++t) {
    ClassFinder finder;
    for (std::size_t a = 0; a < atoms; ++a) {
      const Index first = into.starts[a], count = into.starts[a + 1] - first;
      Hash sum = 0;
      for (Index i = 0; i < count; ++i) {
        const std::int32_t b = into.bonds[static_cast<std::size_t>(first + i)], neighbour = g.source[b];
        const Numbered& own = classes[static_cast<std::size_t>(neighbour)];
        Arrival& arrival = arrivals[static_cast<std::size_t>(i)];
        arrival = {own.hash, own.number, neighbour};
        if (with_bonds) {
          const Numbered& bond = kind_of_bond[static_cast<std::size_t>(b)];
          arrival.hash = joined(own.hash, bond.hash), arrival.bond = bond.number;
        }
        sum += spread(arrival.hash);
      }
      sort_arrivals(arrivals.data(), count);
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        members[i] = arrivals[i].number, bonds[i] = arrivals[i].bond;
      }
      const Hash hash = joined(classes[a].hash, sum);
      const std::int32_t* own_bonds = with_bonds ? bonds.data() : nullptr;
      following[a] = {hash, finder.number_of(classes[a].number, members.data(), count, hash, own_bonds)};
    }
    classes.swap(following);
    if (t < depth) {
      e.bonds.push_back(finder.table());
    } else {
      e.atoms = finder.table();
    }
  }
  order_atoms(g, classes, e);
  return e;
}

namespace {

// The numbers 0 to count - 1.
ScratchVector<std::int32_t> ascending(Index count) {
  ScratchVector<std::int32_t> numbers(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
  return numbers;
}

}  // namespace

Environments plain_atom_environments(const PackedGraphs& g, bool with_bonds) {
  Environments e;
  e.atom_kinds = ascending(g.atoms);
  e.atom_classes = e.atom_order = e.atoms.kind = e.atom_kinds;
  const Arrivals into(g);
  for (const std::int32_t bond : into.bonds) e.atoms.index.push_back(g.source[bond]);
  e.atoms.offsets.assign(into.starts.begin(), into.starts.begin() + g.atoms + 1);
  if (with_bonds) {
    ScratchVector<Numbered> kind_of_bond(static_cast<std::size_t>(g.bonds));
    find_bond_kinds(g, nullptr, e.bond_kinds, kind_of_bond);
    for (const std::int32_t b : into.bonds) e.atoms.bond.push_back(kind_of_bond[static_cast<std::size_t>(b)].number);
  }
  return e;
}

Environments plain_environments(const PackedGraphs& g) {
  Environments e;
  e.atom_kinds = ascending(g.atoms), e.bond_kinds = ascending(g.bonds);
  e.atom_classes = e.atom_order = e.atoms.kind = e.atom_kinds;
  const Arrivals into(g);
  e.atoms.index = into.bonds;
  e.atoms.offsets.assign(into.starts.begin(), into.starts.begin() + g.atoms + 1);
  e.bonds.resize(1);
  ClassTable& table = e.bonds[0];
  table.kind = e.bond_kinds;
  for (Index b = 0; b < g.bonds; ++b) {
    const auto a = static_cast<std::size_t>(g.source[b]);
    for (Index i = into.starts[a]; i < into.starts[a + 1]; ++i) {
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

// The kinds and lists of the rows `met` of one table. Kinds come first: along atoms, which all are in a molecule, each
// row is then numbered by itself before it is met as a neighbour.
void fill_depth(const ClassView& table, const ScratchVector<std::int32_t>& met, Numbering& members, Numbering& kinds,
                Numbering& bonds, BatchDepth& at_depth) {
  at_depth.offsets.reserve(met.size() + 1);
  at_depth.kind.reserve(met.size());
  for (const std::int32_t number : met) at_depth.kind.push_back(kinds(table.kind[number]));
  at_depth.offsets.push_back(0);
  for (const std::int32_t number : met) {
    for (Index i = table.offsets[number]; i < table.offsets[number + 1]; ++i) {
      at_depth.index.push_back(members(table.index[i]));
      if (table.bond) at_depth.bond.push_back(bonds(table.bond[i]));
    }
    at_depth.offsets.push_back(static_cast<Index>(at_depth.index.size()));
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
    fill_depth(e.atoms, atoms, e.along_atoms ? atom_kind : bond_kind, atom_kind, bond_kind, batch.atoms);
    return batch;
  }
  {
    Numbering last(depth_marks, stamp, above);
    fill_depth(e.atoms, atoms, last, e.along_atoms ? last : atom_kind, bond_kind, batch.atoms);
  }
  for (Index t = e.depth - 1; t >= 1;
       --t) {  // `above` are the classes of depth t that were met; marks lie in this order
    const ClassView& table = e.bonds[t - 1];
    BatchDepth& at_depth = batch.bonds[static_cast<std::size_t>(t - 1)];
    if (t == 1) {
      Numbering& kinds = e.along_atoms ? atom_kind : bond_kind;
      fill_depth(table, above, kinds, kinds, bond_kind, at_depth);
    } else {
      depth_marks += table.classes;
      below.clear();
      Numbering members(depth_marks, stamp, below);
      fill_depth(table, above, members, e.along_atoms ? members : bond_kind, bond_kind, at_depth);
      above.swap(below);
    }
  }
  return batch;
}

}  // namespace catalase
