// Augmentation, one level.
#include "image/image_impl.h"

namespace catalase {
extern const ImageKernels CATALASE_AT_LEVEL(image) = {augment_level<float>, augment_level<std::uint8_t>,
                                                      augment_mask_level};
}  // namespace catalase
