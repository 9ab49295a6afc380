// One-hot DNA: letters to rows of four numbers, in the order A C G T; out (N, columns, 4) of float32 or bytes.
//
// Sequence k is letters[starts[k]] up to starts[k + 1]; columns beyond its end, and the IUPAC letters that are no base,
// are rows of zeros. U counts as T, lower case as upper case. If reverse[k] is not 0, the rows run backwards and the
// columns are exchanged (A-T, C-G). The host has refused bytes that are no letters before the copy. Threads: one for
// each row, so a warp writes neighbouring bytes. Bound: the stores, 16 bytes a letter (float32) or 4.
#include "types.cuh"

namespace catalase {

// The column of a letter, or -1.
__device__ __forceinline__ i32 base_of(u8 letter) {
  switch (letter & 0xdf) {  // as upper case
    case 'A':
      return 0;
    case 'C':
      return 1;
    case 'G':
      return 2;
    case 'T':
    case 'U':
      return 3;
    default:
      return -1;
  }
}

template <class T>
__device__ __forceinline__ void one_hot_rows(const u8* letters, const i64* starts, const u8* reverse, T* out,
                                             i64 columns, i64 n) {
  for (i64 i = global_thread(); i < n; i += global_threads()) {
    const i64 k = i / columns, row = i % columns, start = starts[k], length = starts[k + 1] - start;
    i32 base = -1;
    if (row < length) {
      const bool turned = reverse[k] != 0;
      base = base_of(letters[turned ? start + length - 1 - row : start + row]);
      base = turned && base >= 0 ? 3 - base : base;
    }
#pragma unroll
    for (i32 column = 0; column < 4; ++column) out[4 * i + column] = static_cast<T>(column == base ? 1 : 0);
  }
}

}  // namespace catalase

using namespace catalase;

// n rows in all.
extern "C" __global__ void __launch_bounds__(256)
    one_hot_f32(const u8* letters, const i64* starts, const u8* reverse, float* out, i64 columns, i64 n) {
  one_hot_rows(letters, starts, reverse, out, columns, n);
}

extern "C" __global__ void __launch_bounds__(256)
    one_hot_u8(const u8* letters, const i64* starts, const u8* reverse, u8* out, i64 columns, i64 n) {
  one_hot_rows(letters, starts, reverse, out, columns, n);
}
