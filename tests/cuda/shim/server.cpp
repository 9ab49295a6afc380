// A "device" of its own process: memory, copies and launches by commands from stdin. Allocations come from malloc, so
// that the address sanitizer knows their ends, and are poisoned (0xff: NaN, or -1).
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace {

template <class T>
T take() {
  T value;
  if (std::fread(&value, sizeof(T), 1, stdin) != 1) std::_Exit(0);  // the other side is gone
  return value;
}

void take_bytes(void* to, std::size_t n) {
  if (n != 0 && std::fread(to, 1, n, stdin) != n) std::_Exit(0);
}

void give(const void* from, std::size_t n) {
  if (n != 0) std::fwrite(from, 1, n, stdout);
}

void answer(const std::string& text) {
  const std::uint64_t size = text.size();
  give(&size, sizeof(size));
  give(text.data(), text.size());
}

std::string check(const shim::Kernel& kernel, const std::vector<shim::Value>& values) {
  const auto& wanted = kernel.parameters;
  if (wanted.size() != values.size()) {
    return std::string(kernel.name) + " takes " + std::to_string(wanted.size()) + " values, got " +
           std::to_string(values.size());
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (wanted[i].kind != values[i].kind || wanted[i].bytes.size() != values[i].bytes.size()) {
      return std::string(kernel.name) + ": value " + std::to_string(i) + " must be of kind " + wanted[i].kind +
             " and " + std::to_string(wanted[i].bytes.size()) + " bytes, got " + values[i].kind + " and " +
             std::to_string(values[i].bytes.size());
    }
  }
  return "";
}

void launch() {
  std::string name(take<std::uint32_t>(), ' ');
  take_bytes(name.data(), name.size());
  const auto how = take<shim::Launch>();
  std::vector<shim::Value> values(take<std::uint32_t>());
  for (auto& value : values) {
    value.kind = take<char>();
    value.bytes.resize(take<std::uint32_t>());
    take_bytes(value.bytes.data(), value.bytes.size());
  }
  for (const auto& kernel : shim::kernels()) {
    if (name != kernel.name) continue;
    const std::string wrong = check(kernel, values);
    if (wrong.empty()) shim::run(kernel, how, values);
    return answer(wrong);
  }
  answer("there is no kernel " + name);
}

}  // namespace

int main() {
  for (;;) {
    switch (take<char>()) {
      case 'A': {
        const auto size = take<std::uint64_t>();
        void* memory = std::malloc(size);
        if (memory != nullptr) std::memset(memory, 0xff, size);
        give(&memory, sizeof(memory));
        break;
      }
      case 'F':
        std::free(take<void*>());
        break;
      case 'W': {
        auto* to = take<void*>();
        take_bytes(to, take<std::uint64_t>());
        break;
      }
      case 'R': {
        const auto* from = take<void*>();
        give(from, take<std::uint64_t>());
        break;
      }
      case 'L':
        launch();
        break;
      default:
        return 1;
    }
    std::fflush(stdout);
  }
}
