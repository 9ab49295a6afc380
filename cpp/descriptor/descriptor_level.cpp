// One molecule after the other, on one thread, with the workspace on the stack. Only what the wanted descriptors need is
// computed.
#include "cpu/level.h"
#include "descriptor/charges.h"
#include "descriptor/counts.h"
#include "descriptor/crippen.h"
#include "descriptor/descriptor.h"
#include "descriptor/estate.h"
#include "descriptor/facts.h"
#include "descriptor/ring_set.h"
#include "descriptor/stereo.h"
#include "descriptor/surface.h"
#include "molecule/aromaticity.h"
#include "molecule/kekulize.h"
#include "molecule/molecule.h"
#include "molecule/rings.h"
#include "molecule/smiles.h"
#include "molecule/text.h"
#include "molecule/valence.h"
#include "substructure/match.h"
#include "substructure/target.h"

namespace catalase {
namespace {

constexpr int kDescriptors = static_cast<int>(Descriptor::kCount);

constexpr int number(Descriptor d) {
  return static_cast<int>(d);
}

// What the wanted descriptors need.
struct Needs {
  bool rings = false, groups = false, stereo = false, polar = false, surface = false, charges = false, estate = false;
  bool types = false, counts = false;  // Crippen's types, numbers of matches
};

inline Needs needs_of(const DescriptorBatch& batch) {
  Needs needs;
  const auto between = [](int d, Descriptor first, Descriptor last) { return d >= number(first) && d <= number(last); };
  for (Index i = 0; i < batch.columns; ++i) {
    const int d = batch.column[i];
    needs.rings |= between(d, Descriptor::RingCount, Descriptor::NumBridgeheadAtoms);
    needs.groups |= between(d, Descriptor::NumHDonors, Descriptor::NumRotatableBonds);
    needs.stereo |= between(d, Descriptor::NumAtomStereoCenters, Descriptor::NumUnspecifiedAtomStereoCenters);
    needs.polar |= d == number(Descriptor::TPSA);
    const bool peoe = between(d, Descriptor::PEOE_VSA1, Descriptor::PEOE_VSA14);
    const bool both = between(d, Descriptor::EState_VSA1, Descriptor::VSA_EState10);
    const bool crippen = between(d, Descriptor::SlogP_VSA1, Descriptor::SMR_VSA10);
    needs.types |= crippen || between(d, Descriptor::MolLogP, Descriptor::MolMR);
    needs.counts |= d >= kDescriptors;
    needs.surface |= d == number(Descriptor::LabuteASA) || peoe || both || crippen;
    needs.charges |= peoe || between(d, Descriptor::MaxPartialCharge, Descriptor::MinAbsPartialCharge);
    needs.estate |= both || between(d, Descriptor::MaxEStateIndex, Descriptor::MinAbsEStateIndex);
  }
  needs.rings |= needs.stereo || needs.polar;
  return needs;
}

// The ends of bins but the last, from RDKit's documentation: Labute's, and those chosen on data for the states.
constexpr double kChargeBins[] = {-.3, -.25, -.20, -.15, -.10, -.05, 0, .05, .10, .15, .20, .25, .30};
constexpr double kStateBins[] = {-0.390, 0.290, 0.717, 1.165, 1.540, 1.807, 2.05, 4.69, 9.17, 15.0};
constexpr double kLogPBins[] = {-0.4, -0.2, 0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6};
constexpr double kRefractivityBins[] = {1.29, 1.82, 2.24, 2.45, 2.75, 3.05, 3.63, 3.8, 4.0};
constexpr double kSurfaceBins[] = {4.78, 5.00, 5.410, 5.740, 6.00, 6.07, 6.45, 7.00, 11.0};

template <int W>
struct DescriptorSets {
  Rings<W> rings;
  Kekule<W> kekule;
  Facts<W> facts;
  SetsSeen<W> seen;
};

struct DescriptorWork {
  Target target;  // with the molecule
  union {
    DescriptorSets<1> small;
    DescriptorSets<4> large;
  };
  ChargeWork charges;
  double area[256], charge[256], state[256];
  double value[kDescriptors];
  std::uint16_t type[256], hydrogen[256];
  const NodeMemory *type_nodes, *counted_nodes;
  DescriptorWork() {}
};

inline double absolute(double x) {
  return __builtin_fabs(x);
}

// Python's min and max, which keep what they have if the other is NaN.
inline double least(double a, double b) {
  return b < a ? b : a;
}
inline double greatest(double a, double b) {
  return b > a ? b : a;
}

template <int W>
Status perceive(DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  Molecule& m = work.target.molecule;
  Status status = find_ring_bonds(m, s.rings);
  if (status == kNative) status = kekulize(m, s.rings.atoms, s.rings.bonds, s.kekule);
  if (status != kNative) return status;
  note_valences(m, s.facts);
  if (m.closures != 0) status = perceive_aromaticity(m, s.rings, s.kekule);
  if (status != kNative) return status;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const bool isotope = (m.atom[a].flags & kIsotope) != 0;  // its mass is not kept
    if (isotope || kElements[m.atom[a].element].radius == 0) return kElement;
  }
  find_aromatic_atoms(m, s.facts);
  bool triple = false;  // benzyne: such a bond is aromatic too
  for_each(s.rings.bonds, [&](unsigned b) {
    triple = triple || (m.order[b] == kTriple && s.facts.aromatic.test(m.begin[b]) && s.facts.aromatic.test(m.end[b]));
  });
  if (triple) return kAromatic;
  find_hybrids(m, s.facts);
  if (needs.rings && !find_rings(m, s.rings, s.facts.rings)) return kRings;
  return kNative;
}

inline const MatchMemory<1> view(const NodeMemory& nodes, const DescriptorSets<1>&) {
  return nodes.small();
}
inline const MatchMemory<4> view(const NodeMemory& nodes, const DescriptorSets<4>&) {
  return nodes.large();
}

template <int W>
Status crippen(const DescriptorPatterns& p, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  const Molecule& m = work.target.molecule;
  Matcher<W> matcher(p.type_tables, work.target, view(*work.type_nodes, s));
  if (!find_types(m, s.facts, p, matcher, work.type, work.hydrogen)) return kSize;
  double* const value = work.value;
  value[number(Descriptor::MolLogP)] = sum_of_types(m, p.log_p, work.type, work.hydrogen);
  value[number(Descriptor::MolMR)] = sum_of_types(m, p.refractivity, work.type, work.hydrogen);
  if (!needs.surface) return kNative;
  double log_p[256], refractivity[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    log_p[a] = work.type[a] == kNoType ? 0.0 : p.log_p[work.type[a]];
    refractivity[a] = work.type[a] == kNoType ? 0.0 : p.refractivity[work.type[a]];
  }
  fill_bins(m.atoms, log_p, work.area, kLogPBins, value + number(Descriptor::SlogP_VSA1));
  fill_bins(m.atoms, refractivity, work.area, kRefractivityBins, value + number(Descriptor::SMR_VSA1));
  return kNative;
}

template <int W>
Status count_matches(const DescriptorBatch& batch, DescriptorWork& work, DescriptorSets<W>& s, double* row) {
  const QueryTables& q = batch.patterns.counted_tables;
  Matcher<W> matcher(q, work.target, view(*work.counted_nodes, s));
  for (Index j = 0; j < batch.columns; ++j) {
    if (batch.column[j] < kDescriptors) continue;
    const Pattern& pattern = q.pattern[batch.patterns.counted[batch.column[j] - kDescriptors]];
    const auto number = static_cast<u32>(&pattern - q.pattern);
    const bool exact = !pattern.ring_counts || work.target.rings_counted;
    s.seen.clear();
    if (matcher.is_possible(exact ? number : pattern.relaxed)) {
      if (!exact) return kRings;
      matcher.list(number, [&](const u8*, const Bits<W>& set) { s.seen.add(set); });
    }
    if (matcher.outcome() != Outcome::kDone) return kSize;
    row[j] = s.seen.count();
  }
  return kNative;
}

// Crippen's descriptors, and numbers of matches.
template <int W>
Status match_patterns(const DescriptorBatch& batch, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs,
                      double* row) {
  Target& t = work.target;
  for (unsigned a = 0; a < t.molecule.atoms; ++a) values(t, Feature::kValence)[a] = s.facts.valence[a];
  t.rings_counted = true;
  const QueryTables& counted = batch.patterns.counted_tables;
  const bool rings = uses(counted, Feature::kRings) || counted.ring_sizes;
  if (needs.counts && rings) count_rings(t, s.rings);
  describe_atoms(t, needs.counts ? counted : batch.patterns.type_tables, s.rings);
  Status status = kNative;
  if (needs.types) status = crippen(batch.patterns, work, s, needs);
  if (status == kNative && needs.counts) status = count_matches(batch, work, s, row);
  return status;
}

template <int W>
Status compute(const DescriptorBatch& batch, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs,
               double* row) {
  const Status status = perceive(work, s, needs);
  if (status != kNative) return status;
  const Molecule& m = work.target.molecule;
  const Facts<W>& f = s.facts;
  double* const value = work.value;
  const auto set = [&](Descriptor d, double v) { value[number(d)] = v; };
  const AtomCounts c = count_atoms(m, f);
  set(Descriptor::MolWt, c.weight);
  set(Descriptor::HeavyAtomMolWt, c.heavy_weight);
  set(Descriptor::ExactMolWt, c.exact_weight);
  set(Descriptor::NumValenceElectrons, c.valence_electrons);
  set(Descriptor::NumRadicalElectrons, c.radical_electrons);
  set(Descriptor::HeavyAtomCount, c.heavy_atoms);
  set(Descriptor::NHOHCount, c.hydrogens_on_no);
  set(Descriptor::NOCount, c.nitrogens_and_oxygens);
  set(Descriptor::NumHeteroatoms, c.heteroatoms);
  set(Descriptor::FractionCSP3, c.sp3_carbons);
  if (needs.rings) {
    const RingCounts r = count_rings(m, f);
    set(Descriptor::RingCount, f.rings.count);
    set(Descriptor::NumAromaticRings, r.aromatic_carbo + r.aromatic_hetero);
    set(Descriptor::NumAromaticCarbocycles, r.aromatic_carbo);
    set(Descriptor::NumAromaticHeterocycles, r.aromatic_hetero);
    set(Descriptor::NumAliphaticRings, r.aliphatic_carbo + r.aliphatic_hetero);
    set(Descriptor::NumAliphaticCarbocycles, r.aliphatic_carbo);
    set(Descriptor::NumAliphaticHeterocycles, r.aliphatic_hetero);
    set(Descriptor::NumSaturatedRings, r.saturated_carbo + r.saturated_hetero);
    set(Descriptor::NumSaturatedCarbocycles, r.saturated_carbo);
    set(Descriptor::NumSaturatedHeterocycles, r.saturated_hetero);
    set(Descriptor::NumHeterocycles, r.hetero);
    set(Descriptor::NumSpiroAtoms, r.spiro);
    set(Descriptor::NumBridgeheadAtoms, r.bridgehead);
  }
  if (needs.groups) {
    const GroupCounts g = count_groups(m, f, s.rings.atoms, s.rings.bonds);
    set(Descriptor::NumHDonors, g.donors);
    set(Descriptor::NumHAcceptors, g.acceptors);
    set(Descriptor::NumAmideBonds, g.amides);
    set(Descriptor::NumRotatableBonds, g.rotatable);
  }
  if (needs.stereo) {
    StereoCounts stereo;
    const Status proven = count_stereo(m, f, stereo);
    if (proven != kNative) return proven;
    set(Descriptor::NumAtomStereoCenters, stereo.centres);
    set(Descriptor::NumUnspecifiedAtomStereoCenters, stereo.unspecified);
  }
  if (needs.polar) set(Descriptor::TPSA, polar_surface(m, f));
  if (needs.surface) set(Descriptor::LabuteASA, labute_surface(m, work.area));
  if (needs.charges) {
    gasteiger_charges(m, f, work.charges, work.charge);
    double low = 500, high = -500;
    for (unsigned a = 0; a < m.atoms; ++a) {
      low = least(work.charge[a], low);
      high = greatest(work.charge[a], high);
    }
    set(Descriptor::MaxPartialCharge, high);
    set(Descriptor::MinPartialCharge, low);
    set(Descriptor::MaxAbsPartialCharge, greatest(absolute(low), absolute(high)));
    set(Descriptor::MinAbsPartialCharge, least(absolute(low), absolute(high)));
    if (needs.surface) {
      fill_bins(m.atoms, work.charge, work.area, kChargeBins, value + number(Descriptor::PEOE_VSA1));
    }
  }
  if (needs.estate) {
    estate_indices<W>(m, work.state);
    double low = work.state[0], high = low, low_size = absolute(low), high_size = low_size;
    for (unsigned a = 1; a < m.atoms; ++a) {
      low = least(low, work.state[a]);
      high = greatest(high, work.state[a]);
      low_size = least(low_size, absolute(work.state[a]));
      high_size = greatest(high_size, absolute(work.state[a]));
    }
    set(Descriptor::MaxEStateIndex, high);
    set(Descriptor::MinEStateIndex, low);
    set(Descriptor::MaxAbsEStateIndex, high_size);
    set(Descriptor::MinAbsEStateIndex, low_size);
    if (needs.surface) {
      fill_bins(m.atoms, work.state, work.area, kStateBins, value + number(Descriptor::EState_VSA1));
      fill_bins(m.atoms, work.area, work.state, kSurfaceBins, value + number(Descriptor::VSA_EState1));
    }
  }
  return needs.types || needs.counts ? match_patterns(batch, work, s, needs, row) : kNative;
}

Status read_and_compute(const DescriptorBatch& batch, Index i, DescriptorWork& work, const Needs& needs, double* row) {
  if (batch.text[i] == nullptr) return kNotText;
  const Text text = stripped(batch.text[i], batch.length[i]);
  Molecule& m = work.target.molecule;
  Status status = read_smiles(text.begin, text.end, m);
  if (status == kNative) status = add_hydrogens(m);
  if (status != kNative) return status;
  if (m.atoms == 0) return kSize;  // RDKit has no value for some
  return m.bonds() <= 64 ? compute(batch, work, work.small, needs, row) : compute(batch, work, work.large, needs, row);
}

void descriptor_rows(const DescriptorBatch& batch, Index begin, Index end) {
  DescriptorWork work;
  const Needs needs = needs_of(batch);
  const QueryTables none{};
  const NodeMemory type_nodes(batch.memory, needs.types ? batch.patterns.type_tables : none);
  const NodeMemory counted_nodes(batch.memory, needs.counts ? batch.patterns.counted_tables : none);
  work.type_nodes = &type_nodes;
  work.counted_nodes = &counted_nodes;
  for (Index i = begin; i < end; ++i) {
    double* row = batch.rows + i * batch.columns;
    const Status status = read_and_compute(batch, i, work, needs, row);
    batch.status[i] = status;
    if (status != kNative) continue;
    for (Index j = 0; j < batch.columns; ++j) {
      if (batch.column[j] < kDescriptors) row[j] = work.value[batch.column[j]];
    }
  }
}

}  // namespace

extern const DescriptorKernels CATALASE_AT_LEVEL(descriptor) = {descriptor_rows};
}  // namespace catalase
