"""The patterns of descriptors, which come from the data folder of the installed RDKit: Crippen's types, and groups."""

from __future__ import annotations

import ast
import functools
import os
from typing import Any, NamedTuple

from .. import _core

# Where RDKit's functions differ from its file: hydrogens on aromatic nitrogen.
_AS_COMPUTED = {
    "[#1]O[!C;!N;!O;!S]": "[#1]O[!#6;!#7;!#8;!#16]",
    "[#1][!C;!N;!O]": "[#1][!#6;!#7;!#8]",
}
_HYDROGEN = "[#1]"
_CRIPPEN = ("MolLogP", "MolMR", "SlogP_VSA", "SMR_VSA", "BCUT2D_", "qed")


class Patterns(NamedTuple):
    """Compiled patterns, and the numbers of the descriptors that can be computed with them, by name."""

    tables: Any
    numbers: dict[str, int]


@functools.cache
def patterns() -> Patterns:
    """Return the compiled patterns. Descriptors whose patterns are missing or cannot be compiled are left out."""
    left_out: tuple[str, ...] = ()
    try:
        crippen = _crippen()
        _core.PatternTables(*crippen, [], [], [])
    except (OSError, ValueError):
        crippen, left_out = ([], [], [], []), _CRIPPEN
    groups = [(name, smarts) for name, smarts in _groups() if _is_compiled(smarts)]
    try:
        qed = _qed()
    except (OSError, ValueError):
        qed, left_out = ([], []), (*left_out, "qed")
    if not all(map(_is_compiled, [*qed[0], *qed[1]])):
        qed, left_out = ([], []), (*left_out, "qed")
    numbers = {name: number for name, number in _core.DESCRIPTORS.items() if not name.startswith(left_out)}
    numbers |= {name: len(_core.DESCRIPTORS) + k for k, (name, _) in enumerate(groups)}
    return Patterns(_core.PatternTables(*crippen, [smarts for _, smarts in groups], *qed), numbers)


def _is_compiled(smarts: str) -> bool:
    return _core.Patterns([smarts]).statuses == [_core.SMARTS_STATUSES["compiled"]]


def _lines(file: str) -> list[list[str]]:
    """Return the fields of the lines of a file of RDKit's data folder."""
    from rdkit import RDConfig

    with open(os.path.join(RDConfig.RDDataDir, file), encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines if line.strip() and not line.startswith("#")]


def _crippen() -> tuple[list[str], list[float], list[float], list[tuple[str, int, bool]]]:
    """Return the types' SMARTS, their logP and refractivity, and what their hydrogens are bound to."""
    smarts: list[str] = []
    log_p: list[float] = []
    refractivity: list[float] = []
    hydrogens: list[tuple[str, int, bool]] = []
    for _, pattern, *values in _lines("Crippen.txt"):
        pattern = _AS_COMPUTED.get(pattern, pattern)
        if pattern.startswith(_HYDROGEN):
            neighbour = pattern.removeprefix(_HYDROGEN)
            # In water the other hydrogen is an atom that is none of carbon, nitrogen, oxygen and sulphur.
            hydrogens.append((neighbour, len(smarts), neighbour.startswith("O[!")))
        smarts.append(pattern)
        log_p.append(float(values[0] or 0))
        refractivity.append(float(values[1] or 0))
    return smarts, log_p, refractivity, hydrogens


def _groups() -> list[tuple[str, str]]:
    """Return the names of the counted groups, as RDKit makes them, and their SMARTS."""
    try:
        lines = _lines("FragmentDescriptors.csv")
    except OSError:
        return []
    return [(fields[0].replace("=", "_").replace("-", "_"), fields[2]) for fields in lines if len(fields) >= 3]


def _qed() -> tuple[list[str], list[str]]:
    """Return the SMARTS of QED's acceptors and alerts, from the text of RDKit's module, which takes long to import."""
    import rdkit

    with open(os.path.join(os.path.dirname(rdkit.__file__), "Chem", "QED.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = statement.value
    lists = [found.get(name) for name in ("AcceptorSmarts", "StructuralAlertSmarts")]
    acceptors, alerts = ([_text(item) for item in part.elts] if isinstance(part, ast.List) else [] for part in lists)
    if not acceptors or not alerts:
        raise ValueError("RDKit's QED.py has no lists of SMARTS")
    return acceptors, alerts


def _text(value: ast.expr) -> str:
    """Return a text that is written as a constant, or as a sum of constants."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return _text(value.left) + _text(value.right)
    return str(ast.literal_eval(value))
