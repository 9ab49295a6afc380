"""Tests of the stub ``python/catalase/_core.pyi``, from which type checkers and editors know the compiled module.

It is written from the signatures that pybind11 puts into docstrings, which say the same at every CPU level and on every
architecture. After a change of a binding, ``python -m tests.test_core_stub`` rewrites the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from catalase import _core

STUB = Path(__file__).parents[1] / "python" / "catalase" / "_core.pyi"
HEAD = """# The types of the compiled module: written by tests/test_core_stub.py.
from collections.abc import Sequence
from typing import {}

import numpy as np
from numpy.typing import NDArray
"""
# How pybind11 writes the types, each version in its own way, and how the stub writes them.
TYPES = {
    r'(typing\.)?Annotated\[(.*?), "?FixedSize\(\d+\)"?\]': r"\2",
    r"typing\.Supports(Int|Float)( \| typing\.SupportsIndex)?": lambda found: found[1].lower(),
    r"\bself: [\w.]+": "self",
    r"(collections\.abc|catalase\._core)\.": "",
    r"\blist\[": "Sequence[",
    r"\b(list|dict)\b(?!\[)": lambda found: {"list": "list[Any]", "dict": "dict[str, Any]"}[found[1]],
    r"\btuple\b(?!\[)": "tuple[Any, ...]",
    r"\bobject\b": "Any",
    r"numpy\.ndarray": "NDArray[Any]",
    r"numpy\.dtype": "np.dtype[Any]",
}


def stub() -> str:
    public = {name: value for name, value in sorted(vars(_core).items()) if name[0] != "_" or name == "__version__"}
    classes = {name: value for name, value in public.items() if isinstance(value, type)}
    functions = {name: value for name, value in public.items() if callable(value) and name not in classes}
    constants = [f"{name}: {type_of(value)}\n" for name, value in public.items() if not callable(value)]
    parts = ["".join(constants), *(f"class {name}:\n{members(value)}" for name, value in classes.items())]
    parts.append("".join(signatures(name, value.__doc__) for name, value in functions.items()))
    head = HEAD.format("Any, overload" if any("@overload" in part for part in parts) else "Any")
    return "\n".join([head, *parts])


def type_of(value: Any) -> str:
    """Return the type of a constant, with the types of its first item."""
    if isinstance(value, dict):
        return f"dict[{', '.join(map(type_of, next(iter(value.items()))))}]"
    return f"frozenset[{type_of(min(value))}]" if isinstance(value, frozenset) else type(value).__name__


def members(kind: type) -> str:
    """Return the properties and methods of a class that pybind11 made, those of Python's own types left out."""
    lines = []
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            result = value.fget.__doc__.split("->")[1].strip()
            lines += ["    @property\n", signatures(name, f"{name}(self) -> {result}", "    ")]
        elif type(value).__name__ == "instancemethod" and not name.startswith("_pybind11"):
            lines.append(signatures(name, value.__doc__, "    "))
    return "".join(lines)


def signatures(name: str, docstring: str, indent: str = "") -> str:
    """Return the function that a docstring describes, or its overloads."""
    for theirs, ours in TYPES.items():
        docstring = re.sub(theirs, ours, docstring)
    found = re.findall(rf"^(?:\d+\. )?{name}\((.*)\) -> (.*)$", docstring, re.MULTILINE)
    text = ""
    for arguments, result in found:
        line = f"{indent}def {name}({arguments}) -> {result}: ...\n"
        if len(line) > 121:  # as ruff breaks lines
            inner = f"{indent}    "
            if len(inner + arguments) > 120:
                arguments = re.sub(r", (?=\*|\w+: )", f",\n{inner}", arguments) + ","
            line = f"{indent}def {name}(\n{inner}{arguments}\n{indent}) -> {result}: ...\n"
        text += f"{indent}@overload\n" * (len(found) > 1) + line
    return text


def test_the_stub_has_the_signatures_of_the_compiled_module():
    assert STUB.read_text() == stub(), "run: python -m tests.test_core_stub"


def test_every_argument_of_a_binding_has_a_name():
    assert not re.findall(r"def (\w+)\([^)]*\barg\d", stub()), "give these bindings py::arg"


@pytest.mark.parametrize(
    "docstring",
    [
        "f(x: numpy.ndarray, n: int = 2, t: Annotated[list[int], FixedSize(3)]) -> tuple[int, float]\n\nA text.\n",
        'f(x: numpy.ndarray, n: typing.SupportsInt = 2, t: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(3)"]) -> tuple[int, float]\n',
    ],
)
def test_versions_of_pybind11_give_one_stub(docstring):
    assert (
        signatures("f", docstring) == "def f(x: NDArray[Any], n: int = 2, t: Sequence[int]) -> tuple[int, float]: ...\n"
    )


def test_overloads_are_listed():
    text = (
        "f(*args, **kwargs)\nOverloaded function.\n\n1. f(x: typing.SupportsFloat) -> object\n\n2. f(d: dict) -> list\n"
    )
    assert signatures("f", text) == (
        "@overload\ndef f(x: float) -> Any: ...\n@overload\ndef f(d: dict[str, Any]) -> list[Any]: ...\n"
    )


if __name__ == "__main__":
    STUB.write_text(stub())
