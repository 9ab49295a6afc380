"""Searching by Tanimoto similarity: the ten nearest of a library, with and without an index, and Butina clusters.

And all pairs of rows of counts, which a Gaussian process needs, beside NumPy's minima and RDKit's bulk call.

The library is ZINC's 249,456 molecules where ``CATALASE_DATA_DIR`` has them, and else random fingerprints that resemble
them. RDKit's time is that of its bulk call alone, without sorting the similarities. FPSim2's engine searches an array in
its own layout.
"""

from __future__ import annotations

import functools
import gzip
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import CPU, Device

FAMILY = "tanimoto"
_BYTES = 256
_ZINC = 249_456
_MOST_RDKIT_PAIRS = 1e7  # more would take RDKit too long


def cases(quick: bool) -> list[Case]:
    n, clustered, some, many = (2000, 150, 5, 20) if quick else (_ZINC, 2000, 100, 1000)
    searches = [
        ("1, read", "read", 1, 0.0, "Mpairs/s"),
        ("1, read, GB/s", "read", 1, 0.0, "GB/s"),
        ("1, index", "index", 1, 0.0, "Mpairs/s"),
        (f"{some:,} at 0.7, index", "index", some, 0.7, "Mpairs/s"),
        (f"{many:,}, index", "index", many, 0.0, "Mpairs/s"),
    ]
    out = [
        Case(
            f"top 10 of {n:,} for {name}", float(n * queries * (_BYTES if unit == "GB/s" else 1)), unit,
            {"what": what, "n": n, "queries": queries, "threshold": threshold, "real": not quick}, tolerance=1e-6,
        )
        for name, what, queries, threshold, unit in searches
    ]  # fmt: skip
    asked, rows = (100, 100) if quick else (200, 5000)
    out.append(
        Case(
            f"all pairs, {asked} x {rows:,}", float(asked * rows), "Mpairs/s",
            {"what": "all", "n": rows, "queries": asked}, tolerance=1e-6,
        )
    )  # fmt: skip
    asked, rows = (20, 100) if quick else (50, 3000)
    out.append(
        Case(
            f"all pairs of counts, {asked} x {rows:,}", float(asked * rows), "Mpairs/s",
            {"what": "counts", "n": rows, "queries": asked}, tolerance=1e-6,
        )
    )  # fmt: skip
    out.append(Case(f"index of {n:,}", float(n), "molecules/s", {"what": "build", "n": n, "real": not quick}, 0))
    pairs = clustered * (clustered - 1) / 2
    out.append(Case(f"Butina, {clustered:,}, cutoff 0.65", pairs, "Mpairs/s", {"what": "butina", "n": clustered}, 0))
    return out


def device_cases(quick: bool) -> list[Case]:
    """Return the cases that read a whole library: a few queries, and all pairs."""
    n, queries, asked, rows = (2000, 5, 20, 100) if quick else (_ZINC, 100, 1000, 100_000)
    top = {"what": "read", "n": n, "queries": queries, "threshold": 0.0, "real": not quick}
    pairs = {"what": "all", "n": rows, "queries": asked}
    return [
        Case(f"top 10 of {n:,} for {queries}", float(n * queries), "Gpairs/s", top, tolerance=1e-6),
        Case(f"all pairs, {asked:,} x {rows:,}", float(asked * rows), "Gpairs/s", pairs, tolerance=1e-6),
    ]


@functools.lru_cache(maxsize=2)
def library(n: int, real: bool) -> NDArray[np.uint8]:
    """Return fingerprints of 2,048 bits: ZINC's ECFP4 where ``real`` and available, else random ones."""
    path = Path(os.environ.get("CATALASE_DATA_DIR", "")) / "zinc250k.smi.gz"
    if not (real and path.is_file()):
        return random_fingerprints(n)
    from ... import ops

    with gzip.open(path, "rt") as lines:
        smiles = [line.split()[0] for line in lines if line.strip()]
    return ops.ecfp(smiles[:n])


def random_fingerprints(n: int) -> NDArray[np.uint8]:
    """Return random fingerprints of a few of 3,000 fragments, some much more common than others, and of frequent bits.

    Popcounts (44, deviation 8), bit frequencies and similarities (mean 0.13, tenth neighbour 0.4) are close to ZINC's.
    """
    rng = np.random.default_rng(0)
    fragments = rng.permutation(8 * _BYTES)[_draw(rng, np.arange(1, 8 * _BYTES + 1) ** -0.6, (3000, 7))]
    common = np.array([0.95, 0.91, 0.83, 0.82, 0.81, 0.77, 0.73, 0.7, 0.6, 0.55, 0.5, 0.5, 0.45, 0.45, 0.4, 0.35])
    rows = np.empty((n, _BYTES), np.uint8)
    for start in range(0, n, 10_000):
        block = rows[start : start + 10_000]
        bits = np.zeros((len(block), 8 * _BYTES), bool)
        bits[:, : len(common)] = rng.random((len(block), len(common))) < common
        where = np.repeat(np.arange(len(block)), np.clip(rng.normal(6, 1.2, len(block)), 1, 20).astype(int))
        bits[where[:, None], fragments[_draw(rng, np.arange(1, 3001) ** -0.8, (len(where),))]] = True
        block[:] = np.packbits(bits, axis=1, bitorder="little")
    return rows


