"""Tests of the floors of the package, of import circles and of private names, by the imports of all modules.

A module may import from its own floor and from the floors below it (`FLOORS`), never in a circle, and never a private
name of a package that it is not in. An import inside a function counts; one under ``TYPE_CHECKING`` does not, because
it never runs. ``python -m tests.test_architecture`` prints every finding with its file and line.

The bounds are the counts of today's tree, or the largest allowed ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "python" / "catalase"

# The floors from the ground up: a module belongs to the floor that names the longest beginning of its dotted name.
FLOORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("kernels", ("_core",)),
    # Configuration, storage, registry, console, checks of arguments.
    ("internal", ("_internal",)),
    # RDKit is below the kernels' callers: a fingerprint that is not computed natively is RDKit's.
    ("chemistry", ("chem",)),
    ("backends", ("backends",)),
    ("ops", ("ops",)),
    # Data are arrays without gradients. They stand below the nets, which take the batches that datasets yield.
    (
        "data",
        ("data", "feat", "splits", "trans", "metrics", "similarity", "fingerprint_index", "cluster", "distributed"),
    ),
    ("autograd", ("autograd",)),
    ("nn", ("nn",)),
    ("training", ("optim", "train")),
    ("models", ("models", "hyper")),
    (
        "applications",
        (
            "",  # the package itself, whose names are the user's
            "__main__",
            "bench",
            "commands",
            "deepchem",
            "demo",
            "explain",
            "interop",
            "molnet",
            "plot",
            "screening",
            "sklearn",
            # What is written beside a model: the demo, `catalase train` and users of Python share it.
            "workflow",
        ),
    ),
)

CIRCLES = 0
MODULES_IN_CIRCLES = 0
UPWARD_ARROWS = 0
PRIVATE_IMPORTS = 0
ENTRIES = 31
PRIVATE_ENTRIES = 3


class Arrow(NamedTuple):
    """One imported name: the module that imports it, the module that it comes from, and its full name."""

    source: str
    target: str
    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} -> {self.name}"


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module of the package by its dotted name; the compiled one stands in its stub file."""
    found = {}
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.pyi")]):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements that may run, inside functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for statement in child.orelse:
                yield from _statements(ast.Module([statement], []))
        else:
            yield from _statements(child)


def arrows(paths: dict[str, Path]) -> list[Arrow]:
    """All imports between modules of the package."""
    root = next(iter(paths))
    found = []
    for source, path in paths.items():
        home = source if path.name == "__init__.py" else source.rpartition(".")[0]
        for statement in _statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(statement, ast.Import):
                names = [alias.name for alias in statement.names]
            else:
                above = home.split(".")[: len(home.split(".")) + 1 - statement.level] if statement.level else []
                base = ".".join([*above, *([statement.module] if statement.module else [])])
                names = [f"{base}.{alias.name}" for alias in statement.names]
            for name in names:
                if name.split(".")[0] == root:
                    target = name if name in paths else name.rpartition(".")[0]
                    found.append(Arrow(source, target, name, statement.lineno))
    return found


def circles(drawn: list[Arrow]) -> list[list[str]]:
    """The largest sets of modules in which each module leads to each other one (Tarjan's algorithm)."""
    targets: dict[str, set[str]] = {}
    for arrow in drawn:
        targets.setdefault(arrow.source, set()).add(arrow.target)
        targets.setdefault(arrow.target, set())
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for target in targets[module]:
            if target not in order:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], order[target])
        if lowest[module] == order[module]:
            start = stack.index(module)
            circle = sorted(stack[start:])
            del stack[start:]
            if len(circle) > 1 or module in targets[module]:
                found.append(circle)

    for module in targets:
        if module not in order:
            visit(module)
    return sorted(found)


def floor(module: str) -> int:
    """The number of a module's floor, 0 at the ground."""
    inside = module.partition(".")[2]
    fitting = [
        (len(name), number)
        for number, (_, names) in enumerate(FLOORS)
        for name in names
        if inside == name or (name and inside.startswith(f"{name}."))
    ]
    if not fitting:
        raise LookupError(f"no floor names {module}: add it to FLOORS in tests/test_architecture.py")
    return max(fitting)[1]


def upward(drawn: list[Arrow]) -> list[Arrow]:
    """The imports from a floor above."""
    return [arrow for arrow in drawn if floor(arrow.target) > floor(arrow.source)]


def private(drawn: list[Arrow], paths: dict[str, Path]) -> list[Arrow]:
    """The imports of a private name, or from a private module, by a module outside the package that holds it.

    A private entry of the top package is open to all modules: its packages are `_core` and `_internal`.
    """
    found = {}
    for arrow in drawn:
        parts = arrow.name.split(".")
        for depth in range(2, len(parts)):
            if parts[depth].startswith("_") and not parts[depth].endswith("__"):
                holder = ".".join(parts[:depth])
                while holder not in paths or paths[holder].name != "__init__.py":
                    holder = holder.rpartition(".")[0]
                if not f"{arrow.source}.".startswith(f"{holder}."):
                    found.setdefault((arrow.source, arrow.name), arrow)
    return list(found.values())


