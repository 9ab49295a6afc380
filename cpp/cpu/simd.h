// The vectors of the unit's level: simd_portable.h, simd_avx2.h or simd_avx512.h; simd_vec.h has their common part.
#pragma once

#include "cpu/level.h"
#include CATALASE_LEVEL_HEADER(simd)
