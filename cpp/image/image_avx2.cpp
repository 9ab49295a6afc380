// Augmentation, level avx2.
#include "cpu/simd_avx2.h"
#include "image/image_impl.h"

namespace catalase {
const ImageKernels image_avx2 = {augment_level<float>, augment_level<std::uint8_t>, augment_mask_level};
}  // namespace catalase
