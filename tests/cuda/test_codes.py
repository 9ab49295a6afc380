"""Tests of the codes that host kernels, device kernels and Python share: C++ defines the enums, and `_core` exports them.

``cuda/codes.cuh`` repeats them for device code, which includes no file from outside its folder. After a change of an
enum, ``python -m tests.cuda.test_codes`` rewrites the file.
"""

from __future__ import annotations

from pathlib import Path

from catalase import _core

HEADER = Path(__file__).parents[2] / "cuda" / "codes.cuh"
ENUMS = {
    "Activation": ("", _core.ACTIVATIONS),
    "Map": ("Map", _core.MAPS),
    "Loss": ("Loss", _core.LOSSES),
    "Rule": ("Rule", _core.RULES),
    "Pool": ("Pool", _core.POOLS),
    "Cell": ("Cell", _core.CELLS),
    "Border": ("Border", _core.BORDERS),
    "Output": ("Output", _core.ECFP_OUTPUTS),
}


def header() -> str:
    lines = []
    for name, (ending, codes) in ENUMS.items():
        words = {word.title().replace("_", ""): number for word, number in codes.items()}
        members = "".join(f"  k{word}{ending} = {number},\n" for word, number in words.items())
        lines.append(f"enum {name} : int {{\n{members}}};\n")
    return f"""// The numbers of the C++ side's enums: written by tests/cuda/test_codes.py, which also looks that they agree.
#pragma once

namespace catalase {{

// Sums are cut every kChain terms, and the parts added in order: the rule of the CPU's products.
constexpr long long kChain = {_core.CHAIN_LENGTH};

{"".join(lines)}
}}  // namespace catalase
"""


def test_device_code_has_the_numbers_of_the_cpu():
    assert HEADER.read_text() == header(), "run: python -m tests.cuda.test_codes"


def test_numbers_of_an_enum_count_from_zero():
    """Bindings check that a number is no larger than the last."""
    for codes in (*(codes for _, codes in ENUMS.values()), _core.ECFP_STATUSES):
        assert list(codes.values()) == list(range(len(codes)))


if __name__ == "__main__":
    HEADER.write_text(header())
