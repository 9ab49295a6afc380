// Divides an array among the threads, with at least 32,768 values each: below that, waking a second thread costs more.
#include "elementwise/elementwise.h"

#include "common/thread_pool.h"

namespace catalase {
namespace {
constexpr Index kGrain = 32768;
}

template <class T>
void map(Map f, const T* x, T* y, Index n) {
  parallel_ranges(n, kGrain,
                  [&](Index begin, Index end) { elementwise_kernels<T>().map(f, x + begin, y + begin, end - begin); });
}

template <class T>
void activation_backward(Activation f, const T* dy, const T* saved, T* dx, Index n) {
  parallel_ranges(n, kGrain, [&](Index begin, Index end) {
    elementwise_kernels<T>().activation_backward(f, dy + begin, saved + begin, dx + begin, end - begin);
  });
}

template <class T>
void dropout(DropoutKey key, std::uint32_t threshold, T scale, const T* x, T* y, std::uint8_t* kept, Index n) {
  parallel_ranges(n, kGrain, [&](Index begin, Index end) {  // ranges begin at multiples of 64
    std::uint8_t* part = kept == nullptr ? nullptr : kept + begin;
    elementwise_kernels<T>().dropout(key, begin, threshold, scale, x + begin, y + begin, part, end - begin);
  });
}

template <class T>
void keep(const std::uint8_t* kept, T scale, const T* x, T* y, Index n) {
  parallel_ranges(n, kGrain, [&](Index begin, Index end) {
    elementwise_kernels<T>().keep(kept + begin, scale, x + begin, y + begin, end - begin);
  });
}

template void map<float>(Map, const float*, float*, Index);
template void map<double>(Map, const double*, double*, Index);
template void activation_backward<float>(Activation, const float*, const float*, float*, Index);
template void activation_backward<double>(Activation, const double*, const double*, double*, Index);
template void dropout<float>(DropoutKey, std::uint32_t, float, const float*, float*, std::uint8_t*, Index);
template void dropout<double>(DropoutKey, std::uint32_t, double, const double*, double*, std::uint8_t*, Index);
template void keep<float>(const std::uint8_t*, float, const float*, float*, Index);
template void keep<double>(const std::uint8_t*, double, const double*, double*, Index);

}  // namespace catalase
