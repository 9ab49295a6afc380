// The text of a molecule, without white space around it.
#pragma once

#include <cstdint>

namespace catalase {
namespace {

struct Text {
  const char *begin, *end;
};

inline Text stripped(const char* text, std::int64_t length) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  const char* end = text + length;
  while (text != end && is_space(*text)) ++text;
  while (text != end && is_space(end[-1])) --end;
  return {text, end};
}

}  // namespace
}  // namespace catalase
