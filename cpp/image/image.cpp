// Divides the images of a batch among the threads.
#include "image/image.h"

#include "common/memory.h"
#include "common/partition.h"
#include "common/thread_pool.h"

namespace catalase {
namespace {

// Calls f(image, offsets) for each image, with separate scratch memory for the offsets.
template <class F>
void for_each_image(Index n, const AugmentShape& s, F f) {
  const Index room = s.out_height + s.out_width;
  const Index tasks = smaller(n, 4 * num_threads());
  if (tasks == 0) return;
  Scratch<Index> offsets(static_cast<std::size_t>(tasks * room) + 1);
  parallel_for(tasks, [&](Index task) {
    for (Index i = task * n / tasks; i < (task + 1) * n / tasks; ++i) f(i, offsets.get() + task * room);
  });
}

}  // namespace

template <class T>
void augment(const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const std::uint32_t* numbers,
             Index n, const AugmentShape& s, const T* x, float* y) {
  const Index size = s.height * s.width * s.channels, out_size = s.out_height * s.out_width * s.channels;
  for_each_image(n, s, [&](Index i, Index* offsets) {
    const AugmentKey key{seed, numbers[i], step};
    if constexpr (sizeof(T) == 4) {
      image_kernels().augment_f32(options, key, s, x + i * size, y + i * out_size, offsets);
    } else {
      image_kernels().augment_u8(options, key, s, x + i * size, y + i * out_size, offsets);
    }
  });
}

void augment_masks(const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const std::uint32_t* numbers,
                   Index n, const AugmentShape& s, const void* x, void* y, Index item_bytes) {
  const Index size = s.height * s.width * s.channels, out_size = s.out_height * s.out_width * s.channels;
  for_each_image(n, s, [&](Index i, Index* offsets) {
    const AugmentKey key{seed, numbers[i], step};
    image_kernels().augment_mask(options, key, s, static_cast<const char*>(x) + i * size * item_bytes,
                                 static_cast<char*>(y) + i * out_size * item_bytes, item_bytes, offsets);
  });
}

template void augment<float>(const AugmentOptions&, std::uint64_t, std::uint32_t, const std::uint32_t*, Index,
                             const AugmentShape&, const float*, float*);
template void augment<std::uint8_t>(const AugmentOptions&, std::uint64_t, std::uint32_t, const std::uint32_t*, Index,
                                    const AugmentShape&, const std::uint8_t*, float*);

}  // namespace catalase
