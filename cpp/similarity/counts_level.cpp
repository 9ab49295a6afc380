// One row of counts against a table of 64 rows; counts.h has the formula and the layout. The sums of 64 pairs stay in
// registers: a vector of bytes (AVX-512), two (AVX2) or four (portable), or 16 float64 at a time.

#include "cpu/simd.h"
#include "similarity/counts.h"

namespace catalase {
namespace {

#if defined(__AVX512BW__)
constexpr Index kBytes = 64;
#elif defined(__AVX2__)
constexpr Index kBytes = 32;
#else
constexpr Index kBytes = 16;
#endif
typedef std::uint8_t Bytes __attribute__((vector_size(kBytes), may_alias));
constexpr Index kVectors = kTargets / kBytes;

std::uint64_t nonzero(const std::uint32_t* words) {
  std::uint64_t found = 0;
#if defined(__AVX512F__)
  for (int i = 0; i < 4; ++i) {
    const __m512i v = _mm512_loadu_si512(words + 16 * i);
    found |= static_cast<std::uint64_t>(_mm512_test_epi32_mask(v, v)) << (16 * i);
  }
#elif defined(__AVX2__)
  for (int i = 0; i < 8; ++i) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 8 * i));
    const int zeros = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, _mm256_setzero_si256())));
    found |= static_cast<std::uint64_t>(~zeros & 255) << (8 * i);
  }
#else
  for (int i = 0; i < 64; i += 8) {
    std::uint32_t any = 0;
    for (int j = 0; j < 8; ++j) any |= words[i + j];
    if (any == 0) continue;
    for (int j = 0; j < 8; ++j) found |= static_cast<std::uint64_t>(words[i + j] != 0) << (i + j);
  }
#endif
  return found;
}

inline Bytes load_bytes(const std::uint8_t* p) {
  Bytes v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

// common[t] (+)= the sums of bytes.
inline void widen(const Bytes* sums, bool add, std::int32_t* common) {
  std::uint8_t narrow[kTargets];
  __builtin_memcpy(narrow, sums, sizeof(narrow));
  if (add) {
    for (Index t = 0; t < kTargets; ++t) common[t] += narrow[t];
  } else {
    for (Index t = 0; t < kTargets; ++t) common[t] = narrow[t];
  }
}

inline void common_bytes(const CountEntries& row, const CountTable& table, std::int32_t* common) {
  Bytes sums[kVectors] = {};
  int room = 255;  // that is left in a byte
  bool widened = false;
  for (Index e = 0; e < row.size; ++e) {
    const std::uint8_t value = row.bytes[e];
    if (value > room) {
      widen(sums, widened, common);
      widened = true, room = 255;
      for (Index v = 0; v < kVectors; ++v) sums[v] = Bytes{};
    }
    room -= value;
    const std::uint8_t* line = table.bytes + static_cast<Index>(table.line_of[row.columns[e]]) * kTargets;
    const Bytes own = Bytes{} + value;
    for (Index v = 0; v < kVectors; ++v) {
      const Bytes other = load_bytes(line + v * kBytes);
      sums[v] += other < own ? other : own;
    }
  }
  widen(sums, widened, common);
}

inline void common_values(const CountEntries& row, const CountTable& table, double* common) {
  using V = Vec<double>;
  constexpr Index kLanes = sizeof(V) / sizeof(double), kAtATime = kTargets / 4, kSums = kAtATime / kLanes;
  for (Index first = 0; first < kTargets; first += kAtATime) {
    V sums[kSums] = {};
    for (Index e = 0; e < row.size; ++e) {
      const double* line = table.values + static_cast<Index>(table.line_of[row.columns[e]]) * kTargets + first;
      const V own = broadcast<double>(row.values[e]);
      for (Index s = 0; s < kSums; ++s) {
        const V other = load(line + s * kLanes);
        sums[s] += other < own ? other : own;
      }
    }
    for (Index s = 0; s < kSums; ++s) store(common + first + s * kLanes, sums[s]);
  }
}

template <class Out>
void similarities(const CountEntries& row, const CountTable& table, Out* out) {
  Out found[kTargets];
  if (table.bytes != nullptr) {
    alignas(64) std::int32_t common[kTargets];
    common_bytes(row, table, common);
    const auto own = static_cast<std::int32_t>(row.sum);
    for (Index t = 0; t < kTargets; ++t) {
      const std::int32_t all = own + static_cast<std::int32_t>(table.sums[t]) - common[t];
      found[t] = static_cast<Out>(common[t]) / static_cast<Out>(all + (all == 0 ? 1 : 0));
    }
  } else {
    alignas(64) double common[kTargets];
    common_values(row, table, common);
    for (Index t = 0; t < kTargets; ++t) {
      const double all = row.sum + table.sums[t] - common[t];
      found[t] = static_cast<Out>(common[t]) / static_cast<Out>(all + (all == 0 ? 1 : 0));
    }
  }
  if (table.rows == kTargets) {
    __builtin_memcpy(out, found, sizeof(found));
  } else {
    __builtin_memcpy(out, found, static_cast<std::size_t>(table.rows) * sizeof(Out));
  }
}

}  // namespace

extern const CountKernels CATALASE_AT_LEVEL(counts) = {nonzero, similarities<float>, similarities<double>};
}  // namespace catalase
