"""Matrix products in float32, of the sizes on which BLAS libraries are compared and of the sizes of small nets.

A device also has cubes from 1,024 to 8,192, in float32 and in TF32. PyTorch's products are cuBLAS's there, so a hundred
times the ratio is a percentage of cuBLAS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import CPU, Device

FAMILY = "matmul"
_SHAPES = [
    (50, 1024, 1000), (128, 1024, 1024), (64, 64, 64), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024),
    (2048, 2048, 2048), (50, 1000, 12), (128, 784, 512), (1, 1024, 1000), (1000, 50, 1024),
]  # fmt: skip
_CUBES = [(n, n, n) for n in (1024, 2048, 4096, 8192)]


def cases(quick: bool) -> list[Case]:
    shapes = [(50, 100, 12), (64, 64, 64)] if quick else _SHAPES
    return [_case(shape, "float32") for shape in shapes]


def device_cases(quick: bool) -> list[Case]:
    """Return the same cases and the cubes; in TF32 the cubes only."""
    cubes = [(33, 40, 20)] if quick else _CUBES
    float32 = dict.fromkeys([case.options["shape"] for case in cases(quick)] + cubes)
    return [_case(shape, "float32") for shape in float32] + [_case(shape, "tf32") for shape in cubes]


def _case(shape: tuple[int, int, int], precision: str) -> Case:
    m, k, n = shape
    ending, tolerance = ("", 1e-4) if precision == "float32" else (", TF32", 3e-3)
    options = {"shape": shape, "precision": precision}
    return Case(f"{m}x{k}x{n}{ending}", 2.0 * m * k * n, "GFLOP/s", options, tolerance)


def _inputs(case: Case) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    m, k, n = case.options["shape"]
    rng = np.random.default_rng(0)
    a = rng.standard_normal((m, k), dtype=np.float32)
    return a, rng.standard_normal((k, n), dtype=np.float32), np.zeros((m, n), np.float32)


def catalase(case: Case, device: Device = CPU) -> Prepared:
    from ... import ops

    a, b, out = (device.array(x) for x in _inputs(case))
    return Prepared(lambda: ops.matmul(a, b, out=out), lambda: [device.numpy(ops.matmul(a, b))])


def numpy(case: Case) -> Prepared:
    a, b, out = _inputs(case)
    return Prepared(lambda: np.matmul(a, b, out=out), lambda: [a @ b])


def torch(case: Case, device: Device = CPU) -> Prepared:
    import torch

    a, b, out = (device.tensor(x) for x in _inputs(case))
    return Prepared(lambda: torch.mm(a, b, out=out), lambda: [device.numpy(torch.mm(a, b))])


LIBRARIES = {"catalase": catalase, "numpy": numpy, "torch": torch}
ON_DEVICE = {"catalase": catalase, "torch": torch}
