// All numbers of the blocking of a product, for each level.
#pragma once

#include "common/views.h"
#include "cpu/simd.h"

namespace catalase {
namespace {

#if CATALASE_VECTOR_BYTES == 64
// Rows of a tile of 1, 2, 3, 4 vectors: the most that 32 registers hold. Doubles, in which no net is trained, have
// fewer shapes, which makes 256^3 take a tenth longer.
template <class T>
constexpr int max_rows(Index vectors) {
  constexpr int of_floats[] = {0, 18, 12, 8, 6}, of_doubles[] = {0, 8, 12};
  return sizeof(T) == 4 ? of_floats[vectors] : of_doubles[vectors];
}
template <class T>
constexpr Index kPanelVectors = sizeof(T) == 4 ? 3 : 2;
// If B has just this many vectors, they are one panel: 64^3 gains an eighth.
template <class T>
constexpr Index kSinglePanel = sizeof(T) == 4 ? 4 : 2;
constexpr int kUnroll = 2;       // terms of a chain a turn; 4 is no faster, and slower where K is short
constexpr Index kBlockK = 256;   // a panel of 48 columns is 48 KiB; 512 with 144 rows lost 2 to 6% at 128 rows and more
constexpr Index kBlockM = 288;   // 288 KiB of A in an L2 of 1 MiB and more
constexpr Index kBlockN = 2016;  // 2 MiB of B in L2 and L3
#else
template <class T>
constexpr int max_rows(Index vectors) {
  constexpr int of[] = {0, 9, 6};  // 16 registers
  return of[vectors];
}
template <class T>
constexpr Index kPanelVectors = 2;
template <class T>
constexpr Index kSinglePanel = 2;
constexpr int kUnroll = 1;      // with 2, gcc spills
constexpr Index kBlockK = 384;  // a panel of 16 columns is 24 KiB, in an L1 of 32 KiB
constexpr Index kBlockM = 144;  // 216 KiB of A in an L2 of 512 KiB or more
constexpr Index kBlockN = 2048;
#endif

// C^T is computed in place of C if C has few columns: at most kMostTurned vectors of them, at least kTurnedTerms terms,
// and kTurnedRows rows at a time.
constexpr Index kMostTurned = 3;
constexpr Index kTurnedTerms = 16;
constexpr Index kTurnedRows = 480;

// A small B is read in place: up to this size it stays in L1 together with the tile's rows of A.
constexpr Index kSmallBytes = 24 << 10;

}  // namespace
}  // namespace catalase
