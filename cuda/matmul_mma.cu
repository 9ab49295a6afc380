// C = act(A @ B + bias + add), then zero where keep is not above zero, on tensor cores: float32 in memory, factors
// rounded to TF32 (10 bits after the point, ties away from zero) or bf16 (7 bits, ties to even), sums in float32.
//
// A (M, K) and B (K, N) have any strides; rows of C, add and keep have unit stride. Every output is one chain of
// m16n8k8 (TF32) or m16n8k16 (bf16) instructions over ascending groups of 16 terms, cut every 4,096 terms with the
// parts added in order, bias last: so the bits depend neither on the tile, nor on the grid, nor on the other rows. They
// are not the CPU's: products are exact, but PTX does not specify in which order, and with what rounding, an
// instruction adds its 8 or 16 products to the sum.
//
// Threads: a block of 4 warps computes a tile of C of 128 x 128 or 64 x 64, a warp a quarter of it. Loop: K in steps of
// 16; cp.async loads the step after next into the third of three shared buffers while this one is multiplied: one
// barrier a step. Copies have 16 bytes if the operand has unit stride and its rows are aligned, otherwise 4. An operand
// lies in shared memory in the order that it has outside, [line][depth] or [depth][line] (lines are rows of A, columns
// of B), so that the copies are whole. Of the 16 depths, the four of a lane in the instructions' fragments are 4t to 4t
// + 3, for both A and B; this makes them one vector load from [line][depth] and changes nothing else, because k has no
// order within a group. In [depth][line] bits 3 and 4 of the line are combined with the depth's (^), which avoids bank
// conflicts in both directions. Edges: the copy fills values outside with zeros, and they are not stored. blockIdx as
// in matmul.cu.
//
// Bound: the tensor cores for TF32; for bf16 shared memory, since its values are still float32. Not taken: packing to
// bf16 during the copy (through registers, which would then hold a step's values in addition to 128 sums); wgmma, which
// exists on sm_90 alone; a finer cut of K, which would fill the device on small outputs, but write large ones too
// often. These kernels need sm_80: on sm_75 they stop at once, and are refused before they start.
#include "epilogue.cuh"
#include "product.cuh"

