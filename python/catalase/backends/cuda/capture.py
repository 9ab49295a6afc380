"""Capture of a training step as a CUDA graph, once for each shape of batch; later steps replay it.

The host needs longer for a launch than the device for many a kernel, and a replay is one launch. All values that change
from step to step must then lie in device memory: the batch in buffers of the graph; the number of the step (for
dropout's masks) and the optimizer's rates in two small arrays, which a launch before the replay writes. The host reads
the loss from its buffer afterwards. The optimizer's kernels read it first, and change nothing if it is not finite.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .backend import CudaBackend

Numbers = tuple[float, float, float, float]


class _Current(threading.local):
    graph: CapturedStep | None = None


_current = _Current()


def captured() -> CapturedStep | None:
    """Return the graph that this thread is capturing a step for, or None."""
    return _current.graph


def rates_of(lr: float, decay: float, beta1: float, beta2: float, count: int) -> Numbers:
    """Return the numbers of an optimizer that change with the step: lr, keep, step_size, root_scale."""
    return lr, 1 - lr * decay, lr / (1 - beta1**count), 1 / math.sqrt(1 - beta2**count)


class CapturedStep:
    """One captured step.

    Parameters
    ----------
    device : CudaBackend
    inputs : list of device arrays
        Arrays of the first batch. The step reads copies of them, into which later batches are written.
    """

    def __init__(self, device: CudaBackend, inputs: list[Any]) -> None:
        self.device = device
        self.inputs = [None if x is None else _like(device, x) for x in inputs]
        self.later = device.empty((1,), np.int64)
        self.rates = device.empty((4,), np.float32)
        self.loss: Any = None
        self._constants: tuple[float, float, float] | None = None  # decay and both betas
        self._expected: tuple[float, int] = (0.0, 0)
        self._replay: Callable[[], None] | None = None

    def capture(self, step: Callable[[], None], lr: float, count: int) -> None:
        """Record a step with these numbers of the optimizer, without running it. The step sets ``loss``."""
        self._expected = (lr, count)
        _current.graph = self
        try:
            self._replay = self.device.capture(step)
        finally:
            _current.graph = None

    def optimizer_step(self, numbers: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the arrays of the rates, and of the loss that guards the update, for a launch that is captured."""
        lr, _, _, decay, beta1, beta2, _, count, _ = numbers
        known = self._constants
        same = known is None or (known[1:] == (beta1, beta2) and (decay in (0, known[0]) or known[0] == 0))
        if lr != self._expected[0] or count not in (1, self._expected[1]) or not same:
            raise RuntimeError(
                "graph: an optimizer's step was called with numbers that are not its optimizer's; use graph=False"
            )
        self._constants = (max(decay, known[0] if known else 0.0), beta1, beta2)
        return self.rates, self.loss

    def run(self, inputs: list[Any], later: int, lr: float, count: int) -> None:
        """Replay the step on a batch, ``later`` steps after the captured one."""
        assert self._replay is not None
        for kept, x in zip(self.inputs, inputs, strict=True):
            if kept is not None:
                kept[...] = x
        rates = rates_of(lr, *(self._constants or (0.0, 0.0, 0.0)), count)
        args = (self.later, later, self.rates, *map(float, rates))
        self.device.launch("arithmetic.set_numbers_f32", (1,), (1,), 0, args)
        self._replay()


def _like(device: CudaBackend, x: Any) -> Any:
    return device.empty(x.shape, x.dtype)
