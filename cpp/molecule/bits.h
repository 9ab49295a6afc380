// A small set of atoms or bonds: 64 * W bits in registers. Molecules of up to 64 atoms and bonds use one word, larger
// ones four; with W = 1 the compiler removes the loops over words.
#pragma once

#include <cstdint>

namespace catalase {
namespace {

template <int W>
struct Bits {
  std::uint64_t word[W];

  static Bits none() {
    Bits r;
    for (int i = 0; i < W; ++i) r.word[i] = 0;
    return r;
  }
  static Bits one(unsigned i) {
    Bits r = none();
    r.set(i);
    return r;
  }
  void set(unsigned i) { word[W == 1 ? 0 : i / 64] |= std::uint64_t{1} << (i % 64); }
  void clear(unsigned i) { word[W == 1 ? 0 : i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
  bool test(unsigned i) const { return (word[W == 1 ? 0 : i / 64] >> (i % 64) & 1) != 0; }

  bool any() const {
    std::uint64_t all = 0;
    for (int i = 0; i < W; ++i) all |= word[i];
    return all != 0;
  }
  int count() const {
    int n = 0;
    for (int i = 0; i < W; ++i) n += __builtin_popcountll(word[i]);
    return n;
  }
  unsigned first() const {  // of a set that is not empty
    for (int i = 0; i < W; ++i) {
      if (word[i] != 0) return static_cast<unsigned>(64 * i + __builtin_ctzll(word[i]));
    }
    return 0;
  }
  void drop_first() {
    for (int i = 0; i < W; ++i) {
      if (word[i] != 0) {
        word[i] &= word[i] - 1;
        return;
      }
    }
  }

  Bits& operator|=(const Bits& o) {
    for (int i = 0; i < W; ++i) word[i] |= o.word[i];
    return *this;
  }
  Bits& operator&=(const Bits& o) {
    for (int i = 0; i < W; ++i) word[i] &= o.word[i];
    return *this;
  }
  Bits& operator^=(const Bits& o) {
    for (int i = 0; i < W; ++i) word[i] ^= o.word[i];
    return *this;
  }
  Bits operator~() const {
    Bits r;
    for (int i = 0; i < W; ++i) r.word[i] = ~word[i];
    return r;
  }
  friend Bits operator|(Bits a, const Bits& b) { return a |= b; }
  friend Bits operator&(Bits a, const Bits& b) { return a &= b; }
  friend Bits operator^(Bits a, const Bits& b) { return a ^= b; }
  friend bool operator==(const Bits& a, const Bits& b) {
    std::uint64_t differ = 0;
    for (int i = 0; i < W; ++i) differ |= a.word[i] ^ b.word[i];
    return differ == 0;
  }
};

// Calls f(i) for each member, in ascending order.
template <int W, class F>
inline void for_each(Bits<W> set, F&& f) {
  for (int i = 0; i < W; ++i) {
    for (std::uint64_t word = set.word[i]; word != 0; word &= word - 1) {
      f(static_cast<unsigned>(64 * i + __builtin_ctzll(word)));
    }
  }
}

}  // namespace
}  // namespace catalase
