"""Virtual screening, from a file of SMILES to the best 1,000: reading, ECFP4 and a dense net 1024-1000-2.

The molecules are ZINC's where ``CATALASE_DATA_DIR`` has them, and else a few that are repeated. The peer reads molecules
and hashes them with RDKit and multiplies with NumPy, a thousand molecules at a time; at 249,456 molecules a call would take
minutes, so it is left out there.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from .fingerprint import _SMILES, zinc_file

FAMILY = "screen"
_BITS, _HIDDEN, _TOP, _ZINC = 1024, 1000, 1000, 249_456
_MOST_RDKIT = 3000


def cases(quick: bool) -> list[Case]:
    source = " of ZINC" if zinc_file() else ""
    sizes = (500,) if quick else (_MOST_RDKIT, _ZINC)
    top = 50 if quick else _TOP
    return [
        Case(f"file of {n:,}{source} to the best {top:,}", float(n), "molecules/s", {"n": n, "top": top}, 1e-5)
        for n in sizes
    ]


@functools.cache
def _folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="catalase-bench-")  # removed when the process ends


def _library(n: int) -> Path:
    """Write a file of n molecules."""
    path = Path(_folder().name) / f"{n}.smi"
    if not path.exists():
        from ...screening.library import Library

        zinc = zinc_file()
        chunks = Library(zinc).chunks(8192) if zinc else [_SMILES]
        smiles = itertools.cycle(s for chunk in chunks for s in (chunk.smiles if zinc else chunk))  # type: ignore[union-attr]
        path.write_text("".join(f"{s}\n" for s in itertools.islice(smiles, n)))
    return path


def _model() -> Any:
    from ... import feat, models

    model = models.MultitaskClassifier(1, _BITS, layer_sizes=[_HIDDEN], seed=0)
    model.featurizer = feat.CircularFingerprint(size=_BITS)
    return model


def catalase(case: Case) -> Prepared:
    from ...screening import screen

    path, model = _library(case.options["n"]), _model()
    out = path.with_suffix(".csv")

    def call() -> Any:
        return screen(model, path, case.options["top"], out=out, force=True, progress=False)

    return Prepared(call, lambda: [call().scores])


def rdkit(case: Case) -> Prepared | None:
    if case.options["n"] > _MOST_RDKIT:
        return None
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    path, top = _library(case.options["n"]), case.options["top"]
    w1, b1, w2, b2 = [np.ascontiguousarray(a) for a in _weights(_model())]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_BITS)

    def scores(smiles: list[str]) -> NDArray[Any]:
        vectors = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
        packed = np.frombuffer(b"".join(map(DataStructs.BitVectToBinaryText, vectors)), np.uint8)
        x = np.unpackbits(packed.reshape(len(smiles), -1), axis=1, bitorder="little").astype(np.float32)
        z = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        return 1 / (1 + np.exp(z[:, 0] - z[:, 1]))

    def call() -> NDArray[Any]:
        with open(path) as file:
            lines = iter(file)
            parts = [scores(part) for part in iter(lambda: list(itertools.islice(lines, 1000)), [])]
        return np.sort(np.concatenate(parts))[::-1][:top]

    return Prepared(call, lambda: [call()])


def _weights(model: Any) -> list[NDArray[Any]]:
    """Return weights and biases of both layers, found by their shapes."""
    arrays = list(model.module.state_dict().values())
    return [next(a for a in arrays if a.shape == shape) for shape in [(_BITS, _HIDDEN), (_HIDDEN,), (_HIDDEN, 2), (2,)]]


LIBRARIES = {"catalase": catalase, "rdkit": rdkit}
