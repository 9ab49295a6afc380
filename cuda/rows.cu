// Copies rows of one array to rows of another, as whole numbers of bytes or words.
//
// Threads walk the elements; neighbours copy neighbours of a row. Bound: memory.
#include "types.cuh"

namespace catalase {

template <class T>
__device__ __forceinline__ void copy(const T* from, const i64* source, const i64* target, i64 width, T* to, i64 items) {
  for (i64 i = global_thread(); i < items; i += global_threads()) {
    const i64 row = i / width, column = i % width;
    to[(target != nullptr ? target[row] : row) * width + column] =
        from[(source != nullptr ? source[row] : row) * width + column];
  }
}

}  // namespace catalase

using namespace catalase;

// to[target[i]] = from[source[i]], rows of `width` bytes or words; no list: in order. `items` is rows times width.
extern "C" __global__ void __launch_bounds__(256)
    copy_rows_u8(const u8* from, const i64* source, const i64* target, i64 width, u8* to, i64 items) {
  copy(from, source, target, width, to, items);
}
extern "C" __global__ void __launch_bounds__(256)
    copy_rows_u32(const u32* from, const i64* source, const i64* target, i64 width, u32* to, i64 items) {
  copy(from, source, target, width, to, items);
}
