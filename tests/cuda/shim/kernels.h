// How a kernel is found by name and called with a list of values; each program of tests has one table of kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace shim {

struct Value {
  char kind;  // 'p' pointer, 'i' integer, 'f' floating point
  std::vector<std::uint8_t> bytes;
};

struct Kernel {
  const char* name;
  std::vector<Value> parameters;  // kinds and sizes only
  void (*call)(const std::vector<Value>&);
};

template <class T>
Value parameter() {
  return {std::is_pointer_v<T> ? 'p' : std::is_floating_point_v<T> ? 'f' : 'i', std::vector<std::uint8_t>(sizeof(T))};
}

template <auto kFunction>
struct Entry;
template <class... A, void (*kFunction)(A...)>
struct Entry<kFunction> {
  template <std::size_t... I>
  static void call_with(const std::vector<Value>& values, std::index_sequence<I...>) {
    kFunction(*reinterpret_cast<const A*>(values[I].bytes.data())...);
  }
  static void call(const std::vector<Value>& values) { call_with(values, std::index_sequence_for<A...>{}); }
  static Kernel kernel(const char* name) { return {name, {parameter<A>()...}, &call}; }
};

// Written for each program by tests/cuda/build.py.
const std::vector<Kernel>& kernels();

struct Launch {
  unsigned grid[3], block[3];
  unsigned schedule;      // 0 forward, 1 reverse, else the seed of a shuffle
  unsigned shared_bytes;  // of dynamic shared memory
};
// Runs the kernel; what a launch does wrong ends the process with a sentence on stderr.
void run(const Kernel& kernel, const Launch& launch, const std::vector<Value>& values);

}  // namespace shim
