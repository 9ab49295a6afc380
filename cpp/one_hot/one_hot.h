// One-hot DNA: letters to rows of four numbers, in the order A C G T.
//
// out (N, L, 4): row i of interval k is 1 in the column of its letter and 0 elsewhere. U counts as T, lower case as
// upper case. N and the other IUPAC letters (R Y S W K M B D H V) give a row of zeros, and so does a position outside
// the sequence. Reversed intervals are complemented: the columns are exchanged (A-T, C-G) and the rows run backwards.
//
// One table look-up and one store a letter. Bound: the stores, 4 bytes a letter (uint8, int8) or 16 (float32).
#pragma once

#include "common/views.h"

namespace catalase {

// Interval k is [start, stop) of text[which[k]], 0-based; stop - start is at most `columns`, and the rest is zeros.
struct OneHotBatch {
  const unsigned char* const* text;
  const std::int64_t* length;  // of each text
  const std::int64_t* which;
  const std::int64_t* start;
  const std::int64_t* stop;
  const std::uint8_t* reverse;
  Index intervals;
  Index columns;
  std::int64_t* bad;  // of each interval: the position in its text of the first byte that is no letter of DNA, or -1
};

// All threads. T is std::uint8_t or float.
template <class T>
void one_hot_dna(const OneHotBatch& batch, T* out);

}  // namespace catalase