namespace catalase {

constexpr i32 kMmaThreads = 128, kMmaDepth = 16, kStages = 3;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define CATALASE_PTX(host, ...) asm volatile("trap;")
#elif defined(__CUDA_ARCH__)
#define CATALASE_PTX(host, ...) asm volatile(__VA_ARGS__)
#else
#define CATALASE_PTX(host, ...) host
#endif

// Copies `bytes` bytes, of which the first `valid` exist and the others are zero; the copy is complete after
// commit_copies and wait_for_copies.
template <i32 kBytes>
__device__ __forceinline__ void copy_later(float* to, const float* from, i32 valid) {
#ifdef __CUDA_ARCH__
  u64 shared;
  asm("cvta.to.shared.u64 %0, %1;" : "=l"(shared) : "l"(to));
#endif
  if constexpr (kBytes == 16) {
    CATALASE_PTX(shim::copy_later(to, from, 16, valid), "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"l"(shared),
                 "l"(from), "r"(valid) : "memory");
  } else {
    CATALASE_PTX(shim::copy_later(to, from, 4, valid), "cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"l"(shared),
                 "l"(from), "r"(valid) : "memory");
  }
}
__device__ __forceinline__ void commit_copies() {
  CATALASE_PTX(shim::commit_copies(), "cp.async.commit_group;" :: : "memory");
}
// Waits until all groups but the last `kPending` are complete.
template <i32 kPending>
__device__ __forceinline__ void wait_for_copies() {
  CATALASE_PTX(shim::wait_for_copies(kPending), "cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// How four neighbouring terms of one line become registers of a fragment, and how fragments are multiplied.
struct Tf32 {
  static constexpr i32 kRegisters = 4;
  static __device__ __forceinline__ u32 round(float x) {
    u32 bits = 0;
    CATALASE_PTX(bits = shim::round_tf32(x), "cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
  }
  static __device__ __forceinline__ void fragment(const float* terms, u32* out) {
#pragma unroll
    for (i32 i = 0; i < 4; ++i) out[i] = round(terms[i]);
  }
  static __device__ __forceinline__ void step(float* c, u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    CATALASE_PTX(shim::mma_tf32(c, a0, a1, a2, a3, b0, b1),
                 "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};" : "+f"(c[0]),
                 "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
  static __device__ __forceinline__ void multiply(float* c, const u32* low, const u32* high, const u32* b) {
    step(c, low[0], high[0], low[1], high[1], b[0], b[1]);
    step(c, low[2], high[2], low[3], high[3], b[2], b[3]);
  }
};

struct Bf16 {
  static constexpr i32 kRegisters = 2;
  static __device__ __forceinline__ u32 pack(float low, float high) {
    u32 bits = 0;
    CATALASE_PTX(bits = shim::pack_bf16(low, high), "cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }
  static __device__ __forceinline__ void fragment(const float* terms, u32* out) {
    out[0] = pack(terms[0], terms[1]), out[1] = pack(terms[2], terms[3]);
  }
  static __device__ __forceinline__ void multiply(float* c, const u32* low, const u32* high, const u32* b) {
    CATALASE_PTX(shim::mma_bf16(c, low[0], high[0], low[1], high[1], b[0], b[1]),
                 "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};" : "+f"(c[0]),
                 "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(low[0]), "r"(high[0]), "r"(low[1]), "r"(high[1]), "r"(b[0]),
                 "r"(b[1]));
  }
};

// Copies one operand into shared memory: kLines lines, 16 depths at a time, in pieces of four neighbours. kDeep: the
// pieces lie along the depth, as [line][depth].
template <i32 kLines, bool kDeep>
struct Copy {
  static constexpr i32 kFloats = kLines * kMmaDepth, kPieces = kFloats / 4 / kMmaThreads;
  static constexpr i32 kAlong = kDeep ? kMmaDepth / 4 : kLines / 4;  // neighbouring pieces
  static constexpr i32 kApart = kMmaThreads / kAlong;                // between a thread's pieces, across
  const float* at;                                                   // the thread's first piece
  i64 neighbour, apart, advance;
  i32 along, across, lines_left;  // of the first piece; from the tile's first line to the last of the operand
  bool whole;                     // pieces are aligned and contiguous

  __device__ __forceinline__ void start(const Operand& from, i64 first_line, i64 first_depth) {
    along = static_cast<i32>(threadIdx.x) % kAlong * 4, across = static_cast<i32>(threadIdx.x) / kAlong;
    neighbour = kDeep ? from.depth_stride : from.line_stride;
    const i64 other = kDeep ? from.line_stride : from.depth_stride;
    whole = neighbour == 1 && other % 4 == 0 && reinterpret_cast<u64>(from.data) % 16 == 0;
    apart = kApart * other;
    advance = kMmaDepth * from.depth_stride;
    lines_left = static_cast<i32>(smaller(from.lines - first_line, kLines));
    at = from.data + first_line * from.line_stride + first_depth * from.depth_stride + along * neighbour +
         across * other;
  }
  static __device__ __forceinline__ i32 place(i32 line, i32 depth) {
    return kDeep ? line * kMmaDepth + depth : depth * kLines + (line ^ depth / 4 % 4 * 8);
  }
  // The number of values of a piece that exist.
  __device__ __forceinline__ i32 left(i32 e, i32 depths_left) const {
    const i32 there = (kDeep ? depths_left : lines_left) - along;
    const bool inside = across + e * kApart < (kDeep ? lines_left : depths_left);
    return !inside || there <= 0 ? 0 : there < 4 ? there : 4;
  }
  __device__ __forceinline__ void next(float* tile, i64 depths) {
    const i32 depths_left = static_cast<i32>(smaller(depths, kMmaDepth));
    if (whole) {
#pragma unroll
      for (i32 e = 0; e < kPieces; ++e) {
        const i32 other = across + e * kApart, n = left(e, depths_left);
        copy_later<16>(tile + (kDeep ? place(other, along) : place(along, other)), n > 0 ? at + e * apart : at, n * 4);
      }
    } else {
#pragma unroll 1
      for (i32 v = 0; v < kPieces * 4; ++v) {
        const i32 e = v / 4, i = v % 4, other = across + e * kApart;
        const bool there = i < left(e, depths_left);
        copy_later<4>(tile + (kDeep ? place(other, along) : place(along, other)) + i,
                      there ? at + e * apart + i * neighbour : at, there ? 4 : 0);
      }
    }
    at += advance;
  }
  // Terms 4t to 4t + 3 of a line.
  static __device__ __forceinline__ void read(const float* tile, i32 line, i32 t, float* out) {
    if constexpr (kDeep) {
      const float4 v = *reinterpret_cast<const float4*>(tile + place(line, 4 * t));
      out[0] = v.x, out[1] = v.y, out[2] = v.z, out[3] = v.w;
    } else {
#pragma unroll
      for (i32 i = 0; i < 4; ++i) out[i] = tile[place(line, 4 * t + i)];
    }
  }
};

// The tile of C whose first row and column are given, over [k, k_end): at most one chain.
template <class Format, i32 kTile, bool kDeepA, bool kDeepB>
struct TensorTile {
  using FromA = Copy<kTile, kDeepA>;
  using FromB = Copy<kTile, kDeepB>;
  static constexpr i32 kFloats = kStages * (FromA::kFloats + FromB::kFloats);
  static constexpr i32 kSide = kTile / 2, kDown = kSide / 16, kAcross = kSide / 8;  // of a warp
  static constexpr i32 kPitch = kSide + 8;  // of outputs in shared memory; frees pairs of them from bank conflicts
  static_assert(4 * 16 * kPitch <= kFloats, "outputs go where the operands were");
  using Sums = float[kDown][kAcross][4];

  static __device__ __forceinline__ i32 warp() { return static_cast<i32>(threadIdx.x) / 32; }
  static __device__ __forceinline__ i32 lane() { return static_cast<i32>(threadIdx.x) % 32; }
  static __device__ __forceinline__ i32 row() { return warp() / 2 * kSide; }  // of the warp
  static __device__ __forceinline__ i32 column() { return warp() % 2 * kSide; }

  static __device__ __forceinline__ void step(const float* tile_a, const float* tile_b, Sums& sum) {
    const i32 g = lane() / 4, t = lane() % 4;
    u32 right[kAcross][Format::kRegisters];
    float terms[4];
#pragma unroll
    for (i32 j = 0; j < kAcross; ++j) {
      FromB::read(tile_b, column() + j * 8 + g, t, terms);
      Format::fragment(terms, right[j]);
    }
#pragma unroll
    for (i32 i = 0; i < kDown; ++i) {
      u32 low[Format::kRegisters], high[Format::kRegisters];
      FromA::read(tile_a, row() + i * 16 + g, t, terms);
      Format::fragment(terms, low);
      FromA::read(tile_a, row() + i * 16 + 8 + g, t, terms);
      Format::fragment(terms, high);
#pragma unroll
      for (i32 j = 0; j < kAcross; ++j) Format::multiply(sum[i][j], low, high, right[j]);
    }
  }

  static __device__ __forceinline__ void multiply(FromA& from_a, FromB& from_b, i64 depths, float* tile_a,
                                                  float* tile_b, Sums& sum) {
    const i64 steps = (depths + kMmaDepth - 1) / kMmaDepth;
    i32 now = 1, fill = 0;  // buffers; two steps are loading before the first is multiplied
    for (i64 s = 1 - kStages; s < steps; ++s) {
      if (s >= 0) {
        wait_for_copies<kStages - 2>();
        __syncthreads();  // all copies are complete, and all threads have read the buffer that is filled next
      }
      const i64 coming = (s + kStages - 1) * kMmaDepth;
      if (coming < depths) {
        from_a.next(tile_a + fill * FromA::kFloats, depths - coming);
        from_b.next(tile_b + fill * FromB::kFloats, depths - coming);
      }
      commit_copies();
      if (s >= 0) step(tile_a + now * FromA::kFloats, tile_b + now * FromB::kFloats, sum);
      now = now + 1 == kStages ? 0 : now + 1;
      fill = fill + 1 == kStages ? 0 : fill + 1;
    }
  }

  // 16 rows of each warp at a time go through shared memory, so that the epilogue is in one short loop and neighbouring
  // threads write neighbouring columns.
  static __device__ __forceinline__ void finish(const Sums& sum, i64 first_row, i64 first_column, i64 rows, i64 columns,
                                                float* c, i64 c_row, const Epilogue& epilogue, float* shared) {
    const i32 g = lane() / 4, t = lane() % 4;
    float* mine = shared + warp() * 16 * kPitch;
    __syncthreads();  // the operands are read
#pragma unroll 1
    for (i32 pass = 0; pass < kDown; ++pass) {
#pragma unroll
      for (i32 i = 0; i < kDown; ++i) {
        if (i != pass) continue;
#pragma unroll
        for (i32 j = 0; j < kAcross; ++j) {
          float* at = mine + g * kPitch + j * 8 + 2 * t;
          *reinterpret_cast<float2*>(at) = float2{sum[i][j][0], sum[i][j][1]};
          *reinterpret_cast<float2*>(at + 8 * kPitch) = float2{sum[i][j][2], sum[i][j][3]};
        }
      }
      __syncwarp(~0u);
#pragma unroll 1
      for (i32 e = lane(); e < 16 * kSide; e += 32) {
        const i64 at_row = first_row + row() + pass * 16 + e / kSide, at_column = first_column + column() + e % kSide;
        if (at_row >= rows || at_column >= columns) continue;
        c[at_row * c_row + at_column] = epilogue.of(mine[e / kSide * kPitch + e % kSide], at_row, at_column);
      }
      __syncwarp(~0u);
    }
  }

  static __device__ __forceinline__ void run(const Operand& a, const Operand& b, i64 row, i64 column, i64 k, i64 k_end,
                                             float* c, i64 c_row, const Epilogue& epilogue, float* shared) {
    FromA from_a;
    FromB from_b;
    from_a.start(a, row, k);
    from_b.start(b, column, k);
    Sums sum = {};
    multiply(from_a, from_b, k_end - k, shared, shared + kStages * FromA::kFloats, sum);
    finish(sum, row, column, a.lines, b.lines, c, c_row, epilogue, shared);
  }
};

}  // namespace catalase

using namespace catalase;

// Parameters as in matmul.cu. deep_a, deep_b: the operand lies along k in shared memory, as it should if k has unit
// stride.
#define CATALASE_MMA(name, format, tile, deep_a, deep_b)                                                       \
  extern "C" __global__ void __launch_bounds__(128, 2)                                                         \
      name(const float* a, i64 a_row, i64 a_col, i64 a_step, const float* b, i64 b_row, i64 b_col, i64 b_step, \
           float* c, i64 c_row, i64 c_step, i64 m, i64 n, i64 k, i64 k_begin, i64 k_part, const float* bias,   \
           const float* add, i64 add_row, const float* keep, i64 keep_row, i64 activation) {                   \
    using T = TensorTile<format, tile, deep_a, deep_b>;                                                        \
    __shared__ __align__(16) float shared[T::kFloats];                                                         \
    const i64 z = blockIdx.z, first = k_begin + (k_part < k ? z * k_part : 0);                                 \
    T::run(Operand{a + z * a_step, a_row, a_col, m}, Operand{b + z * b_step, b_col, b_row, n},                 \
           static_cast<i64>(blockIdx.x) * tile, static_cast<i64>(blockIdx.y) * tile, first,                    \
           smaller(first + k_part, k), c + z * c_step, c_row,                                                  \
           Epilogue{bias, add, add_row, keep, keep_row, static_cast<i32>(activation)}, shared);                \
  }

CATALASE_MMA(matmul_tf32_128_dd, Tf32, 128, true, true)
CATALASE_MMA(matmul_tf32_128_dl, Tf32, 128, true, false)
CATALASE_MMA(matmul_tf32_128_ld, Tf32, 128, false, true)
CATALASE_MMA(matmul_tf32_128_ll, Tf32, 128, false, false)
CATALASE_MMA(matmul_tf32_64_dd, Tf32, 64, true, true)
CATALASE_MMA(matmul_tf32_64_dl, Tf32, 64, true, false)
CATALASE_MMA(matmul_tf32_64_ld, Tf32, 64, false, true)
CATALASE_MMA(matmul_tf32_64_ll, Tf32, 64, false, false)
CATALASE_MMA(matmul_bf16_128_dd, Bf16, 128, true, true)
CATALASE_MMA(matmul_bf16_128_dl, Bf16, 128, true, false)
CATALASE_MMA(matmul_bf16_128_ld, Bf16, 128, false, true)
CATALASE_MMA(matmul_bf16_128_ll, Bf16, 128, false, false)
CATALASE_MMA(matmul_bf16_64_dd, Bf16, 64, true, true)
CATALASE_MMA(matmul_bf16_64_dl, Bf16, 64, true, false)
CATALASE_MMA(matmul_bf16_64_ld, Bf16, 64, false, true)
CATALASE_MMA(matmul_bf16_64_ll, Bf16, 64, false, false)
