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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .backend import CudaBackend

Numbers = tuple[float, float, float, float]
Lengths = NDArray[np.int64]


class Parts(NamedTuple):
    """The parts of a batch that is not a plain array. Its class defines ``graph_parts``, which returns this, or None.

    Attributes
    ----------
    key : hashable
        Everything in the batch that its graph takes as fixed, apart from the arrays' shapes and dtypes.
    arrays : list of arrays
        The arrays that a step reads on the device; NumPy arrays are copied there.
    like : callable
        ``like(arrays)`` returns a batch of this kind with other arrays, all of them on the device.
    lengths : ndarray, optional
        Lengths of sequences, if they may differ from batch to batch: the step uses them only through `of_lengths`.
    """

    key: Any
    arrays: list[Any]
    like: Callable[[list[Any]], Any]
    lengths: Lengths | None = None


class _Current(threading.local):
    graph: StepGraph | None = None


_current = _Current()


def captured() -> StepGraph | None:
    """Return the graph that this thread is capturing a step for, or None."""
    return _current.graph


def of_lengths(device: CudaBackend, lengths: Lengths, key: Any, make: Callable[[Lengths], NDArray[Any]]) -> Any:
    """Return ``make(lengths)`` on the device. A captured step recomputes it for each batch; its shape must not change."""
    graph = captured()
    return device.array(make(lengths)) if graph is None else graph.of_lengths(lengths, key, make)


def rates_of(lr: float, decay: float, beta1: float, beta2: float, count: int) -> Numbers:
    """Return the numbers of an optimizer that change with the step: lr, keep, step_size, root_scale."""
    return lr, 1 - lr * decay, lr / (1 - beta1**count), 1 / math.sqrt(1 - beta2**count)


class StepGraph:
    """One captured step.

    Parameters
    ----------
    device : CudaBackend
    inputs : list of device arrays
        Arrays of the first batch. The step reads copies of them, into which later batches are written.
    lengths : ndarray, optional
        Lengths as in `Parts`.
    """

    def __init__(self, device: CudaBackend, inputs: list[Any], lengths: Lengths | None = None) -> None:
        self.device = device
        self.inputs = [None if x is None else _like(device, x) for x in inputs]
        self.later = device.empty((1,), np.int64)
        self.rates = device.empty((4,), np.float32)
        self.loss: Any = None
        self._lengths = lengths
        self._made: dict[Any, tuple[Any, Callable[[Lengths], NDArray[Any]]]] = {}  # by key, computed from the lengths
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

    def of_lengths(self, lengths: Lengths, key: Any, make: Callable[[Lengths], NDArray[Any]]) -> Any:
        """Return the array of `of_lengths` while the step is captured."""
        if self._lengths is None or not np.array_equal(lengths, self._lengths):
            raise RuntimeError("graph: the step reads lengths that are not its batch's; train with graph=False")
        if key not in self._made:
            values = make(lengths)
            self._made[key] = self.device.empty_apart(values.shape, values.dtype), make
        return self._made[key][0]

    def run(self, inputs: list[Any], later: int, lr: float, count: int, lengths: Lengths | None = None) -> None:
        """Replay the step on a batch, ``later`` steps after the captured one."""
        assert self._replay is not None
        for array, make in self._made.values():
            assert lengths is not None
            array[...] = self.device.array(make(lengths))
        for kept, x in zip(self.inputs, inputs, strict=True):
            if kept is not None:
                kept[...] = x
        rates = rates_of(lr, *(self._constants or (0.0, 0.0, 0.0)), count)
        args = (self.later, later, self.rates, *map(float, rates))
        self.device.launch("arithmetic.set_numbers_f32", (1,), (1,), 0, args)
        self._replay()


def _like(device: CudaBackend, x: Any) -> Any:
    return device.empty(x.shape, x.dtype)
