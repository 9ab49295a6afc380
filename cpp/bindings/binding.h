// How each file of this folder adds its functions to `_core`.
#pragma once

#include <pybind11/pybind11.h>

namespace catalase {

class Binding {
 public:
  explicit Binding(void (*bind)(pybind11::module_&)) : bind_(bind), next_(first_) { first_ = this; }

  static void add_all(pybind11::module_& m) {
    for (const Binding* b = first_; b != nullptr; b = b->next_) b->bind_(m);
  }

 private:
  void (*bind_)(pybind11::module_&);
  const Binding* next_;
  static inline const Binding* first_ = nullptr;
};

}  // namespace catalase

// CATALASE_BINDING(pool, m) { m.def(...); } in pool.cpp: what is run when the module is imported.
#define CATALASE_BINDING(name, m)                   \
  static void bind_##name(pybind11::module_&);      \
  static const Binding name##_binding(bind_##name); \
  static void bind_##name(pybind11::module_& m)
