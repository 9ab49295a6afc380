"""The demo's two tables, which every RDKit wheel carries: finding the files, reading them, and cleaning them with a report.

The measured set is CHEMBL2321810 (1,017 compounds, one activity each on a p scale, minus log10 of a molar concentration;
the files name no target) from ``Contrib/FreeWilson/data``. The library to screen is the head of the NCI collection
(``Data/NCI/first_5K.smi``). Both are found through ``rdkit.RDConfig``.
"""

from __future__ import annotations

import csv
import os
import re
from typing import Any

from .._internal.report import Failure
from .._internal.text import parse_float, strip_white

ACTIVITY_FILE = os.path.join("FreeWilson", "data", "CHEMBL2321810_act.csv")
SMILES_FILE = os.path.join("FreeWilson", "data", "CHEMBL2321810.smi")
LIBRARY_FILE = os.path.join("NCI", "first_5K.smi")


class Compounds:
    """A cleaned list of molecules.

    Attributes
    ----------
    name : str
        The name of the list, for reports.
    mols : list of rdkit.Chem.Mol
    smiles : list of str
        The SMILES as written in the file.
    ids : list of str
    activity : list of float
        Measured values on the p scale, or empty for a library.
    total : int
        The number of records in the file.
    failures : list of Failure
        The records that were left out, by the position of their lines in the file (from 0).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.mols: list[Any] = []
        self.smiles: list[str] = []
        self.ids: list[str] = []
        self.activity: list[float] = []
        self.total = 0
        self.failures: list[Failure] = []

    def __len__(self) -> int:
        return len(self.mols)

    def count(self, reason: str) -> int:
        """Return how many records were left out for a reason that starts with ``reason``."""
        return sum(failure.reason.startswith(reason) for failure in self.failures)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.total:,} records, {self.count('unreadable')} unreadable, "
            f"{self.count('duplicate')} duplicates, {len(self):,} kept"
        )


def find_files() -> dict[str, str]:
    """Return the paths of the three files, by the keys ``activity``, ``smiles`` and ``library``.

    Raises
    ------
    FileNotFoundError
        If this RDKit lacks one of them; the message names every missing file.

    Examples
    --------
    >>> sorted(find_files())
    ['activity', 'library', 'smiles']
    """
    from rdkit import RDConfig, rdBase

    paths = {
        "activity": os.path.join(RDConfig.RDContribDir, ACTIVITY_FILE),
        "smiles": os.path.join(RDConfig.RDContribDir, SMILES_FILE),
        "library": os.path.join(RDConfig.RDDataDir, LIBRARY_FILE),
    }
    missing = [path for path in paths.values() if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(
            f"demo: the RDKit installed here ({rdBase.rdkitVersion}) lacks {' and '.join(missing)}; "
            "RDKit's own wheels from PyPI carry them: pip install --force-reinstall rdkit"
        )
    return paths


def load_measured(activity_path: str, smiles_path: str) -> Compounds:
    """Read the measured compounds.

    Parameters
    ----------
    activity_path : str
        CSV with the columns ``Name`` and ``Act`` (p scale).
    smiles_path : str
        Each line has one record: SMILES, white space, name.

    Returns
    -------
    Compounds
        The compounds in the order of the SMILES file; duplicates and unreadable records are left out and listed.
    """
    with open(activity_path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames is None or not {"Name", "Act"} <= set(rows.fieldnames):
            raise ValueError(f"demo: {activity_path} needs columns Name and Act, it has {rows.fieldnames}")
        activity = {row["Name"]: parse_float(row["Act"]) for row in rows}
    measured = _load_smiles(smiles_path, "CHEMBL2321810 (measured)", activity)
    measured.activity = [activity[name] for name in measured.ids]
    return measured


def load_library(path: str, limit: int | None = None) -> Compounds:
    """Read the library to screen: SMILES, a tab, a number on each line; at most ``limit`` records."""
    return _load_smiles(path, "NCI first_5K (library)", None, limit)


def _load_smiles(path: str, name: str, known: dict[str, float] | None, limit: int | None = None) -> Compounds:
    """Parse a SMILES file; the first of several equal molecules (same canonical SMILES) is kept."""
    from rdkit import Chem, rdBase

    from ..chem.reading import read_molecule

    compounds = Compounds(name)
    seen: dict[str, str] = {}
    block = rdBase.BlockLogs()  # RDKit would write a line to stderr for each failure, which is in the report
    try:
        with open(path, encoding="utf-8") as file:
            for position, line in enumerate(file):
                if limit is not None and compounds.total >= limit:
                    break
                text, *rest = re.split("[ \t]+", strip_white(line))
                if not text:
                    continue
                compounds.total += 1
                identifier = rest[0] if rest else str(position + 1)
                mol = read_molecule(text)[0]
                canonical = Chem.MolToSmiles(mol) if mol is not None else ""
                if mol is None:
                    compounds.failures.append(Failure(position, text, "unreadable: RDKit refused the SMILES"))
                elif canonical in seen:
                    compounds.failures.append(Failure(position, text, f"duplicate of {seen[canonical]}"))
                elif known is not None and identifier not in known:
                    compounds.failures.append(Failure(position, text, "unmeasured: no activity under this name"))
                else:
                    seen[canonical] = identifier
                    compounds.mols.append(mol)
                    compounds.smiles.append(text)
                    compounds.ids.append(identifier)
    finally:
        del block
    return compounds
