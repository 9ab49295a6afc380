"""Cholesky's factor and triangular systems in float64, beside LAPACK (NumPy) where it has them.

The share of the peak is one of float32's, so that 50% is all that float64 can reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "linalg"


def cases(quick: bool) -> list[Case]:
    sizes = [65, 200] if quick else [500, 1000, 2000, 4000]
    factors = [Case(f"cholesky {n}", n**3 / 3, "GFLOP/s", {"n": n, "what": "factor"}, 1e-10) for n in sizes]
    n, m = (100, 7) if quick else (2000, 1000)
    options = {"n": n, "m": m, "what": "solve"}
    return [*factors, Case(f"solve {n}, {m} right sides", float(n) ** 2 * m, "GFLOP/s", options, 1e-10)]


def _matrix(case: Case) -> NDArray[Any]:
    n = case.options["n"]
    half = np.random.default_rng(0).standard_normal((n, n))
    made: NDArray[Any] = half @ half.T / n + np.eye(n)
    return made


def catalase(case: Case) -> Prepared:
    from ... import ops

    a = _matrix(case)
    if case.options["what"] == "factor":
        out = np.empty_like(a)
        return Prepared(lambda: ops.cholesky(a, out=out), lambda: [ops.cholesky(a)])
    factor, b = ops.cholesky(a), np.random.default_rng(1).standard_normal((len(a), case.options["m"]))
    return Prepared(lambda: ops.solve_triangular(factor, b), lambda: [ops.solve_triangular(factor, b)])


def numpy(case: Case) -> Prepared | None:
    if case.options["what"] != "factor":
        return None  # NumPy has no triangular systems
    a = _matrix(case)
    return Prepared(lambda: np.linalg.cholesky(a), lambda: [np.linalg.cholesky(a)])


def torch(case: Case) -> Prepared:
    import torch

    a = torch.from_numpy(_matrix(case))
    if case.options["what"] == "factor":
        return Prepared(lambda: torch.linalg.cholesky(a), lambda: [torch.linalg.cholesky(a).numpy()])
    factor = torch.linalg.cholesky(a)
    b = torch.from_numpy(np.random.default_rng(1).standard_normal((len(a), case.options["m"])))

    def solve() -> Any:
        return torch.linalg.solve_triangular(factor, b, upper=False)

    return Prepared(solve, lambda: [solve().numpy()])


LIBRARIES = {"catalase": catalase, "numpy": numpy, "torch": torch}
