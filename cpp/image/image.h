// Augmentation: each image of a batch is rotated, moved, cropped, made brighter and noisier by its own random numbers.
//
// x (N, H, W, C) float32 or uint8, y (N, h, w, C) float32. The order is: flips, quarter turns, rotation about the
// centre (counter-clockwise), shift by whole pixels, crop to (h, w). Together these are ONE map from output pixel to
// source pixel, so an image is read once. Then follow contrast about each channel's mean, brightness, Gaussian noise,
// limits. Without a rotation the map has whole numbers and pixels are copied; with one they are bilinear, and masks
// take the nearest pixel.
//
// Random words: Philox with the key `seed`, counter (group, image number, step). Group 0 holds the image's numbers,
// group 1 + i / 64 the noise of element i. So results depend neither on the batch and its order nor on the threads.
//
// Bound: bilinear maps by 4 loads and 7 multiplications a channel, scalar; copies by memory; noise by the random words
// (4 cycles each).
#pragma once

#include "common/views.h"
#include "cpu/kernels.h"

namespace catalase {

enum class Border : int { kConstant = 0, kEdge = 1, kReflect = 2 };

struct AugmentOptions {
  double flip_horizontal, flip_vertical;  // probabilities
  bool quarter_turns;                     // half turns only, if height and width differ
  double rotation;                        // largest angle, in radians, in both directions
  double shift_y, shift_x;                // largest shift, in pixels, in both directions
  float brightness, contrast;             // largest change: adds up to +-brightness, multiplies by up to 1 +- contrast
  float noise;                            // standard deviation
  float scale;                            // factor for each value that is read
  float low, high;                        // limits of the written values
  Border border;
  float fill;   // value beyond the border, for Border::kConstant
  bool random;  // false: only the scale, and a crop from the middle
};

struct AugmentShape {
  Index height, width, channels, out_height, out_width;
};

struct AugmentKey {
  std::uint64_t seed;
  std::uint32_t image;
  std::uint32_t step;
};

struct ImageKernels {
  // One image. offsets has room for out_height + out_width numbers.
  void (*augment_f32)(const AugmentOptions&, AugmentKey, const AugmentShape&, const float* x, float* y, Index* offsets);
  void (*augment_u8)(const AugmentOptions&, AugmentKey, const AugmentShape&, const std::uint8_t* x, float* y,
                     Index* offsets);
  // One mask of items of 1, 2, 4 or 8 bytes: the map of augment_* for the same key, the nearest item, zero bits as the
  // fill.
  void (*augment_mask)(const AugmentOptions&, AugmentKey, const AugmentShape&, const void* x, void* y, Index item_bytes,
                       Index* offsets);
};
CATALASE_KERNELS(ImageKernels, image)

// All threads. numbers (n): the numbers of the images.
template <class T>
void augment(const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const std::uint32_t* numbers,
             Index n, const AugmentShape& shape, const T* x, float* y);
void augment_masks(const AugmentOptions& options, std::uint64_t seed, std::uint32_t step, const std::uint32_t* numbers,
                   Index n, const AugmentShape& shape, const void* x, void* y, Index item_bytes);

}  // namespace catalase
