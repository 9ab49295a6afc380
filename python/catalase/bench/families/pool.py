"""Max pooling, batch and layer normalization of images, channels last: forward, and forward with backward.

Catalase calls `catalase.ops`; PyTorch's backward goes through autograd, from a given gradient at the output to the
gradients of input, scale and shift. PyTorch runs each case in both of its layouts, ``channels_last`` and NCHW, and is timed
in the one that was faster in a short trial.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "pool"
_WORK = {
    "max": (5, 16),
    "train": (12, 32),
    "inference": (8, 0),
    "layer": (8, 20),
}  # bytes for each value that must move, forward and with backward


def cases(quick: bool) -> list[Case]:
    shapes = [("max", (2, 8, 8, 5) if quick else (128, 28, 28, 32))]
    normed = (2, 6, 6, 5) if quick else (32, 56, 56, 64)
    shapes += [("train", normed), ("inference", normed), ("layer", (3, 2, 2, 5) if quick else (16, 16, 16, 300))]
    names = {
        "max": "max pool 2x2",
        "train": "batch norm, training",
        "inference": "batch norm, inference",
        "layer": "layer norm",
    }
    out = []
    for what, shape in shapes:
        for backward in (False, True):
            work = _WORK[what][backward] * float(np.prod(shape))
            if work:
                name = f"{names[what]}, {'x'.join(map(str, shape))}{', with backward' if backward else ''}"
                options = {"what": what, "shape": shape, "backward": backward}
                out.append(Case(name, work, "GB/s", options, tolerance=1e-4))
    return out


def _arrays(case: Case) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[Any]]]:
    """Return input, gradient at the output, and gamma, beta, running mean and variance, the same for all libraries."""
    rng = np.random.default_rng(0)
    n, h, w, c = case.options["shape"]
    out = (n, h // 2, w // 2, c) if case.options["what"] == "max" else (n, h, w, c)
    x, dy = rng.standard_normal((n, h, w, c), dtype=np.float32), rng.standard_normal(out, dtype=np.float32)
    per_channel = [rng.standard_normal(c, dtype=np.float32) for _ in range(3)]
    return x + 1, dy, [*per_channel, rng.random(c, dtype=np.float32) + np.float32(0.5)]


def catalase(case: Case) -> Prepared:
    from ... import ops

    x, dy, (gamma, beta, mean, var) = _arrays(case)
    what, backward = case.options["what"], case.options["backward"]

    def call() -> list[Any]:
        if what == "max":
            y = ops.max_pool2d(x)
            return [y, ops.max_pool2d_backward(dy, x)] if backward else [y]
        if what == "layer":
            y = ops.layer_norm(x, gamma, beta)
            return [y, *ops.layer_norm_backward(dy, x, gamma)] if backward else [y]
        given = (mean, var) if what == "inference" else ()
        y, *used = ops.batch_norm(x, gamma, beta, *given)
        return [y, *ops.batch_norm_backward(dy, x, gamma, beta, *used)] if backward else [y]

    return Prepared(call, call)


def torch(case: Case) -> Prepared:
    import torch

    if case.options["what"] == "layer":  # over the last axis, which is that of the memory
        call = _torch_call(case, None)
        return Prepared(call, lambda: [t.detach().numpy() for t in call()])
    layouts = [_torch_call(case, layout) for layout in (torch.channels_last, torch.contiguous_format)]
    times = []
    for call in layouts:
        call(), call()
        start = time.perf_counter()
        for _ in range(5):
            call()
        times.append(time.perf_counter() - start)
    best = layouts[times.index(min(times))]
    return Prepared(best, lambda: [_channels_last(t.detach()) for t in best()])


def _channels_last(t: Any) -> NDArray[Any]:
    return (t.permute(0, 2, 3, 1) if t.ndim == 4 else t).numpy()


def _torch_call(case: Case, layout: Any) -> Callable[[], list[Any]]:
    import torch

    F = torch.nn.functional
    arrays = _arrays(case)
    x, dy = map(torch.from_numpy, arrays[:2])
    if layout is not None:
        x, dy = (a.permute(0, 3, 1, 2).contiguous(memory_format=layout) for a in (x, dy))
    gamma, beta, mean, var = (torch.from_numpy(a) for a in arrays[2])
    backward = case.options["backward"]
    forward: dict[str, Callable[[Any], Any]] = {
        "max": lambda t: F.max_pool2d(t, 2),
        "train": lambda t: F.batch_norm(t, None, None, gamma, beta, True),
        "inference": lambda t: F.batch_norm(t, mean, var, gamma, beta, False),
        "layer": lambda t: F.layer_norm(t, gamma.shape, gamma, beta),
    }
    run = forward[case.options["what"]]
    for t in (x, gamma, beta):
        t.requires_grad_(backward)

    def call() -> list[Any]:
        if not backward:
            with torch.no_grad():
                return [run(x)]
        x.grad = gamma.grad = beta.grad = None
        y = run(x)
        y.backward(dy)
        return [y, x.grad] if case.options["what"] == "max" else [y, x.grad, gamma.grad, beta.grad]

    return call


LIBRARIES = {"catalase": catalase, "torch": torch}
