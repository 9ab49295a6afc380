// Features, as 32-bit hashes, to a row of bits or counts: feature f is column f % size.
//
// With simulated counts (RDKit's countSimulation) a row of bits has `size / 4` columns of four bits each, which are set
// where the feature's column occurs at least 1, 2, 4 and 8 times.
#pragma once

#include "fingerprint/ecfp.h"
#include "molecule/molecule.h"

namespace catalase {
namespace {

inline std::size_t row_bytes(EcfpOutput output, u32 size) {
  return output == EcfpOutput::kPacked ? size / 8 : size * sizeof(u32);
}

inline void clear_row(EcfpOutput output, void* rows, u32 size, Index i) {
  const std::size_t bytes = row_bytes(output, size);
  __builtin_memset(static_cast<u8*>(rows) + static_cast<std::size_t>(i) * bytes, 0, bytes);
}

// Calls fill(emit), which calls emit(feature) for each feature and returns a status; returns that.
template <class Fill>
Status fill_row(EcfpOutput output, void* rows, u32 size, Index i, Fill&& fill) {
  const bool power = (size & (size - 1)) == 0;
  const auto place = [&](u32 feature) { return power ? feature & (size - 1) : feature % size; };
  clear_row(output, rows, size, i);
  const Index start = i * static_cast<Index>(size);
  switch (output) {
    case EcfpOutput::kPacked: {
      u8* row = static_cast<u8*>(rows) + start / 8;
      return fill([&](u32 feature) {
        const u32 bit = place(feature);
        row[bit / 8] = static_cast<u8>(row[bit / 8] | 1u << (bit % 8));
      });
    }
    case EcfpOutput::kDense: {
      float* row = static_cast<float*>(rows) + start;
      return fill([&](u32 feature) { row[place(feature)] = 1.0f; });
    }
    default: {
      u32* row = static_cast<u32*>(rows) + start;
      return fill([&](u32 feature) { ++row[place(feature)]; });
    }
  }
}

// The same with simulated counts, for output other than counts; `bins` are size / 4 numbers of work space.
template <class Fill>
Status fill_simulated_row(EcfpOutput output, void* rows, u32 size, Index i, u32* bins, Fill&& fill) {
  const Status status = fill_row(EcfpOutput::kCounts, bins, size / 4, 0, fill);
  clear_row(output, rows, size, i);
  if (status != kNative) return status;
  u8* packed = static_cast<u8*>(rows) + static_cast<std::size_t>(i) * (size / 8);
  float* dense = static_cast<float*>(rows) + i * static_cast<Index>(size);
  for (u32 b = 0; b < size / 4; ++b) {
    if (bins[b] == 0) continue;
    const unsigned bits = bins[b] >= 8 ? 15 : bins[b] >= 4 ? 7 : bins[b] >= 2 ? 3 : 1;
    if (output == EcfpOutput::kPacked) {
      packed[b / 2] = static_cast<u8>(packed[b / 2] | bits << (4 * (b % 2)));
    } else {
      for (unsigned k = 0; k < 4; ++k) dense[4 * b + k] = static_cast<float>(bits >> k & 1);
    }
  }
  return kNative;
}

}  // namespace
}  // namespace catalase
