"""Molecular descriptors from SMILES: the 97 of the default, and all 217, beside RDKit, which also reads the molecules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from .fingerprint import smiles_of, zinc_file

FAMILY = "descriptors"


def cases(quick: bool) -> list[Case]:
    sizes = (
        {"the 97": 24, "groups (fr_*)": 24, "all 217": 12}
        if quick
        else {"the 97": 1000, "groups (fr_*)": 500, "all 217": 200}
    )
    source = " of ZINC" if zinc_file() else ""
    return [
        Case(f"{what}, {n:,}{source}", float(n), "molecules/s", {"what": what, "n": n}, tolerance=1e-9)
        for what, n in sizes.items()
    ]


def _names(case: Case) -> list[str]:
    from ...feat import DESCRIPTOR_NAMES, Descriptors

    what = case.options["what"]
    if what == "the 97":
        return list(Descriptors().columns)
    return [name for name in DESCRIPTOR_NAMES if what == "all 217" or name.startswith("fr_")]


def catalase(case: Case) -> Prepared:
    from ... import ops

    smiles, names = smiles_of(case), _names(case)
    return Prepared(
        lambda: ops.descriptors(smiles, names=names), lambda: [*ops.descriptors(smiles, names=names).T.copy()]
    )


def rdkit(case: Case) -> Prepared:
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    smiles, known = smiles_of(case), dict(Descriptors._descList)
    functions: list[Callable[[Any], float]] = [known[name] for name in _names(case)]

    def call() -> NDArray[np.float64]:
        return np.array([[f(molecule) for f in functions] for molecule in map(Chem.MolFromSmiles, smiles)], float)

    return Prepared(call, lambda: [*call().T.copy()])


LIBRARIES = {"catalase": catalase, "rdkit": rdkit}
