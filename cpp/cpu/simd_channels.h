// A walk over channels in vectors: four vectors at a time, then one, then the last channels under a mask. All three do
// the same operations for a channel, so its position changes no bit.
#pragma once

#include "cpu/simd.h"

namespace catalase {
namespace {

template <class T>
struct AllLanes {
  Vec<T> get(const T* p) const { return load(p); }
  void put(T* p, Vec<T> v) const { store(p, v); }
};

template <class T>
struct SomeLanes {
  LaneMask<T> lanes;
  Vec<T> get(const T* p) const { return load_lanes(p, lanes); }
  void put(T* p, Vec<T> v) const { store_lanes(p, v, lanes); }
};

// f.operator()<U>(c, lanes) processes U vectors from channel c on.
template <class T, class F>
inline void for_channels(Index first, Index last, F f) {
  constexpr Index W = kWidth<T>;
  Index c = first;
  for (; c + 4 * W <= last; c += 4 * W) f.template operator()<4>(c, AllLanes<T>{});
  for (; c + W <= last; c += W) f.template operator()<1>(c, AllLanes<T>{});
  if (c < last) f.template operator()<1>(c, SomeLanes<T>{first_lanes<T>(last - c)});
}

}  // namespace
}  // namespace catalase
