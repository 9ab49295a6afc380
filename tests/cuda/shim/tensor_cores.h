// What the PTX manual says of cvt.rna.tf32, cvt.rn.bf16x2 and of the fragments of mma.sync, for device code on the
// host. The manual leaves open in which order an instruction adds its products to the sum, and how it rounds there:
// here they are one ascending chain, rounded to nearest. Of a TF32 register it leaves the lower 13 bits open: here they
// are cut.
#pragma once

namespace shim {

int warp();

inline unsigned bits_of(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline float float_of(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline unsigned round_tf32(float x) {
  return std::isnan(x) ? 0x7fffffff : (bits_of(x) + 0x1000) & 0xffffe000u;  // ties away from zero
}
inline unsigned round_bf16(float x) {
  const unsigned bits = bits_of(x);
  return std::isnan(x) ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;  // ties to even
}
inline unsigned pack_bf16(float low, float high) {
  return round_bf16(low) | round_bf16(high) << 16;
}

// Fragments of a warp: A (16, K), B (K, 8), four registers and two of each lane.
struct Tf32Fragments {
  static constexpr int kDepth = 8;
  static float a(const unsigned (*lanes)[6], int row, int k) {
    return float_of(lanes[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2] & 0xffffe000u);
  }
  static float b(const unsigned (*lanes)[6], int k, int column) {
    return float_of(lanes[column * 4 + k % 4][4 + k / 4] & 0xffffe000u);
  }
};
struct Bf16Fragments {
  static constexpr int kDepth = 16;
  static float half(unsigned pair, int which) { return float_of(which ? pair & 0xffff0000u : pair << 16); }
  static float a(const unsigned (*lanes)[6], int row, int k) {
    return half(lanes[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2], k % 2);
  }
  static float b(const unsigned (*lanes)[6], int k, int column) {
    return half(lanes[column * 4 + k % 8 / 2][4 + k / 8], k % 2);
  }
};

template <class Fragments>
void mma(float* c, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  static unsigned given[32][32][6];
  const unsigned mine[6] = {a0, a1, a2, a3, b0, b1};
  const int at = lane(), w = warp();
  std::memcpy(given[w][at], mine, sizeof(mine));
  ballot(~0u, true, __FILE__, __LINE__);  // .sync: all lanes of the warp come
  for (int e = 0; e < 4; ++e) {
    for (int k = 0; k < Fragments::kDepth; ++k) {
      const float left = Fragments::a(given[w], at / 4 + e / 2 * 8, k);
      c[e] = std::fmaf(left, Fragments::b(given[w], k, at % 4 * 2 + e % 2), c[e]);
    }
  }
  ballot(~0u, true, __FILE__, __LINE__);  // before anyone gives the next
}

inline void mma_tf32(float* c, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  mma<Tf32Fragments>(c, a0, a1, a2, a3, b0, b1);
}
inline void mma_bf16(float* c, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  mma<Bf16Fragments>(c, a0, a1, a2, a3, b0, b1);
}

}  // namespace shim
