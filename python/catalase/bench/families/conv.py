"""Convolutions, float32, "same" padding: forward, and forward with the gradients of input, weights and bias.

PyTorch runs in its own layout (NCHW) or in ``channels_last``, whichever is faster for the case; sequences have one layout.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "conv"

# The columns are x (channels last), kernel, output channels and stride.
_ROWS: list[tuple[str, tuple[int, ...], tuple[int, ...], int, int]] = [
    ("32x56x56x64 -> 64, 3x3", (32, 56, 56, 64), (3, 3), 64, 1),
    ("32x64x64x3 -> 32, 3x3", (32, 64, 64, 3), (3, 3), 32, 1),
    ("8x28x28x128 -> 128, 3x3", (8, 28, 28, 128), (3, 3), 128, 1),
    ("128x28x28x1 -> 32, 5x5", (128, 28, 28, 1), (5, 5), 32, 1),
    ("128x14x14x32 -> 64, 5x5", (128, 14, 14, 32), (5, 5), 64, 1),
    ("32x56x56x64 -> 128, 3x3 / 2", (32, 56, 56, 64), (3, 3), 128, 2),
    ("1000x101x4 -> 15, 10", (1000, 101, 4), (10,), 15, 1),
    ("1000x101x15 -> 15, 10", (1000, 101, 15), (10,), 15, 1),
]
_QUICK: list[tuple[str, tuple[int, ...], tuple[int, ...], int, int]] = [
    ("2x9x9x3 -> 8, 3x3", (2, 9, 9, 3), (3, 3), 8, 1)
]


def cases(quick: bool) -> list[Case]:
    out = []
    for name, shape, kernel, outputs, stride in _QUICK if quick else _ROWS:
        pixels = shape[0] * int(np.prod([-(-n // stride) for n in shape[1:-1]]))
        work = 2.0 * pixels * int(np.prod(kernel)) * shape[-1] * outputs
        options = {"shape": shape, "kernel": kernel, "outputs": outputs, "stride": stride}
        out.append(Case(f"{name}, forward", work, "GFLOP/s", {**options, "train": False}))
        # Images of one channel and DNA enter the first layer of a net, which needs no gradient of its input.
        first = shape[-1] in (1, 4)
        what = "forward + backward" + (", no dx" if first else "")
        work *= 2 if first else 3
        out.append(
            Case(f"{name}, {what}", work, "GFLOP/s", {**options, "train": True, "dx": not first}, tolerance=1e-3)
        )
    return out


def _inputs(case: Case) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    o, rng = case.options, np.random.default_rng(0)
    x = rng.standard_normal(o["shape"], dtype=np.float32)
    w = rng.standard_normal((*o["kernel"], o["shape"][-1], o["outputs"]), dtype=np.float32)
    b = rng.standard_normal(o["outputs"], dtype=np.float32)
    spatial = [-(-n // o["stride"]) for n in o["shape"][1:-1]]
    return x, w, b, rng.standard_normal((o["shape"][0], *spatial, o["outputs"]), dtype=np.float32)


def catalase(case: Case) -> Prepared:
    from ... import ops

    x, w, b, dy = _inputs(case)
    o, dims = case.options, len(case.options["kernel"])
    forward, backward = (ops.conv1d, ops.conv1d_backward) if dims == 1 else (ops.conv2d, ops.conv2d_backward)

    def run() -> list[NDArray[Any]]:
        y = forward(x, w, b, stride=o["stride"])
        if not o["train"]:
            return [y]
        dx, dw, db = backward(dy, x, w, y, stride=o["stride"], need_dx=o["dx"])
        return [y, dw, db] if dx is None else [y, dw, db, dx]

    return Prepared(run, run)


def _torch(case: Case, channels_last: bool) -> Prepared:
    import torch
    from torch.nn import functional

    o, dims = case.options, len(case.options["kernel"])
    x, w, b, dy = _inputs(case)
    layout = torch.channels_last if channels_last and dims == 2 else torch.contiguous_format

    def tensor(array: NDArray[Any], *, weights: bool = False) -> Any:
        moved = np.moveaxis(array, (-1, -2), (0, 1)) if weights else np.moveaxis(array, -1, 1)
        return torch.from_numpy(moved.copy()).contiguous(memory_format=layout)

    def array(value: Any) -> NDArray[Any]:
        return np.moveaxis(value.detach().numpy(), 1, -1)

    before, after = _same(o)
    xt, wt, bt, dyt = tensor(x), tensor(w, weights=True), torch.from_numpy(b), tensor(dy)
    if o["train"]:
        xt.requires_grad_(o["dx"]), wt.requires_grad_(), bt.requires_grad_()
    pad = [p for pair in zip(reversed(before), reversed(after), strict=True) for p in pair]
    function = functional.conv1d if dims == 1 else functional.conv2d

    def forward() -> Any:
        if before == after:
            return function(xt, wt, bt, stride=o["stride"], padding=before)
        return function(functional.pad(xt, pad), wt, bt, stride=o["stride"])

    def run() -> Any:
        if not o["train"]:
            with torch.no_grad():
                return forward()
        xt.grad = wt.grad = bt.grad = None
        y = forward()
        y.backward(dyt)
        return y

    def result() -> list[NDArray[Any]]:
        y = run()
        if not o["train"]:
            return [array(y)]
        dw = np.moveaxis(_array(wt), (0, 1), (-1, -2))
        return [array(y), dw, _array(bt), *([np.moveaxis(_array(xt), 1, -1)] if o["dx"] else [])]

    return Prepared(run, result)


def _array(leaf: Any) -> NDArray[Any]:
    return leaf.grad.numpy()


def _same(o: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Return TensorFlow's "same" padding in numbers, since PyTorch does not have it with a stride."""
    stride = o["stride"]
    totals = [
        max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(o["shape"][1:-1], o["kernel"], strict=True)
    ]
    return [t // 2 for t in totals], [t - t // 2 for t in totals]


def torch(case: Case) -> Prepared:
    """Prepare the faster of the two layouts, by the best of three calls each."""
    layouts = [_torch(case, channels_last) for channels_last in (False, True)]
    if len(case.options["kernel"]) == 1:
        return layouts[0]

    def best(prepared: Prepared) -> float:
        times = []
        for _ in range(4):  # the first one warms up
            start = time.perf_counter()
            prepared.call()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    return min(layouts, key=best)


LIBRARIES = {"catalase": catalase, "torch": torch}
