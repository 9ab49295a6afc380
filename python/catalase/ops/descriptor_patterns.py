"""The patterns of descriptors, which come from the data folder of the installed RDKit: Crippen's types, and groups."""

from __future__ import annotations

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
_CRIPPEN = ("MolLogP", "MolMR", "SlogP_VSA", "SMR_VSA")


class Patterns(NamedTuple):
    """Compiled patterns, and the numbers of the descriptors that can be computed with them, by name."""

    tables: Any
    numbers: dict[str, int]


@functools.cache
def patterns() -> Patterns:
    """Return the compiled patterns. Descriptors whose patterns are missing or cannot be compiled are left out."""
    numbers = dict(_core.DESCRIPTORS)
    try:
        crippen = _crippen()
        _core.PatternTables(*crippen, [])
    except (OSError, ValueError):
        crippen = ([], [], [], [])
        numbers = {name: number for name, number in numbers.items() if not name.startswith(_CRIPPEN)}
    names, counted = [], []
    for name, smarts in _groups():
        if _core.Patterns([smarts]).statuses == [_core.SMARTS_STATUSES["compiled"]]:
            names.append(name)
            counted.append(smarts)
    numbers |= {name: len(_core.DESCRIPTORS) + k for k, name in enumerate(names)}
    return Patterns(_core.PatternTables(*crippen, counted), numbers)


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
