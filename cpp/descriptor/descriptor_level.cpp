// One molecule after the other, on one thread, with the workspace on the stack. Only what the wanted descriptors need is
// computed.
#include "cpu/level.h"
#include "descriptor/burden.h"
#include "descriptor/charges.h"
#include "descriptor/chi.h"
#include "descriptor/counts.h"
#include "descriptor/crippen.h"
#include "descriptor/descriptor.h"
#include "descriptor/distances.h"
#include "descriptor/estate.h"
#include "descriptor/polynomial.h"
#include "descriptor/qed.h"
#include "descriptor/same.h"
#include "descriptor/spacial.h"
#include "descriptor/stereo.h"
#include "descriptor/surface.h"
#include "fingerprint/morgan.h"
#include "molecule/facts.h"
#include "molecule/molecule.h"
#include "molecule/perceive_facts.h"
#include "molecule/ring_set.h"
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
  bool paths = false, distances = false, polynomial = false, burden = false, density = false, qed = false;
  bool spacial = false;
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
    needs.paths |= between(d, Descriptor::Chi0, Descriptor::Phi);
    needs.distances |= between(d, Descriptor::BalabanJ, Descriptor::BertzCT);
    needs.polynomial |= between(d, Descriptor::Ipc, Descriptor::AvgIpc);
    needs.spacial |= d == number(Descriptor::SPS);
    const bool qed = d == number(Descriptor::qed);
    needs.qed |= qed;
    needs.groups |= qed;
    needs.polar |= qed;
    needs.types |= qed;
    const bool burden = between(d, Descriptor::BCUT2D_MWHI, Descriptor::BCUT2D_MRLOW);
    needs.burden |= burden;
    needs.density |= between(d, Descriptor::FpDensityMorgan1, Descriptor::FpDensityMorgan3);
    needs.types |= crippen || burden || between(d, Descriptor::MolLogP, Descriptor::MolMR);
    needs.counts |= d >= kDescriptors;
    needs.surface |= d == number(Descriptor::LabuteASA) || peoe || both || crippen;
    needs.charges |= peoe || between(d, Descriptor::BCUT2D_MWHI, Descriptor::BCUT2D_MRLOW) ||
                     between(d, Descriptor::MaxPartialCharge, Descriptor::MinAbsPartialCharge);
    needs.estate |= both || between(d, Descriptor::MaxEStateIndex, Descriptor::MinAbsEStateIndex);
  }
  needs.rings |= needs.stereo || needs.polar || needs.spacial || needs.qed || needs.counts;
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
  MorganWork<W> morgan;
  Spacial<W> spacial;
};