def entries(package: Path = PACKAGE) -> list[str]:
    """What a newcomer sees in the package's folder, without what building and running leave there."""
    return sorted(
        path.name for path in package.iterdir() if path.name != "__pycache__" and path.suffix not in (".so", ".tmp")
    )


def findings(package: Path = PACKAGE) -> dict[str, list[str]]:
    """The counted things by the name of their bound."""
    paths = modules(package)
    drawn = arrows(paths)
    names = entries(package)
    return {
        "CIRCLES": [" <-> ".join(circle) for circle in circles(drawn)],
        "MODULES_IN_CIRCLES": [
            f"{module} -> {', '.join(sorted({arrow.target for arrow in drawn if arrow.source == module} & set(circle)))}"
            for circle in circles(drawn)
            for module in circle
        ],
        "UPWARD_ARROWS": [str(arrow) for arrow in upward(drawn)],
        "PRIVATE_IMPORTS": [str(arrow) for arrow in private(drawn, paths)],
        "ENTRIES": names,
        "PRIVATE_ENTRIES": [name for name in names if name.startswith("_") and not name.startswith("__")],
    }


BOUNDS = ["CIRCLES", "MODULES_IN_CIRCLES", "UPWARD_ARROWS", "PRIVATE_IMPORTS", "ENTRIES", "PRIVATE_ENTRIES"]


@pytest.mark.parametrize("name", BOUNDS)
def test_the_house_gets_no_worse(name):
    found = findings()[name]
    assert len(found) <= globals()[name], f"{name}: {len(found)}, at most {globals()[name]}:\n" + "\n".join(found)


def house(folder, files):
    """A package named catalase that holds the given modules."""
    for name, text in {"catalase/__init__.py": "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return findings(folder / "catalase")


def test_an_import_inside_a_function_from_a_floor_above_is_found(tmp_path):
    found = house(
        tmp_path,
        {
            "catalase/ops/__init__.py": "def f():\n    try:\n        from ..nn import layers\n    finally:\n        pass\n",
            "catalase/nn/__init__.py": "import numpy\nfrom .. import ops\n",
            "catalase/nn/layers.py": "import catalase.ops\n",
        },
    )
    assert found["UPWARD_ARROWS"] == ["catalase.ops:3 -> catalase.nn.layers"]
    assert found["CIRCLES"] == ["catalase.nn.layers <-> catalase.ops"]
    assert found["MODULES_IN_CIRCLES"] == ["catalase.nn.layers -> catalase.ops", "catalase.ops -> catalase.nn.layers"]


def test_an_import_for_type_checkers_is_no_arrow_and_its_else_branch_is_one(tmp_path):
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .nn import x\nelse:\n    from .models import x\n"
    )
    files = {"catalase/_core.py": text, "catalase/nn.py": "x = 1\n", "catalase/models.py": "x = 1\n"}
    assert house(tmp_path, files)["UPWARD_ARROWS"] == ["catalase._core:5 -> catalase.models.x"]


def test_private_names_are_for_their_own_package(tmp_path):
    found = house(
        tmp_path,
        {
            "catalase/_internal/__init__.py": "",
            "catalase/_internal/_deep.py": "",
            "catalase/ops/__init__.py": "from ._check import number\nfrom .._internal import lazy\n",
            "catalase/ops/_check.py": "number = 1\n",
            "catalase/nn/__init__.py": "from ..ops._check import number\nfrom ..ops import _check\nfrom .inner import __doc__\n",
            "catalase/nn/inner/__init__.py": "from ..layers import _draw\nfrom ..._internal._deep import x\n",
            "catalase/nn/layers.py": "from .inner.part import _hidden\n",
            "catalase/nn/inner/part.py": "",
        },
    )
    assert found["PRIVATE_IMPORTS"] == [
        "catalase.nn:1 -> catalase.ops._check.number",
        "catalase.nn:2 -> catalase.ops._check",
        "catalase.nn.inner:2 -> catalase._internal._deep.x",
        "catalase.nn.layers:1 -> catalase.nn.inner.part._hidden",
    ]


def test_a_module_without_a_floor_is_refused_with_its_name(tmp_path):
    with pytest.raises(LookupError, match=r"no floor names catalase\.attic: add it to FLOORS"):
        house(tmp_path, {"catalase/attic.py": "", "catalase/nn.py": "from . import attic\n"})


if __name__ == "__main__":
    for bound, lines in findings().items():
        print(f"{bound}: {len(lines)}, at most {globals()[bound]}")
        for line in lines:
            print(f"  {line}")
