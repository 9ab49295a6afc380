// Products of a thread block over one tile of outputs: shared by matmul.cu and conv.cu, which differ in the source of
// the values.
//
// A source of values has `load(depths_left)`, which reads the next kDepth depths of its lines into registers (zero for
// values outside), and `store(tile)`, which writes them to shared memory as [depth][line].
#pragma once

#include "vecmath.cuh"

namespace catalase {

// One operand as lines (rows of A, columns of B) along the depth k.
struct Operand {
  const float* data;
  i64 line_stride, depth_stride, lines;
};

constexpr i32 kThreads = 256;  // of a block, unless stated otherwise
constexpr i32 kPad = 4;        // keeps vector loads aligned, and spreads a transposing store over banks

// Copies kLines x kDepth values of an operand through registers into shared memory, [depth][line].
template <i32 kLines, i32 kDepth, i32 kWorkers = kThreads>
struct Stage {
  static constexpr i32 kEach = kLines * kDepth / kWorkers;
  float held[kEach];
  const float* at;
  i64 step, advance;
  i32 line, depth;   // of the first value
  i32 lines_left;    // from the tile's first line to the last of the operand
  bool along_depth;  // neighbouring threads read along k

  __device__ __forceinline__ void start(const Operand& from, i64 first_line, i64 first_depth) {
    const i32 t = static_cast<i32>(threadIdx.x);
    along_depth = from.depth_stride == 1;
    line = along_depth ? t / kDepth : t % kLines;
    depth = along_depth ? t % kDepth : t / kLines;
    step = along_depth ? kWorkers / kDepth * from.line_stride : kWorkers / kLines * from.depth_stride;
    advance = kDepth * from.depth_stride;
    lines_left = static_cast<i32>(smaller(from.lines - first_line, kLines));
    at = from.data + (first_line + line) * from.line_stride + (first_depth + depth) * from.depth_stride;
  }
  __device__ __forceinline__ void load(i32 depths_left) {
#pragma unroll
    for (i32 e = 0; e < kEach; ++e) {
      const i32 l = along_depth ? line + e * (kWorkers / kDepth) : line;
      const i32 d = along_depth ? depth : depth + e * (kWorkers / kLines);
      held[e] = l < lines_left && d < depths_left ? at[e * step] : 0.0f;
    }
    at += advance;
  }
  __device__ __forceinline__ void store(float* tile) const {
#pragma unroll
    for (i32 e = 0; e < kEach; ++e) {
      const i32 l = along_depth ? line + e * (kWorkers / kDepth) : line;
      const i32 d = along_depth ? depth : depth + e * (kWorkers / kLines);
      tile[d * (kLines + kPad) + l] = held[e];
    }
  }
};

// `kCount` values of a thread from one depth of a shared tile: groups of up to four neighbours, which lie a part of the
// tile apart.
template <i32 kLines, i32 kCount>
struct Fragment {
  static constexpr i32 kGroup = kCount < 4 ? kCount : 4;
  static constexpr i32 kApart = kLines / (kCount / kGroup);

  static __device__ __forceinline__ i32 line(i32 thread, i32 i) {
    return i / kGroup * kApart + thread * kGroup + i % kGroup;
  }
  static __device__ __forceinline__ void read(const float* row, i32 thread, float* out) {
#pragma unroll
    for (i32 i = 0; i < kCount; i += kGroup) {
      const float* from = row + line(thread, i);
      if constexpr (kGroup == 4) {
        const float4 v = *reinterpret_cast<const float4*>(from);
        out[i] = v.x, out[i + 1] = v.y, out[i + 2] = v.z, out[i + 3] = v.w;
      } else {
        const float2 v = *reinterpret_cast<const float2*>(from);
        out[i] = v.x, out[i + 1] = v.y;
      }
    }
  }
};

// sum[i][j] += the products of kTile lines of each source, over `depths`, at most kChain; each sum one chain in
// ascending depth.
template <i32 kTile, i32 kDepth, i32 kRows, i32 kColumns = kRows>
struct Tile {
  static constexpr i32 kAcross = kTile / kColumns, kWorkers = kAcross * (kTile / kRows);  // threads
  static constexpr i32 kBuffer = kDepth * (kTile + kPad);
  static constexpr i32 kFloats = 2 * kBuffer;  // of shared memory, for each source
  using Rows = Fragment<kTile, kRows>;
  using Columns = Fragment<kTile, kColumns>;
  using Lines = Rows;  // if both are alike

  static __device__ __forceinline__ i32 tx() { return static_cast<i32>(threadIdx.x) % kAcross; }
  static __device__ __forceinline__ i32 ty() { return static_cast<i32>(threadIdx.x) / kAcross; }
  static __device__ __forceinline__ void clear(float (&sum)[kRows][kColumns]) {
#pragma unroll
    for (i32 i = 0; i < kRows; ++i) {
#pragma unroll
      for (i32 j = 0; j < kColumns; ++j) sum[i][j] = 0.0f;
    }
  }
  template <class A, class B>
  static __device__ __forceinline__ void multiply(A& from_a, B& from_b, i32 depths, float* tile_a, float* tile_b,
                                                  float (&sum)[kRows][kColumns]) {
    from_a.load(depths);
    from_b.load(depths);
    i32 buffer = 0;
    for (; depths > 0; depths -= kDepth, buffer ^= 1) {
      float* now_a = tile_a + buffer * kBuffer;
      float* now_b = tile_b + buffer * kBuffer;
      from_a.store(now_a);
      from_b.store(now_b);
      __syncthreads();  // all threads have passed here since reading the other buffer, so it is free
      if (depths > kDepth) {
        from_a.load(depths - kDepth);
        from_b.load(depths - kDepth);
      }
#pragma unroll 16
      for (i32 d = 0; d < kDepth; ++d) {
        float left[kRows], right[kColumns];
        Rows::read(now_a + d * (kTile + kPad), ty(), left);
        Columns::read(now_b + d * (kTile + kPad), tx(), right);
#pragma unroll
        for (i32 i = 0; i < kRows; ++i) {
#pragma unroll
          for (i32 j = 0; j < kColumns; ++j) sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
        }
      }
    }
  }
};

}  // namespace catalase
