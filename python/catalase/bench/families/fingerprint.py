"""Fingerprints from SMILES and from RDKit's objects, compared with RDKit."""

from __future__ import annotations

import gzip
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import Device

FAMILY = "fingerprint"

# These are real molecules, written here so that the family needs no file. Where the ZINC file is missing they are repeated;
# that favours the native reader, since the processor learns its branches.
_SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "c1ccc2c(c1)cccc2",
    "CC(=O)NC1=CC=C(C=C1)O", "C1CCCCC1", "OC(=O)c1ccccc1O", "CCOC(=O)C1=C(C)NC(C)=C(C1c1ccccc1)C(=O)OC",
    "CN1CCC[C@H]1c1cccnc1", "O=C(O)CCc1ccc(Cl)cc1", "NS(=O)(=O)c1cc(Cl)c2NCNS(=O)(=O)c2c1",
    "Clc1ccc(cc1)C(c1ccc(Cl)cc1)C(Cl)(Cl)Cl",
]  # fmt: skip


def cases(quick: bool) -> list[Case]:
    n = 24 if quick else 6000
    source = f"{n} of ZINC" if zinc_file() else str(n)
    return [
        Case(f"SMILES to packed ECFP4 2048, {source}", float(n), "molecules/s", {"what": "ecfp", "n": n}, tolerance=0),
        Case(f"RDKit Mol objects to packed ECFP4 2048, {n}", float(n), "molecules/s", {"what": "mols", "n": n}, tolerance=0),
    ]  # fmt: skip


def zinc_file() -> Path | None:
    """Return the file of ZINC molecules, if ``CATALASE_DATA_DIR`` has it."""
    path = Path(os.environ.get("CATALASE_DATA_DIR", "")) / "zinc250k.smi.gz"
    return path if "CATALASE_DATA_DIR" in os.environ and path.is_file() else None


def smiles_of(case: Case) -> list[str]:
    """Return the molecules of a case, from ZINC if there is the file."""
    path, n = zinc_file(), case.options["n"]
    if path is None:
        return [_SMILES[i % len(_SMILES)] for i in range(n)]
    with gzip.open(path, "rt") as file:
        return [line.split()[0] for line in itertools.islice(file, n)]


def _rdkit_molecules(case: Case) -> list[Any]:
    from rdkit import Chem

    return [Chem.MolFromSmiles(s) for s in smiles_of(case)]


def catalase(case: Case) -> Prepared:
    from ... import ops

    if case.options["what"] == "ecfp":
        smiles = smiles_of(case)
        return Prepared(lambda: ops.ecfp(smiles), lambda: [ops.ecfp(smiles)])
    molecules = _rdkit_molecules(case)
    return Prepared(lambda: ops.ecfp(molecules), lambda: [ops.ecfp(molecules)])


def rdkit(case: Case) -> Prepared:
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    if case.options["what"] == "ecfp":
        smiles = smiles_of(case)

        def fingerprints() -> list[Any]:
            return [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in smiles]

        def packed() -> list[NDArray[Any]]:
            rows = [np.frombuffer(DataStructs.BitVectToBinaryText(fp), np.uint8) for fp in fingerprints()]
            return [np.stack(rows)]

        return Prepared(fingerprints, packed)
    # For "mols" RDKit's bulk call is timed alone; it returns a tuple of RDKit's bit vectors.
    molecules = _rdkit_molecules(case)

    def rows() -> list[NDArray[Any]]:
        texts = map(DataStructs.BitVectToBinaryText, generator.GetFingerprints(molecules, numThreads=1))
        return [np.stack([np.frombuffer(text, np.uint8) for text in texts])]

    return Prepared(lambda: generator.GetFingerprints(molecules, numThreads=1), rows)


def device_cases(quick: bool) -> list[Case]:
    return [case for case in cases(quick) if case.options["what"] == "ecfp"]


def catalase_on_device(case: Case, device: Device) -> Prepared:
    from ... import ops

    smiles = smiles_of(case)

    def call() -> Any:
        return ops.ecfp(smiles, device=device.name)

    return Prepared(call, lambda: [device.numpy(call())])


LIBRARIES = {"catalase": catalase, "rdkit": rdkit}
ON_DEVICE = {"catalase": catalase_on_device, "catalase-cpu": lambda case, device: catalase(case)}