struct DescriptorWork {
  Target target;   // with the molecule
  bool described;  // as patterns see it
  union {
    DescriptorSets<1> small;
    DescriptorSets<4> large;
  };
  ChargeWork charges;
  DistanceWork distances;
  BurdenWork burden;
  PolynomialWork polynomial;
  double area[256], charge[256], state[256];
  double value[kDescriptors];
  std::uint16_t type[256], hydrogen[256];
  HeldWork held;
  const NodeMemory *type_nodes, *counted_nodes, *qed_nodes;
  SetsSeen<1> small_seen;
  SetsSeen<4> large_seen;
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

// Sorts the values.
inline unsigned count_different(u32* value, unsigned n) {
  unsigned different = n > 0;
  for (unsigned i = 1; i < n; ++i) {
    const u32 x = value[i];
    unsigned j = i;
    for (; j > 0 && value[j - 1] > x; --j) value[j] = value[j - 1];
    value[j] = x;
  }
  for (unsigned i = 1; i < n; ++i) different += value[i] != value[i - 1];
  return different;
}

template <int W>
Status perceive(DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  Molecule& m = work.target.molecule;
  const Status status = perceive_facts(m, s.rings, s.kekule, s.facts);
  if (status != kNative) return status;
  for (unsigned a = 0; a < m.atoms; ++a) {
    const bool isotope = (m.atom[a].flags & kIsotope) != 0;  // its mass is not kept
    if (isotope || kElements[m.atom[a].element].radius == 0) return kElement;
  }
  if (needs.rings && !find_rings(m, s.rings, s.facts.rings)) return kRings;
  return kNative;
}

inline SetsSeen<1>& seen_of(DescriptorWork& work, const DescriptorSets<1>&) {
  return work.small_seen;
}
inline SetsSeen<4>& seen_of(DescriptorWork& work, const DescriptorSets<4>&) {
  return work.large_seen;
}
inline MatchMemory<1> view(const NodeMemory& nodes, const DescriptorSets<1>&) {
  return nodes.small();
}
inline MatchMemory<4> view(const NodeMemory& nodes, const DescriptorSets<4>&) {
  return nodes.large();
}

template <int W>
void count_rings(Target& t, const RingSet<W>& rings) {
  std::int16_t* count = values(t, Feature::kRings);
  for (unsigned a = 0; a < t.molecule.atoms; ++a) count[a] = 0, t.ring_sizes[a] = 0;
  for (unsigned r = 0; r < rings.count; ++r) {
    const auto size = static_cast<unsigned>(rings.bonds[r].count());
    for_each(rings.atoms[r], [&](unsigned a) {
      ++count[a];
      if (size <= kMaxRingSizeBit) t.ring_sizes[a] |= 1u << size;  // no pattern asks for larger ones
    });
  }
}

// The molecule as patterns see it, once.
template <int W>
void describe(const DescriptorPatterns& p, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  if (work.described) return;
  work.described = true;
  Target& t = work.target;
  QueryTables asked{};
  const QueryTables* const tables[] = {needs.types ? &p.type_tables : nullptr,
                                       needs.counts ? &p.counted_tables : nullptr, needs.qed ? &p.qed_tables : nullptr};
  for (const QueryTables* q : tables) {
    if (q == nullptr) continue;
    asked.features |= q->features;
    asked.ring_sizes = asked.ring_sizes || q->ring_sizes;
  }
  for (unsigned a = 0; a < t.molecule.atoms; ++a) values(t, Feature::kValence)[a] = s.facts.valence[a];
  if (uses(asked, Feature::kHybridization)) note_hybrids(t, s.facts);
  if (uses(asked, Feature::kRings) || asked.ring_sizes) count_rings(t, s.facts.rings);
  describe_atoms(t, asked, s.rings);
}

template <int W>
Status find_types(const DescriptorPatterns& p, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  const Molecule& m = work.target.molecule;
  u64 key[256];
  const bool cached =
      p.type_cache != nullptr && m.atoms <= kMaxCachedAtoms && hash_surroundings(m, s.facts, s.rings.bonds, key);
  if (cached && recall_types(m.atoms, p.type_cache, key, work.type, work.hydrogen)) return kNative;
  describe(p, work, s, needs);
  Matcher<W> matcher(p.type_tables, work.target, view(*work.type_nodes, s));
  if (!find_types(m, s.facts, p, matcher, work.type, work.hydrogen)) return kSize;
  if (cached) remember_types(m, p, matcher, key, work.type, work.hydrogen);
  return kNative;
}

template <int W>
Status crippen(const DescriptorPatterns& p, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs) {
  const Molecule& m = work.target.molecule;
  const Status status = find_types(p, work, s, needs);
  if (status != kNative) return status;
  double* const value = work.value;
  value[number(Descriptor::MolLogP)] = sum_of_types(m, p.log_p, work.type, work.hydrogen);
  value[number(Descriptor::MolMR)] = sum_of_types(m, p.refractivity, work.type, work.hydrogen);
  if (!needs.surface && !needs.burden) return kNative;
  double log_p[256], refractivity[256];
  for (unsigned a = 0; a < m.atoms; ++a) {
    log_p[a] = work.type[a] == kNoType ? 0.0 : p.log_p[work.type[a]];
    refractivity[a] = work.type[a] == kNoType ? 0.0 : p.refractivity[work.type[a]];
  }
  if (needs.burden) {
    double weight[256];
    bool known = true;  // without parameters of all atoms RDKit has no value
    for (unsigned a = 0; a < m.atoms; ++a) {
      weight[a] = kElements[m.atom[a].element].weight;
      if (m.atom[a].element == 1) return kElement;
      known = known && has_parameters(m, a, s.facts);
    }
    double* const ends = value + number(Descriptor::BCUT2D_MWHI);
    if (known) burden_ends(m, {weight, work.charge, log_p, refractivity}, work.burden, ends);
    for (unsigned i = 0; !known && i < 8; ++i) ends[i] = __builtin_nan("");
  }
  if (!needs.surface) return kNative;
  fill_bins(m.atoms, log_p, work.area, kLogPBins, value + number(Descriptor::SlogP_VSA1));
  fill_bins(m.atoms, refractivity, work.area, kRefractivityBins, value + number(Descriptor::SMR_VSA1));
  return kNative;
}

template <int W>
Status count_matches(const DescriptorBatch& batch, DescriptorWork& work, DescriptorSets<W>& s, double* row) {
  const QueryTables& q = batch.patterns.counted_tables;
  Matcher<W> matcher(q, work.target, view(*work.counted_nodes, s));
  SetsSeen<W>& seen = seen_of(work, s);
  for (Index j = 0; j < batch.columns; ++j) {
    if (batch.column[j] < kDescriptors) continue;
    const std::uint32_t pattern = batch.patterns.counted[batch.column[j] - kDescriptors];
    seen.clear();
    if (matcher.is_possible(pattern)) matcher.list(pattern, [&](const u8*, const Bits<W>& set) { seen.add(set); });
    if (matcher.outcome() != Outcome::kDone) return kSize;
    row[j] = seen.count();
  }
  return kNative;
}

template <int W>
Status qed(const DescriptorPatterns& p, DescriptorWork& work, DescriptorSets<W>& s) {
  const QueryTables& q = p.qed_tables;
  Target& t = work.target;
  Matcher<W> matcher(q, t, view(*work.qed_nodes, s));
  SetsSeen<W>& seen = seen_of(work, s);
  int acceptors = 0, alerts = 0;
  for (std::uint32_t i = 0; i < p.acceptors + p.alerts; ++i) {
    const bool possible = matcher.is_possible(p.of_qed[i]);
    if (possible && i < p.acceptors) {
      seen.clear();
      matcher.list(p.of_qed[i], [&](const u8*, const Bits<W>& set) { seen.add(set); });
      acceptors += static_cast<int>(seen.count());
    } else if (possible) {
      alerts += matcher.match(p.of_qed[i]);
    }
    if (matcher.outcome() != Outcome::kDone) return kSize;
  }
  const auto of = [&](Descriptor d) { return work.value[number(d)]; };
  work.value[number(Descriptor::qed)] = drug_likeness(
      {of(Descriptor::MolWt), of(Descriptor::MolLogP), static_cast<double>(acceptors), of(Descriptor::NumHDonors),
       of(Descriptor::TPSA), of(Descriptor::NumRotatableBonds),
       static_cast<double>(rings_without_aliphatic(t.molecule, s.facts, s.rings.atoms)), static_cast<double>(alerts)});
  return kNative;
}

// Crippen's descriptors, QED, and numbers of matches.
template <int W>
Status match_patterns(const DescriptorBatch& batch, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs,
                      double* row) {
  work.described = false;
  Status status = kNative;
  if (needs.types) status = crippen(batch.patterns, work, s, needs);
  if (status == kNative && (needs.qed || needs.counts)) describe(batch.patterns, work, s, needs);
  if (status == kNative && needs.qed) status = qed(batch.patterns, work, s);
  if (status == kNative && needs.counts) status = count_matches(batch, work, s, row);
  return status;
}

template <int W>
Status compute(const DescriptorBatch& batch, Index i, DescriptorWork& work, DescriptorSets<W>& s, const Needs& needs,
               double* row) {
  const Status status = perceive(work, s, needs);
  if (status != kNative) return status;
  const Molecule& m = work.target.molecule;
  const Facts<W>& f = s.facts;
  if (batch.held != nullptr && !is_same(m, f, s.rings, needs.rings, batch.held[i], work.held)) return kNotText;
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
  if (needs.spacial) {
    const Status proven = spacial_score(m, f, s.rings.atoms, s.rings.bonds, s.spacial, value[number(Descriptor::SPS)]);
    if (proven != kNative) return proven;
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
    estate_indices(m, work.distances, work.state);
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
  if (needs.paths) {
    double degree[256], by_count[256], by_row[256];
    for (unsigned a = 0; a < m.atoms; ++a) {
      degree[a] = inverse_root(m.atom[a].degree);
      by_count[a] = valence_value(m.atom[a], false);
      by_row[a] = valence_value(m.atom[a], true);
    }
    PathSums plain, n, v;
    sum_paths(m, by_count, n);
    sum_paths(m, by_row, v);
    plain = {};
    for (unsigned a = 0; a < m.atoms; ++a) plain.sum[0] += degree[a];
    for (unsigned b = 0; b < m.bonds(); ++b) {
      const unsigned i = m.begin[b], j = m.end[b];
      if (m.order[b] != 0) plain.sum[1] += __builtin_sqrt(1.0 / (m.atom[i].degree * m.atom[j].degree));
    }
    set(Descriptor::Chi0, plain.sum[0]);
    set(Descriptor::Chi1, plain.sum[1]);
    const Descriptor of_n[] = {Descriptor::Chi0n, Descriptor::Chi1n, Descriptor::Chi2n, Descriptor::Chi3n,
                               Descriptor::Chi4n};
    const Descriptor of_v[] = {Descriptor::Chi0v, Descriptor::Chi1v, Descriptor::Chi2v, Descriptor::Chi3v,
                               Descriptor::Chi4v};
    for (unsigned k = 0; k < 5; ++k) {
      set(of_n[k], n.sum[k]);
      set(of_v[k], v.sum[k]);
    }
    const ShapeIndices shape = shape_indices(m, f, n.paths);
    set(Descriptor::HallKierAlpha, shape.alpha);
    set(Descriptor::Kappa1, shape.kappa1);
    set(Descriptor::Kappa2, shape.kappa2);
    set(Descriptor::Kappa3, shape.kappa3);
    set(Descriptor::Phi, shape.phi);
  }
  if (needs.distances) {
    find_distances(m, work.distances, [&](unsigned b) { return sixths(m.order[b]); });
    set(Descriptor::BalabanJ, balaban(m, work.distances));
    if (!bertz(m, work.distances, value[number(Descriptor::BertzCT)])) return kSize;
  }
  if (needs.polynomial) {
    if (m.atoms > kMaxPolynomial) return kSize;
    information_content(m, work.polynomial, value[number(Descriptor::Ipc)], value[number(Descriptor::AvgIpc)]);
  }
  if (needs.density) {
    EcfpBatch morgan_batch{};
    morgan_batch.use_bond_types = true;
    for (int radius = 1; radius <= 3; ++radius) {
      morgan_batch.radius = radius;
      u32 feature[4 * 256];
      unsigned n = 0;
      morgan(work.target.molecule, s.rings.atoms, morgan_batch, s.morgan, [&](u32 x) { feature[n++] = x; });
      const unsigned different = count_different(feature, n);
      value[number(Descriptor::FpDensityMorgan1) + radius - 1] =
          c.heavy_atoms == 0 ? 0.0 : static_cast<double>(different) / c.heavy_atoms;
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
  return m.bonds() <= 64 ? compute(batch, i, work, work.small, needs, row)
                         : compute(batch, i, work, work.large, needs, row);
}

void descriptor_rows(const DescriptorBatch& batch, Index begin, Index end) {
  DescriptorWork work;
  const Needs needs = needs_of(batch);
  const QueryTables none{};
  const NodeMemory type_nodes(batch.memory, needs.types ? batch.patterns.type_tables : none);
  const NodeMemory counted_nodes(batch.memory, needs.counts ? batch.patterns.counted_tables : none);
  const NodeMemory qed_nodes(batch.memory, needs.qed ? batch.patterns.qed_tables : none);
  work.type_nodes = &type_nodes;
  work.qed_nodes = &qed_nodes;
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
