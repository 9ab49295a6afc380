"""Matrix products, float32: the rows on which BLAS libraries are compared, and those of small nets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._case import Case, Prepared

_SHAPES = [
    (50, 1024, 1000), (128, 1024, 1024), (64, 64, 64), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024),
    (2048, 2048, 2048), (50, 1000, 12), (128, 784, 512), (1, 1024, 1000), (1000, 50, 1024),
]  # fmt: skip


def cases(quick: bool) -> list[Case]:
    shapes = [(50, 100, 12), (64, 64, 64)] if quick else _SHAPES
    return [Case(f"{m}x{k}x{n}", 2.0 * m * k * n, "GFLOP/s", {"shape": (m, k, n)}) for m, k, n in shapes]


def _inputs(case: Case) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    m, k, n = case.options["shape"]
    rng = np.random.default_rng(0)
    a = rng.standard_normal((m, k), dtype=np.float32)
    return a, rng.standard_normal((k, n), dtype=np.float32), np.zeros((m, n), np.float32)


def catalase(case: Case) -> Prepared:
    from .. import ops

    a, b, out = _inputs(case)
    return Prepared(lambda: ops.matmul(a, b, out=out), lambda: [ops.matmul(a, b)])


def numpy(case: Case) -> Prepared:
    a, b, out = _inputs(case)
    return Prepared(lambda: np.matmul(a, b, out=out), lambda: [a @ b])


def torch(case: Case) -> Prepared:
    import torch

    a, b, out = (torch.from_numpy(x) for x in _inputs(case))
    return Prepared(lambda: torch.mm(a, b, out=out), lambda: [torch.mm(a, b).numpy()])


LIBRARIES = {"catalase": catalase, "numpy": numpy, "torch": torch}
