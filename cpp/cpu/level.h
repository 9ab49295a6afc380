// The level that a unit is compiled for. CMakeLists.txt compiles each X_level.cpp once a level, with the level's
// instructions and -DCATALASE_LEVEL=portable, avx2 or avx512; a level that the processor lacks is not compiled.
#pragma once

#ifndef CATALASE_LEVEL
#error "-DCATALASE_LEVEL is missing: this is included by the units of the levels alone (cpp/README.md)"
#endif

#define CATALASE_JOIN_(name, level) name##_##level
#define CATALASE_JOIN(name, level) CATALASE_JOIN_(name, level)
#define CATALASE_STRING_(text) #text
#define CATALASE_STRING(text) CATALASE_STRING_(text)

#define CATALASE_AT_LEVEL(name) CATALASE_JOIN(name, CATALASE_LEVEL)  // matmul: matmul_avx2
#define CATALASE_LEVEL_HEADER(name) \
  CATALASE_STRING(CATALASE_AT_LEVEL(name).h)  // simd: "simd_avx2.h", in the folder of the includer
