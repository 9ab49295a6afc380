// One molecule after the other, on one thread: read and perceived once, then searched for every pattern.
#include "cpu/level.h"
#include "molecule/large_molecule.h"
#include "substructure/cycles.h"
#include "substructure/match.h"
#include "substructure/substructure.h"
#include "substructure/target.h"

namespace catalase {
namespace {

template <int W>
struct SearchSpace {
  TargetPerception<W> perception;
  SetsSeen<W> seen;
  Cycles<W> cycles;
};

struct SearchWork {
  Target target;
  u8 matches[kMaxMatches][kMaxQueryAtoms];  // of one pattern
  SearchSpace<1> small;
  SearchSpace<4> large;
};

// The numbers of kAromaticRings and kParts, or kCountLeft.
template <int W>
std::int32_t aromatic_rings(const Target& t, Rings<W>& rings, bool binary) {
  if (binary) return t.aromatic_rings;
  const Molecule& m = t.molecule;
  const Bits<W> aromatic = aromatic_atoms<W>(m);
  if (!aromatic.any()) return 0;
  if (has_aromatic_triple(m, rings.bonds, aromatic)) return kCountLeft;
  std::int32_t count = 0;
  const Status status = candidate_rings(m, aromatic, rings, [&](const Bits<W>& bonds, const Bits<W>&) {
    bool all = true;
    for_each(bonds, [&](unsigned b) { all = all && m.order[b] == kAromaticOrder; });
    count += all;
    return kNative;
  });
  return status == kNative ? count : kCountLeft;
}

template <int W>
std::int32_t parts(const Molecule& m) {
  Bits<W> left = Bits<W>::none();
  for (unsigned a = 0; a < m.atoms; ++a) left.set(a);
  std::int32_t count = 0;
  for (; left.any(); ++count) {
    Bits<W> border = Bits<W>::one(left.first());
    while (border.any()) {
      left &= ~border;
      Bits<W> next = Bits<W>::none();
      for_each(border, [&](unsigned a) {
        for (unsigned i = 0; i < m.atom[a].degree; ++i) next.set(m.neighbour[a][i]);
      });
      border = next & left;
    }
  }
  return count;
}

void write_entry(const SubstructureBatch& batch, Index entry, const SubstructureColumn& column, std::int32_t count,
                 Outcome outcome) {
  const bool done = outcome == Outcome::kDone, left = outcome == Outcome::kLeft;
  if (batch.counts != nullptr) {
    batch.counts[entry] = done ? count : left ? kCountLeft : kCountGivenUp;
  } else {
    batch.matches[entry] = done ? u8{count >= column.low && count <= column.high} : left ? kMatchLeft : kMatchGivenUp;
  }
}

template <int W>
Status match_molecule(const SubstructureBatch& batch, SearchWork& work, SearchSpace<W>& space,
                      const MatchMemory<W>& memory, Index i, void* sink) {
  const QueryTables& q = batch.tables;
  Target& t = work.target;
  const Status status = batch.binary ? kNative : perceive_target(t, q, space.perception);
  if (status != kNative) return status;
  LazyCycles<W> cycles(t.molecule, batch.binary ? nullptr : &space.perception.rings.rings, space.cycles);
  Matcher<W> matcher(q, t, memory, &cycles);
  for (Index c = 0; c < batch.columns; ++c) {  // whose entries are 0 so far
    const SubstructureColumn& column = batch.column[c];
    if (t.rings_counted && column.low > 0 && column.pattern < kParts && matcher.is_screened(column.pattern)) continue;
    const Index entry = i * batch.columns + c;
    if (column.pattern >= kParts) {
      const std::int32_t count = column.pattern == kParts
                                     ? parts<W>(t.molecule)
                                     : aromatic_rings(t, space.perception.rings.rings, batch.binary);
      write_entry(batch, entry, column, count, count == kCountLeft ? Outcome::kLeft : Outcome::kDone);
      continue;
    }
    const Pattern& pattern = q.pattern[column.pattern];
    const bool exact = !pattern.ring_counts || t.rings_counted;
    const bool any_ring = pattern.any_ring && exact;
    if (any_ring || (pattern.ring != 0 && cycles.asked())) {
      const Cycles<W>* known = cycles.get();
      const Bits<W> within = any_ring ? matcher.centres(column.pattern) : matcher.all();
      const bool done = !any_ring || matcher.outcome() == Outcome::kDone;
      const std::int32_t rings = known != nullptr && done ? known->of_size(pattern.ring, kMaxMatches, within) : -1;
      if (rings == 0 || (rings > 0 && any_ring && batch.emit == nullptr)) {
        write_entry(batch, entry, column, rings, Outcome::kDone);
        continue;
      }
    }
    const u32 searched = exact ? column.pattern : pattern.relaxed;
    const bool possible = matcher.is_possible(searched);
    if (!possible && column.low > 0 && matcher.outcome() == Outcome::kDone) continue;
    std::int32_t count = 0;
    const bool open_end = batch.counts == nullptr && column.high == kNoHighest;  // `low` matches decide
    if (possible && (!exact || (open_end && column.low == 1))) {
      count = matcher.match(searched);
    } else if (possible && pattern.atoms == 1 && batch.emit == nullptr) {
      count = matcher.count_atoms(searched);
    } else if (possible) {
      space.seen.clear();
      matcher.list(searched, [&](const u8* atoms, const Bits<W>& set) {
        if (space.seen.add(set) && batch.emit != nullptr)
          __builtin_memcpy(work.matches[space.seen.count() - 1], atoms, pattern.atoms);
        return !open_end || static_cast<std::int32_t>(space.seen.count()) < column.low;
      });
      count = static_cast<std::int32_t>(space.seen.count());
    }
    Outcome outcome = matcher.outcome();
    if (!exact && (count != 0 || outcome != Outcome::kDone)) outcome = Outcome::kLeft;
    write_entry(batch, entry, column, count, outcome);
    if (batch.emit == nullptr || outcome != Outcome::kDone) continue;
    for (std::int32_t k = 0; k < count; ++k) batch.emit(sink, work.matches[k], pattern.atoms);
  }
  return kNative;
}

Status read_target(const SubstructureBatch& batch, Target& t, Index i) {
  const char *text = batch.text[i], *end = text + batch.length[i];
  if (text == nullptr) return kNotText;
  if (batch.binary) return read_binary_target(text, batch.length[i], batch.tables, t);
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (text != end && is_space(*text)) ++text;
  while (text != end && is_space(end[-1])) --end;
  Status status = read_smiles(text, end, t.molecule);
  if (status == kNative) status = add_hydrogens(t.molecule);
  if (status != kNative) return status == kRefused ? kValence : status;
  if (uses(batch.tables, Feature::kIsotope) && has_isotopes(text, end)) return kElement;
  order_neighbours(t.molecule);
  return kNative;
}

Status read_and_match(const SubstructureBatch& batch, SearchWork& work, const NodeMemory& memory, Index i, void* sink) {
  const Status status = read_target(batch, work.target, i);
  if (status != kNative) return status;
  return work.target.molecule.bonds() <= 64 ? match_molecule(batch, work, work.small, memory.small(), i, sink)
                                            : match_molecule(batch, work, work.large, memory.large(), i, sink);
}

void substructure_rows(const SubstructureBatch& batch, Index begin, Index end, void* sink) {
  const NodeMemory memory(batch.memory, batch.tables);
  SearchWork work;
  __builtin_memset(work.target.feature, 0, sizeof(work.target.feature));  // vectors read beyond the last atom
  for (Index i = begin; i < end; ++i) {
    const Index first = i * batch.columns;
    const auto columns = static_cast<std::size_t>(batch.columns);
    if (batch.matches != nullptr) __builtin_memset(batch.matches + first, 0, columns);
    if (batch.counts != nullptr) __builtin_memset(batch.counts + first, 0, columns * sizeof(std::int32_t));
    batch.status[i] = read_and_match(batch, work, memory, i, sink);
  }
}

}  // namespace

extern const SubstructureKernels CATALASE_AT_LEVEL(substructure) = {substructure_rows};
}  // namespace catalase