def _draw(rng: np.random.Generator, weights: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return random indices, with frequencies by their weights."""
    shares = np.cumsum(weights)
    return np.searchsorted(shares, rng.random(shape) * shares[-1])


def _sides(case: Case) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return queries and library; a query is a molecule of the library with a few bits changed."""
    options = case.options
    targets = library(options["n"], options.get("real", False))
    rng = np.random.default_rng(1)
    queries = targets[rng.integers(0, len(targets), options["queries"])].copy()
    queries ^= np.packbits(rng.random((len(queries), 8 * _BYTES)) < 0.002, axis=1)
    return queries, targets


def _counts(case: Case) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return `_sides` as counts: half of the bits occur once, and few of them more than three times."""
    rng = np.random.default_rng(2)
    sides = (np.unpackbits(side, axis=1).astype(np.uint32) for side in _sides(case))
    queries, targets = (side * rng.geometric(0.5, side.shape).astype(np.uint32) for side in sides)
    return queries, targets


def catalase(case: Case) -> Prepared:
    from ... import FingerprintIndex, cluster, ops

    what = case.options["what"]
    if what == "counts":
        sides = _counts(case)
        return Prepared(lambda: ops.tanimoto_counts(*sides), lambda: [ops.tanimoto_counts(*sides)])
    if what == "butina":
        fingerprints = library(case.options["n"], False)
        return Prepared(
            lambda: cluster.butina(fingerprints, 0.65),
            lambda: [_labels(cluster.butina(fingerprints, 0.65), len(fingerprints))],
        )
    if what == "build":
        fingerprints = library(case.options["n"], case.options["real"])
        return Prepared(
            lambda: FingerprintIndex(fingerprints), lambda: [np.array(FingerprintIndex(fingerprints).shape)]
        )
    queries, targets = _sides(case)
    if what == "all":
        return Prepared(lambda: ops.tanimoto(queries, targets), lambda: [ops.tanimoto(queries, targets)])
    threshold = case.options["threshold"]
    if what == "read":
        search = functools.partial(ops.tanimoto_topk, queries, targets, 10, threshold=threshold)
    else:
        search = functools.partial(FingerprintIndex(targets).topk, queries, 10, threshold)
    return Prepared(search, lambda: [np.nan_to_num(search()[1])])


def numpy(case: Case) -> Prepared | None:
    if case.options["what"] != "counts":
        return None
    queries, targets = (side.astype(np.float32) for side in _counts(case))

    def similarities() -> NDArray[Any]:
        out = np.empty((len(queries), len(targets)), np.float32)
        for row, query in zip(out, queries, strict=True):
            np.divide(np.minimum(query, targets).sum(axis=1), np.maximum(query, targets).sum(axis=1), out=row)
        return out

    return Prepared(similarities, lambda: [similarities()])


def on_device(case: Case, device: Device) -> Prepared:
    from ... import ops

    queries, targets = (device.array(side) for side in _sides(case))
    if case.options["what"] == "all":
        return Prepared(lambda: ops.tanimoto(queries, targets), lambda: [device.numpy(ops.tanimoto(queries, targets))])
    search = functools.partial(ops.tanimoto_topk, queries, targets, 10)
    return Prepared(search, lambda: [np.nan_to_num(device.numpy(search()[1]))])


def torch(case: Case, device: Device) -> Prepared:
    """Prepare a product of zeros and ones, which are unpacked in memory before the timing."""
    import torch

    kind = torch.float16 if device.torch_name == "cuda" else torch.float32  # counts up to 2,048 are exact
    queries, targets = (device.tensor(np.unpackbits(side, axis=1)).to(kind) for side in _sides(case))
    counts = [side.sum(1, dtype=torch.float32) for side in (queries, targets)]

    def similarities() -> Any:
        common = (queries @ targets.T).float()
        return common / (counts[0][:, None] + counts[1] - common)

    def best() -> Any:
        return torch.topk(similarities(), 10).values

    call = similarities if case.options["what"] == "all" else best
    return Prepared(call, lambda: [device.numpy(call())])


def rdkit(case: Case) -> Prepared | None:
    from rdkit import DataStructs
    from rdkit.ML.Cluster import Butina

    def vectors(rows: NDArray[np.uint8]) -> list[Any]:
        return [DataStructs.CreateFromBinaryText(row.tobytes()) for row in rows]

    what = case.options["what"]
    if what == "butina":
        rows = vectors(library(case.options["n"], False))

        def clusters() -> Any:
            distances: list[float] = []
            for i in range(len(rows)):
                distances.extend(1 - s for s in DataStructs.BulkTanimotoSimilarity(rows[i], rows[:i]))
            return Butina.ClusterData(distances, len(rows), 0.65, isDistData=True)

        return Prepared(clusters, lambda: [_labels(clusters(), len(rows))])
    if what == "counts":
        return _rdkit_counts(case)
    if what == "build" or case.options["n"] * case.options["queries"] > _MOST_RDKIT_PAIRS:
        return None
    queries, targets = (vectors(side) for side in _sides(case))

    def similarities() -> list[Any]:
        return [DataStructs.BulkTanimotoSimilarity(query, targets) for query in queries]

    def result() -> list[NDArray[Any]]:
        found = np.array(similarities(), np.float32)
        return [found] if what == "all" else [_best(found, case.options["threshold"])]

    return Prepared(similarities, result)


def _rdkit_counts(case: Case) -> Prepared:
    from rdkit import DataStructs

    def vectors(rows: NDArray[np.uint32]) -> list[Any]:
        made = [DataStructs.UIntSparseIntVect(rows.shape[1]) for _ in rows]
        for vector, row in zip(made, rows, strict=True):
            for column in np.flatnonzero(row).tolist():
                vector[column] = int(row[column])
        return made

    queries, targets = map(vectors, _counts(case))

    def similarities() -> list[Any]:
        return [DataStructs.BulkTanimotoSimilarity(query, targets) for query in queries]

    return Prepared(similarities, lambda: [np.array(similarities(), np.float32)])


def fpsim2(case: Case) -> Prepared | None:
    if case.options["what"] not in ("read", "index"):
        return None
    from FPSim2 import FPSim2Engine
    from FPSim2.io.backends.base import BaseStorageBackend
    from rdkit import DataStructs

    queries, targets = _sides(case)
    fps = np.empty((len(targets), _BYTES // 8 + 2), np.uint64)  # number, words, popcount; sorted by popcount
    reverse = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), axis=1)
    fps[:, 0], fps[:, 1:-1] = np.arange(len(targets)), reverse[targets, 0].view(">u8")  # its first bit is the highest
    fps[:, -1] = np.concatenate([np.unpackbits(part, axis=1).sum(axis=1) for part in np.array_split(targets, 64)])
    fps = fps[np.argsort(fps[:, -1], kind="stable")]
    engine = FPSim2Engine.__new__(FPSim2Engine)  # its constructor reads files only
    engine.in_memory_fps, engine.empty_sim = True, np.ndarray((0,), dtype=[("mol_id", "<u4"), ("coeff", "<f4")])
    engine.storage = SimpleNamespace(fps=fps, popcnt_bins=BaseStorageBackend.calc_popcnt_bins(fps))
    asked = [DataStructs.CreateFromBinaryText(row.tobytes()) for row in queries]
    workers = int(os.environ.get("CATALASE_NUM_THREADS", "1"))
    threshold = case.options["threshold"]

    def search() -> list[Any]:
        return [engine.top_k(query, k=10, threshold=threshold, n_workers=workers) for query in asked]

    def result() -> list[NDArray[Any]]:
        best = np.zeros((len(asked), 10), np.float32)
        for row, hits in zip(best, search(), strict=True):
            row[: len(hits)] = np.sort(hits["coeff"])[::-1]
        return [best]

    return Prepared(search, result)


def _best(similarities: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Return the ten highest similarities of each row, with 0 for those below the threshold."""
    best = np.sort(similarities, axis=1)[:, ::-1][:, :10]
    return np.where(best >= np.float32(threshold), best, 0)


def _labels(clusters: Any, n: int) -> NDArray[np.int64]:
    """Return the number of each fingerprint's cluster."""
    labels = np.empty(n, np.int64)
    for number, members in enumerate(clusters):
        labels[list(members)] = number
    return labels


LIBRARIES = {"catalase": catalase, "numpy": numpy, "rdkit": rdkit, "fpsim2": fpsim2}
ON_DEVICE = {"catalase": on_device, "catalase-cpu": lambda case, device: on_device(case, CPU), "torch": torch}
