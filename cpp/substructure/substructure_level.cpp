// One molecule after the other, on one thread: read and perceived once, then searched for every pattern.
#include "cpu/level.h"
#include "molecule/large_molecule.h"
#include "substructure/match.h"
#include "substructure/substructure.h"
#include "substructure/target.h"

namespace catalase {
namespace {

template <int W>
struct SearchSpace {
  Perception<W> perception;
  SetsSeen<W> seen;
};

struct SearchWork {
  Target target;
  u8 matches[kMaxMatches][kMaxQueryAtoms];  // of one pattern
  SearchSpace<1> small;
  SearchSpace<4> large;
};

template <int W>
Status match_molecule(const SubstructureBatch& batch, SearchWork& work, SearchSpace<W>& space,
                      const MatchMemory<W>& memory, Index i, void* sink) {
  const QueryTables& q = batch.tables;
  Target& t = work.target;
  const Status status = batch.binary ? kNative : perceive_target(t, q, space.perception);
  if (status != kNative) return status;
  Matcher<W> matcher(q, t, memory);
  for (Index c = 0; c < batch.columns; ++c) {  // whose entries are 0 so far
    const SubstructureColumn& column = batch.column[c];
    const Pattern& pattern = q.pattern[column.pattern];
    const bool exact = !pattern.ring_counts || t.rings_counted;
    const u32 searched = exact ? column.pattern : pattern.relaxed;
    const bool possible = matcher.is_possible(searched);
    if (!possible && column.low > 0 && matcher.outcome() == Outcome::kDone) continue;
    std::int32_t count = 0;
    if (possible && (!exact || (batch.counts == nullptr && column.low == 1 && column.high == kNoHighest))) {
      count = matcher.match(searched);
    } else if (possible) {
      space.seen.clear();
      matcher.list(searched, [&](const u8* atoms, const Bits<W>& set) {
        if (space.seen.add(set)) __builtin_memcpy(work.matches[space.seen.count() - 1], atoms, pattern.atoms);
      });
      count = static_cast<std::int32_t>(space.seen.count());
    }
    Outcome outcome = matcher.outcome();
    if (!exact && (count != 0 || outcome != Outcome::kDone)) outcome = Outcome::kLeft;
    const bool done = outcome == Outcome::kDone, left = outcome == Outcome::kLeft;
    const Index entry = i * batch.columns + c;
    if (batch.counts == nullptr) {
      batch.matches[entry] = done ? u8{count >= column.low && count <= column.high} : left ? kMatchLeft : kMatchGivenUp;
      continue;
    }
    batch.counts[entry] = done ? count : left ? kCountLeft : kCountGivenUp;
    for (std::int32_t k = 0; batch.emit != nullptr && done && k < count; ++k) {
      batch.emit(sink, work.matches[k], pattern.atoms);
    }
  }
  return kNative;
}

Status read_target(const SubstructureBatch& batch, Target& t, Index i) {
  const char *text = batch.text[i], *end = text + batch.length[i];
  if (text == nullptr) return kNotText;
  if (batch.binary) return read_binary_target(text, batch.length[i], t);
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
