// Augmentation, level avx512.
#include "cpu/simd_avx512.h"
#include "image/image_impl.h"

namespace catalase {
const ImageKernels image_avx512 = {augment_level<float>, augment_level<std::uint8_t>, augment_mask_level};
}  // namespace catalase
