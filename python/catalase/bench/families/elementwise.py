"""Functions bound by memory or transcendental functions: activations, softmax, dropout, losses, embedding, optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "elementwise"


def cases(quick: bool) -> list[Case]:
    from ...ops.checks import ACTIVATION_NAMES

    n, maps = 10_000 if quick else 1_000_000, (*ACTIVATION_NAMES, "exp", "log")
    out = [Case(f"{name}, {n}", 8.0 * n, "GB/s", {"what": name, "n": n}, tolerance=1e-5) for name in maps]
    out.append(Case(f"softmax, {n // 10} x 10", 8.0 * n, "GB/s", {"what": "softmax", "n": n}, tolerance=1e-5))
    out.append(Case(f"softmax cross-entropy, {n // 10} x 10", 4.0 * n, "GB/s", {"what": "cross_entropy", "n": n}))
    out.append(Case(f"sigmoid cross-entropy, {n}", 12.0 * n, "GB/s", {"what": "sigmoid_loss", "n": n}))
    out.append(Case(f"squared error, {n}", 12.0 * n, "GB/s", {"what": "squared", "n": n}))
    rows = f"{n // 100} of {n // 1000} rows x 100"
    out.append(Case(f"embedding, {rows}", 8.0 * n, "GB/s", {"what": "embedding", "n": n}))
    out.append(Case(f"embedding gradient, {rows}", 8.0 * n, "GB/s", {"what": "embedding_gradient", "n": n}))
    out.append(Case(f"Adam, {n} parameters", 28.0 * n, "GB/s", {"what": "adam", "n": n}))
    out.append(Case(f"AMSGrad, {n} parameters", 36.0 * n, "GB/s", {"what": "amsgrad", "n": n}))
    return out


def _input(case: Case) -> NDArray[Any]:
    x = np.random.default_rng(0).standard_normal(case.options["n"], dtype=np.float32)
    return np.abs(x) + 0.1 if case.options["what"] == "log" else x


def _labels(n: int, classes: int) -> NDArray[Any]:
    return np.random.default_rng(1).integers(0, classes, n)


def catalase(case: Case) -> Prepared:
    from ... import ops

    x, what = _input(case), case.options["what"]
    if what in ("adam", "amsgrad"):
        return _adam_catalase(x, 3 if what == "amsgrad" else 2)
    wide, zeros = x.reshape(-1, 10), np.zeros_like(x)
    labels = _labels(len(wide), 10)
    long = x.reshape(-1, 100)
    rows = len(long) // 10
    ids, table = _labels(len(long), rows), long[:rows]
    calls = {
        "embedding": lambda: ops.embedding(ids, table),
        "embedding_gradient": lambda: ops.embedding_backward(long, ids, rows),
        "softmax": lambda: ops.softmax(wide),
        "cross_entropy": lambda: ops.softmax_cross_entropy(wide, labels),
        "sigmoid_loss": lambda: ops.sigmoid_cross_entropy(x, zeros),
        "squared": lambda: ops.squared_error(x, zeros),
    }
    call = calls[what] if what in calls else lambda: getattr(ops, what)(x)
    return Prepared(call, lambda: [call()])


def _adam_catalase(x: NDArray[Any], moments: int) -> Prepared:
    from ... import ops

    def fresh() -> tuple[NDArray[Any], ...]:
        arrays = tuple(ops.empty(x.shape) for _ in range(1 + moments))
        for array, value in zip(arrays, (x, 0, 0, 0), strict=False):
            array[...] = value
        return arrays

    p, *state = fresh()

    def result() -> list[NDArray[Any]]:
        q, *zeros = fresh()
        ops.adam_step(q, x, *zeros, lr=1e-3, step=1)
        return [q - x]

    return Prepared(lambda: ops.adam_step(p, x, *state, lr=1e-3, step=10), result)


def torch(case: Case) -> Prepared:
    import torch

    x, what = torch.from_numpy(_input(case)), case.options["what"]
    if what in ("adam", "amsgrad"):
        return _adam_torch(x, what == "amsgrad")
    F = torch.nn.functional
    wide, zeros = x.reshape(-1, 10), torch.zeros_like(x)
    labels = torch.from_numpy(_labels(len(wide), 10))
    long = x.reshape(-1, 100)
    rows = len(long) // 10
    ids, table = torch.from_numpy(_labels(len(long), rows)), long[:rows]
    backward = torch.ops.aten.embedding_dense_backward
    calls = {
        "embedding": lambda: F.embedding(ids, table),
        "embedding_gradient": lambda: backward(long, ids, rows, -1, False),
        "softmax": lambda: torch.softmax(wide, -1),
        "cross_entropy": lambda: F.cross_entropy(wide, labels, reduction="none"),
        "sigmoid_loss": lambda: F.binary_cross_entropy_with_logits(x, zeros, reduction="none"),
        "squared": lambda: F.mse_loss(x, zeros, reduction="none"),
        "exp": lambda: torch.exp(x),
        "log": lambda: torch.log(x),
        "gelu_tanh": lambda: F.gelu(x, approximate="tanh"),
    }
    name = what.replace("hard_", "hard")  # F.hardtanh
    call = calls[what] if what in calls else lambda: getattr(F, name)(x)
    return Prepared(call, lambda: [call().numpy()])


def _adam_torch(x: Any, amsgrad: bool) -> Prepared:
    import torch

    def fresh() -> tuple[Any, Any]:
        p = torch.nn.Parameter(x.clone())
        p.grad = x.clone()
        return p, torch.optim.Adam([p], lr=1e-3, fused=True, amsgrad=amsgrad)

    _, optimizer = fresh()

    def result() -> list[NDArray[Any]]:
        q, once = fresh()
        once.step()
        return [(q.detach() - x).numpy()]

    return Prepared(optimizer.step, result)


LIBRARIES = {"catalase": catalase, "torch": torch}
