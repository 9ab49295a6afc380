// The numbers of an enum under the names that Python uses, and numbers from Python back to the enum.
#pragma once

#include <initializer_list>
#include <utility>

#include "bindings/arrays.h"
#include "elementwise/activations.h"

namespace catalase {

// In the enum's own order, without gaps from 0: `code` relies on it, and tests/cuda/test_codes.py checks it.
template <class E>
py::dict codes(std::initializer_list<std::pair<const char*, E>> names) {
  py::dict numbers;
  for (const auto& [name, value] : names) numbers[name] = static_cast<int>(value);
  return numbers;
}

template <class E>
E code(int number, E last, const char* what) {
  require(number >= 0 && number <= static_cast<int>(last), what);
  return static_cast<E>(number);
}
inline Activation activation_of(int number) {
  return code(number, kLastActivation, "unknown activation");
}

}  // namespace catalase
