// The tables of kernels. A family declares its table in X.h, X_level.cpp defines it once a level, and X_kernels() is the
// table of the level in use. Nothing here includes the standard library, because the units of the levels include it.
#pragma once

// The levels of a build, best first; CMakeLists.txt compiles these. A level that a processor lacks is a missing entry.
#if defined(__x86_64__)
#define CATALASE_X86_LEVELS
#define CATALASE_EACH_LEVEL(f, ...) f(__VA_ARGS__, avx512) f(__VA_ARGS__, avx2) f(__VA_ARGS__, portable)
#else
#define CATALASE_EACH_LEVEL(f, ...) f(__VA_ARGS__, portable)
#endif

#define CATALASE_DECLARE_TABLE_(Table, name, level) extern const Table name##_##level;
#define CATALASE_TABLE_ADDRESS_(name, level) &name##_##level,

// CATALASE_KERNELS(PeakKernels, peak), after the table's definition, makes the function peak_kernels().
#define CATALASE_KERNELS(Table, name)                                                              \
  CATALASE_EACH_LEVEL(CATALASE_DECLARE_TABLE_, Table, name)                                        \
  [[maybe_unused]] static const Table& name##_kernels() {                                          \
    static constexpr const Table* tables[] = {CATALASE_EACH_LEVEL(CATALASE_TABLE_ADDRESS_, name)}; \
    return *tables[level_index()];                                                                 \
  }

// The same for a table of each floating-point type: CATALASE_TYPED_KERNELS(PoolKernels, pool) makes pool_kernels<T>().
#define CATALASE_TYPED_KERNELS(Table, name)                                                                   \
  CATALASE_EACH_LEVEL(CATALASE_DECLARE_TABLE_, BothTypes<Table>, name)                                        \
  template <class T>                                                                                          \
  static const Table<T>& name##_kernels() {                                                                   \
    static constexpr const BothTypes<Table>* tables[] = {CATALASE_EACH_LEVEL(CATALASE_TABLE_ADDRESS_, name)}; \
    return of_type<T>(*tables[level_index()]);                                                                \
  }

namespace catalase {

// The place of the level in use in the list above (dispatch.cpp).
int level_index();

template <template <class> class Table>
struct BothTypes {
  Table<float> f32;
  Table<double> f64;
};

template <class T, template <class> class Table>
static constexpr const Table<T>& of_type(const BothTypes<Table>& both) {
  if constexpr (sizeof(T) == 4) {
    return both.f32;
  } else {
    return both.f64;
  }
}

}  // namespace catalase
