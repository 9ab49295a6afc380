// A canonical form of a small labelled graph: isomorphic graphs, and no others, have equal forms.
//
// Atoms are told apart by refinement (each value is mixed with those of the neighbours until no more atoms differ); then
// an atom of the smallest class of equal ones is singled out, and refinement goes on. Each choice is followed down to a
// numbering of all atoms, and the least form is the result (McKay, Congressus Numerantium 30 (1981) 45). A choice is
// skipped if its first numbering has the form of the first choice's, and the atoms that were singled out have the same
// places in both: then an automorphism maps the one choice on the other. So a molecule with k symmetric parts takes some
// k * k refinements, not 2^k.
//
// Values are 64-bit mixtures. Two that are equal by accident only leave atoms together for longer; the form is exact.
#pragma once

#include "scaffold/murcko.h"

namespace catalase {
namespace {

constexpr unsigned kMaxForm = 1 + 2 * 320;
constexpr unsigned kMaxChoices = 24;  // one below the other
constexpr u64 kPatience = 5'000'000;  // steps of sorting, some 12 ms, so that no input takes long

struct Form {
  unsigned words;
  u32 word[kMaxForm];
  u8 place[256];  // of each atom in the numbering
};

inline u64 mixed(u64 x) {  // the finalizer of SplitMix64
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

inline bool is_less(const Form& a, const Form& b) {
  if (a.words != b.words) return a.words < b.words;
  for (unsigned i = 0; i < a.words; ++i) {
    if (a.word[i] != b.word[i]) return a.word[i] < b.word[i];
  }
  return false;
}

class Canonizer {
 public:
  explicit Canonizer(const LabelledGraph& g) : g_(g) {}

  // False if the graph is too symmetric, or too large.
  bool form(Form& result) {
    u64 value[256];
    for (unsigned a = 0; a < g_.atoms; ++a) value[a] = mixed(g_.label[a]);
    refine(value);
    return search(value, 0, false, result, nullptr);
  }

 private:
  // Sorts the atoms by value; returns the number of different values.
  unsigned sort(const u64* value, u8* atom) const {
    for (unsigned a = 0; a < g_.atoms; ++a) {
      unsigned j = a;
      for (; j > 0 && value[atom[j - 1]] > value[a]; --j) atom[j] = atom[j - 1];
      atom[j] = static_cast<u8>(a);
    }
    unsigned different = g_.atoms > 0;
    for (unsigned i = 1; i < g_.atoms; ++i) different += value[atom[i]] != value[atom[i - 1]];
    return different;
  }

  void refine(u64* value) {
    u8 atom[256];
    unsigned before = sort(value, atom);
    while (work_ <= kPatience) {
      u64 next[256];
      for (unsigned a = 0; a < g_.atoms; ++a) {
        u64 sum = 0;
        for (unsigned i = 0; i < g_.degree[a]; ++i) {
          sum += mixed(value[g_.neighbour[a][i]] + 0x9e3779b97f4a7c15u * g_.order[a][i]);
        }
        next[a] = mixed(value[a] * 3 + sum);
      }
      const unsigned different = sort(next, atom);
      work_ += u64{g_.atoms} * g_.atoms;
      __builtin_memcpy(value, next, g_.atoms * sizeof(u64));
      if (different <= before) return;
      before = different;
    }
  }

  void write(const u64* value, Form& form) const {
    u8 atom[256];
    sort(value, atom);
    for (unsigned i = 0; i < g_.atoms; ++i) form.place[atom[i]] = static_cast<u8>(i);
    unsigned n = 0;
    form.word[n++] = g_.atoms;
    for (unsigned i = 0; i < g_.atoms; ++i) form.word[n++] = g_.label[atom[i]];
    for (unsigned i = 0; i < g_.atoms; ++i) {
      const unsigned a = atom[i], first = n;
      for (unsigned k = 0; k < g_.degree[a]; ++k) {
        const u32 far = form.place[g_.neighbour[a][k]];
        if (far > i) continue;
        const u32 bond = i << 16 | far << 8 | g_.order[a][k];
        unsigned j = n++;
        for (; j > first && form.word[j - 1] > bond; --j) form.word[j] = form.word[j - 1];
        form.word[j] = bond;
      }
    }
    form.words = n;
  }

  // The least form below these values, or, if `first_only`, the form that is reached first; `first` gets that one too.
  bool search(const u64* value, unsigned depth, bool first_only, Form& best, Form* first) {
    u8 atom[256];
    if (sort(value, atom) == g_.atoms) {
      write(value, best);
      if (first != nullptr) *first = best;
      return true;
    }
    if (depth == kMaxChoices || work_ > kPatience) return false;
    unsigned begin = 0, size = 256;  // of the smallest class with more than one atom, the first of these
    for (unsigned i = 0, j; i < g_.atoms; i = j) {
      for (j = i + 1; j < g_.atoms && value[atom[j]] == value[atom[i]];) ++j;
      if (j - i > 1 && j - i < size) begin = i, size = j - i;
    }
    Form& own_first = first_[depth];
    Form& other = other_[depth];
    for (unsigned k = 0; k < size; ++k) {
      u64 chosen[256];
      __builtin_memcpy(chosen, value, g_.atoms * sizeof(u64));
      chosen[atom[begin + k]] = mixed(chosen[atom[begin + k]] + 1);
      refine(chosen);
      path_[depth] = atom[begin + k];
      if (k == 0) {
        if (!search(chosen, depth + 1, first_only, best, &own_first)) return false;
        if (first != nullptr) *first = own_first;
        if (first_only) return true;
        continue;
      }
      if (!search(chosen, depth + 1, true, other, nullptr)) return false;
      if (are_automorphic(own_first, atom[begin], other, depth)) continue;
      if (!search(chosen, depth + 1, false, other, nullptr)) return false;
      if (is_less(other, best)) best = other;
    }
    return true;
  }

  // Whether two numberings have one form, and the same places for the atoms singled out: `atom` in a, the last one in b.
  bool are_automorphic(const Form& a, unsigned atom, const Form& b, unsigned depth) const {
    if (is_less(a, b) || is_less(b, a) || a.place[atom] != b.place[path_[depth]]) return false;
    for (unsigned i = 0; i < depth; ++i) {
      if (a.place[path_[i]] != b.place[path_[i]]) return false;
    }
    return true;
  }

  const LabelledGraph& g_;
  u8 path_[kMaxChoices];
  u64 work_ = 0;
  Form first_[kMaxChoices], other_[kMaxChoices];
};

}  // namespace
}  // namespace catalase
