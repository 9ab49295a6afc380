// Augmentation, level portable.
#include "cpu/simd_portable.h"
#include "image/image_impl.h"

namespace catalase {
const ImageKernels image_portable = {augment_level<float>, augment_level<std::uint8_t>, augment_mask_level};
}  // namespace catalase
