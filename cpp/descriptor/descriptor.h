// SMILES to molecular descriptors, each equal to RDKit's value, or the molecule is left to RDKit.
//
//   molecule/{smiles.h -> valence.h -> rings.h -> kekulize.h -> aromaticity.h -> facts.h, ring_set.h} ->
//   counts.h, stereo.h, surface.h, charges.h, estate.h, crippen.h, chi.h, distances.h,
//   polynomial.h, burden.h, qed.h, spacial.h,  driven by descriptor_level.cpp
//
// Each molecule gets a status (molecule/status.h): 0 if its row was written, otherwise the reason why not.
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"
#include "molecule/status.h"
#include "molecule/work_memory.h"
#include "substructure/query.h"

namespace catalase {

// The descriptors that are computed here, by RDKit's names. Those of one kind that are made together stand together.
#define CATALASE_NUMBERED_1_TO_9(f, name) \
  f(name##1) f(name##2) f(name##3) f(name##4) f(name##5) f(name##6) f(name##7) f(name##8) f(name##9)
#define CATALASE_DESCRIPTORS(f)                                                                                       \
  f(MolWt) f(HeavyAtomMolWt) f(ExactMolWt) f(NumValenceElectrons) f(NumRadicalElectrons) f(HeavyAtomCount)            \
      f(NHOHCount) f(NOCount) f(NumHeteroatoms) f(FractionCSP3) f(RingCount) f(NumAromaticRings) f(                   \
          NumAromaticCarbocycles) f(NumAromaticHeterocycles) f(NumAliphaticRings) f(NumAliphaticCarbocycles)          \
          f(NumAliphaticHeterocycles) f(NumSaturatedRings) f(NumSaturatedCarbocycles) f(NumSaturatedHeterocycles) f(  \
              NumHeterocycles) f(NumSpiroAtoms) f(NumBridgeheadAtoms) f(NumHDonors) f(NumHAcceptors) f(NumAmideBonds) \
              f(NumRotatableBonds) f(NumAtomStereoCenters) f(NumUnspecifiedAtomStereoCenters) f(TPSA) f(LabuteASA)    \
                  f(MaxPartialCharge) f(MinPartialCharge) f(MaxAbsPartialCharge) f(MinAbsPartialCharge)               \
                      f(MaxEStateIndex) f(MinEStateIndex) f(MaxAbsEStateIndex) f(MinAbsEStateIndex)                   \
                          CATALASE_NUMBERED_1_TO_9(f, PEOE_VSA) f(PEOE_VSA10) f(PEOE_VSA11) f(PEOE_VSA12)             \
                              f(PEOE_VSA13) f(PEOE_VSA14) CATALASE_NUMBERED_1_TO_9(f, EState_VSA) f(EState_VSA10)     \
                                  f(EState_VSA11) CATALASE_NUMBERED_1_TO_9(f, VSA_EState) f(VSA_EState10) f(MolLogP)  \
                                      f(MolMR) CATALASE_NUMBERED_1_TO_9(f, SlogP_VSA) f(SlogP_VSA10) f(SlogP_VSA11)   \
                                          f(SlogP_VSA12) CATALASE_NUMBERED_1_TO_9(f, SMR_VSA) f(SMR_VSA10) f(Chi0)    \
                                              f(Chi0n) f(Chi0v) f(Chi1) f(Chi1n) f(Chi1v) f(Chi2n) f(Chi2v) f(Chi3n)  \
                                                  f(Chi3v) f(Chi4n) f(Chi4v) f(HallKierAlpha) f(Kappa1) f(Kappa2)     \
                                                      f(Kappa3) f(Phi) f(BalabanJ) f(BertzCT) f(BCUT2D_MWHI)          \
                                                          f(BCUT2D_MWLOW) f(BCUT2D_CHGHI) f(BCUT2D_CHGLO)             \
                                                              f(BCUT2D_LOGPHI) f(BCUT2D_LOGPLOW) f(BCUT2D_MRHI)       \
                                                                  f(BCUT2D_MRLOW) f(FpDensityMorgan1)                 \
                                                                      f(FpDensityMorgan2) f(FpDensityMorgan3) f(Ipc)  \
                                                                          f(AvgIpc) f(qed) f(SPS)

#define CATALASE_DESCRIPTOR_ENTRY(name) name,
enum class Descriptor : int { CATALASE_DESCRIPTORS(CATALASE_DESCRIPTOR_ENTRY) kCount };
#undef CATALASE_DESCRIPTOR_ENTRY

// A compiled pattern, the number of atoms of what it asks for, and the kinds of its first atom as a set (kind_of).
struct PatternRoot {
  std::uint32_t pattern, atoms, kinds;
};

// A coarse kind of an atom, by which patterns are left out before they are searched for.
constexpr unsigned kAtomKinds = 18;
constexpr unsigned kind_of(unsigned element, bool aromatic) {
  switch (element) {
    case 6:
      return aromatic ? 1 : 0;
    case 7:
      return aromatic ? 3 : 2;
    case 8:
      return aromatic ? 5 : 4;
    case 16:
      return aromatic ? 7 : 6;
    case 1:
      return 8;
    case 9:
      return 9;
    case 15:
      return 10;
    case 17:
      return 11;
    case 35:
      return 12;
    case 53:
      return 13;
    case 5:
      return 14;
    case 14:
      return 15;
    default:
      return aromatic ? 17 : 16;
  }
}

// The type of hydrogens bound to the first atom of a pattern, or to any atom.
struct HydrogenPattern {
  PatternRoot neighbour;
  std::uint32_t type;
  bool any, water;  // water: it also holds for the hydrogens of an oxygen that has two
};

// Crippen's types, and patterns whose matches are counted.
struct DescriptorPatterns {
  QueryTables type_tables, counted_tables, qed_tables;
  const PatternRoot* type;
  std::uint32_t types;
  const HydrogenPattern* hydrogen;
  std::uint32_t hydrogen_types;
  const double *log_p, *refractivity;       // of each type
  std::uint64_t* type_cache;                // kTypeEntries entries that begin as 0, or nullptr
  const std::uint32_t* deep;                // with it: patterns of two bonds' depth
  std::uint32_t deep_types, deep_patterns;  // the first so many are of types, the others of hydrogens
  const std::uint32_t* counted;
  const std::uint32_t* of_qed;  // patterns of acceptors, then alerts
  std::uint32_t acceptors, alerts;
};

// What RDKit holds of a molecule: its binary form, and the number there of each atom of the text.
struct HeldMolecule {
  const char* binary;
  std::int64_t length;
  const std::uint8_t* place;
  std::int64_t atoms;
};

struct DescriptorBatch {
  const char* const* text;  // ASCII; nullptr if it is no text
  const std::int64_t* length;
  const HeldMolecule* held;  // molecules that the texts must agree with, or nullptr
  Index molecules;
  const int* column;  // the numbers of the descriptors wanted; from kCount on, of the patterns that are counted
  Index columns;
  double* rows;          // (molecules, columns)
  std::uint8_t* status;  // (molecules,)
  DescriptorPatterns patterns;
  WorkMemory memory;
};

struct DescriptorKernels {
  void (*rows)(const DescriptorBatch& batch, Index begin, Index end);  // molecules [begin, end), on this thread
};
CATALASE_KERNELS(DescriptorKernels, descriptor)

// On up to `threads` threads of the pool. Rows of molecules with a status are not written.
void descriptors(const DescriptorBatch& batch, int threads);

}  // namespace catalase
