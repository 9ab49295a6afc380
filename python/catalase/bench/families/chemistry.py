"""Substructures, alerts, scaffolds, MACCS keys and path fingerprints from SMILES, compared with RDKit.

Both read the molecules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from .fingerprint import smiles_of, zinc_file

FAMILY = "chemistry"

_CATALOGS = ["pains", "brenk"]
_PATTERNS = ["c1ccccc1", "[OX2H]", "[NX3;H2,H1;!$(NC=O)]", "C(=O)[O;H,-]", "[R2]", "*~*~*~*"]
_FINGERPRINTS = {
    "MACCS keys": "maccs",
    "atom pairs": "atom_pairs",
    "topological torsions": "topological_torsions",
    "RDKit fingerprints": "rdkit_fingerprint",
}


def cases(quick: bool) -> list[Case]:
    n = 24 if quick else 3000
    source = f"{n} of ZINC" if zinc_file() else str(n)
    one_each = [
        Case(f"{pattern}, {source}", float(n), "molecules/s", {"what": pattern, "n": n}, tolerance=0)
        for pattern in _PATTERNS
    ]
    fingerprints = [
        Case(f"{title}, {source}", float(n), "molecules/s", {"what": function, "n": n}, tolerance=0)
        for title, function in _FINGERPRINTS.items()
    ]
    return [
        Case(f"PAINS and Brenk alerts, {source}", float(n), "molecules/s", {"what": "alerts", "n": n}, tolerance=0),
        Case(
            f"{len(_PATTERNS)} patterns, {source}", float(n), "molecules/s", {"what": "patterns", "n": n}, tolerance=0
        ),
        Case(f"groups of scaffolds, {source}", float(n), "molecules/s", {"what": "scaffolds", "n": n}, tolerance=0),
        *one_each,
        *fingerprints,
    ]


def _patterns(case: Case) -> list[str]:
    what = case.options["what"]
    return _PATTERNS if what == "patterns" else [what]


def _first_of_group(groups: list[list[int]], rows: int) -> NDArray[Any]:
    """Return for each row the first one of its group."""
    first = np.zeros(rows, np.int64)
    for group in groups:
        first[group] = group[0]
    return first


def catalase(case: Case) -> Prepared:
    from ... import feat, ops
    from ...chem.murcko import scaffold_groups

    smiles = smiles_of(case)
    call: Callable[[], NDArray[Any]]
    if case.options["what"] == "alerts":
        catalog = feat.filter_catalog(_CATALOGS)
        call = lambda: catalog.has_match(smiles)  # noqa: E731
    elif case.options["what"] == "scaffolds":
        call = lambda: _first_of_group(scaffold_groups("bench", smiles), len(smiles))  # noqa: E731
    elif case.options["what"] in _FINGERPRINTS.values():
        compute = getattr(ops, case.options["what"])
        call = lambda: compute(smiles)  # noqa: E731
    else:
        patterns = _patterns(case)
        call = lambda: ops.substructure(smiles, patterns)  # noqa: E731
    return Prepared(call, lambda: [call()])


def rdkit(case: Case) -> Prepared:
    from rdkit import Chem
    from rdkit.Chem import FilterCatalog

    smiles = smiles_of(case)
    if case.options["what"] in _FINGERPRINTS.values():
        return _rdkit_fingerprints(case.options["what"], smiles)
    call: Callable[[], NDArray[Any]]
    if case.options["what"] == "alerts":
        parameters = FilterCatalog.FilterCatalogParams()
        for name in _CATALOGS:
            parameters.AddCatalog(getattr(parameters.FilterCatalogs, name.upper()))
        catalog = FilterCatalog.FilterCatalog(parameters)
        call = lambda: np.array([catalog.HasMatch(Chem.MolFromSmiles(s)) for s in smiles])  # noqa: E731
    elif case.options["what"] == "scaffolds":
        from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

        def call() -> NDArray[Any]:
            groups: dict[str, list[int]] = {}
            for row, text in enumerate(smiles):
                groups.setdefault(MurckoScaffoldSmiles(text), []).append(row)
            return _first_of_group(list(groups.values()), len(smiles))

    else:
        queries = [Chem.MolFromSmarts(pattern) for pattern in _patterns(case)]

        def call() -> NDArray[Any]:
            rows = []
            for text in smiles:
                molecule = Chem.MolFromSmiles(text)
                rows.append([molecule.HasSubstructMatch(query) for query in queries])
            return np.array(rows)

    return Prepared(call, lambda: [call()])


def _rdkit_fingerprints(function: str, smiles: list[str]) -> Prepared:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator as generators
    from rdkit.Chem import rdMolDescriptors

    makers: dict[str, Callable[[], Any]] = {
        "atom_pairs": generators.GetAtomPairGenerator,
        "topological_torsions": generators.GetTopologicalTorsionGenerator,
        "rdkit_fingerprint": generators.GetRDKitFPGenerator,
    }
    of = rdMolDescriptors.GetMACCSKeysFingerprint if function == "maccs" else makers[function]().GetFingerprint

    def call() -> list[Any]:
        return [of(Chem.MolFromSmiles(text)) for text in smiles]

    def packed() -> list[NDArray[Any]]:
        return [np.packbits(np.array([list(vector) for vector in call()], np.uint8), axis=1, bitorder="little")]

    return Prepared(call, packed)


LIBRARIES = {"catalase": catalase, "rdkit": rdkit}
