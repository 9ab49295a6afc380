"""Captured training steps: which one serves a batch, and the values that the host updates before a replay."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._internal.config import get_matmul_precision
from ..autograd import Tensor
from ..backends import backend_named
from ..backends.cuda.capture import CapturedStep
from ..data.batch import Batch
from ..nn import Module
from ..nn.losses import Loss

if TYPE_CHECKING:
    from .fit import TrainState

_MOST = 8  # captured steps that are kept: each has memory of its own
_KINDS = 1000  # kinds of batches whose output shape is remembered


class _Capture(NamedTuple):
    """A captured step with the counters of the random layers: their values before it, and how far a step moves each."""

    step: CapturedStep
    start: list[int]
    advance: list[int]


class CapturedSteps:
    """The steps of a run. The first batch of a kind is launched, the second is captured, later ones are replayed.

    Parameters
    ----------
    state : TrainState
    loss, forward : callable
        As for `fit`.
    launched : callable
        ``launched(forward, batch, y, w)`` makes a step launch by launch, and returns the loss.
    """

    def __init__(self, state: TrainState, loss: Any, forward: Any, launched: Callable[..., float]) -> None:
        self.state, self.loss, self.forward, self.launched = state, loss, forward, launched
        self.runtime: Any = backend_named(state.module.device)
        self.layers = state.module.random_layers()
        self.modules = list(state.module.modules())
        self.buffers = [buffer for _, buffer in state.module.named_buffers()]
        self.shapes: dict[Any, tuple[int, ...]] = {}  # of the output, by kind of batch
        self.captures: dict[Any, _Capture] = {}  # by kind of batch
        self.refused: set[Any] = set()  # kinds of batch whose step does not fit into memory, or cannot be captured
        self.named: list[Any] = []  # the arrays, other than the batch, that captured steps read and write

    def step(self, batch: Batch, y: Any, w: Any) -> float:
        """Make one step, and return its loss. If that is not finite, the weights are as before."""
        optimizer = self.state.optimizer
        optimizer.buffer.sync()
        named = [optimizer.buffer.data, *(buffer.data for buffer in self.buffers)]
        if len(named) != len(self.named) or any(a is not b for a, b in zip(named, self.named, strict=True)):
            self.named = named  # the net has moved: captured steps use the old arrays
            self.captures.clear()
            self.shapes.clear()
        static = batch.static
        arrays = [] if static is None else batch.arrays
        key = self._key(static, arrays, y, w)
        shape = self.shapes.get(key)
        full = len(self.captures) >= _MOST and key not in self.captures
        if key is None or shape is None or full or key in self.refused:
            return self.launched(lambda module, X: self._noting(key, module, X), batch, y, w)
        inputs = self._inputs(arrays, y, w, shape)
        capture, rate = self.captures.get(key), optimizer.current_lr()
        later = None if capture is None else self._later(capture)
        if capture is not None and later is not None:
            optimizer.steps += 1
            capture.step.run(inputs, later, rate, optimizer.steps)
            for layer, by in zip(self.layers, capture.advance, strict=True):
                layer.step += by
            optimizer.buffer.changed()
            return self._read(capture)
        try:
            capture = self.captures[key] = self._capture(batch, inputs)
        except Exception as error:
            # A net that takes the batch itself may need more of it than its arrays.
            if not isinstance(error, MemoryError) and batch.X is not batch:
                raise
            self.refused.add(key)
            self.captures.pop(key, None)
            return self.launched(self.forward, batch, y, w)
        capture.step.run(inputs, 0, rate, optimizer.steps)
        return self._read(capture)

    def _noting(self, key: Any, module: Module, X: Any) -> Any:
        """The output for a batch, whose shape is remembered: labels of the kind are prepared for it before a replay."""
        output = self.forward(module, X)
        fed = isinstance(output, Batch)  # then the loss makes the output
        if key is not None and (fed or isinstance(output, Tensor)) and len(self.shapes) < _KINDS:
            self.shapes[key] = () if fed else output.shape
        return output

    def _key(self, static: Hashable, arrays: Sequence[Any], y: Any, w: Any) -> Any:
        """The kind of a batch: all that a captured step takes as fixed. None if the step cannot be captured."""
        if static is None or not all(a is None or hasattr(a, "shape") for a in (y, w)):
            return None
        numbers = (int, float, str, type(None))
        settings = {k: v for k, v in vars(self.state.optimizer).items() if isinstance(v, numbers)}
        settings = {k: v for k, v in settings.items() if k not in ("steps", "lr")}
        forms = tuple((getattr(a, "shape", None), str(getattr(a, "dtype", None))) for a in (*arrays, y, w))
        modes = (*(m.training for m in self.modules), *(_draws(layer) for layer in self.layers))
        return static, forms, tuple(settings.items()), modes, get_matmul_precision()

    def _inputs(self, arrays: Sequence[Any], y: Any, w: Any, shape: tuple[int, ...]) -> list[Any]:
        """The arrays of the device that the step reads."""
        if isinstance(self.loss, Loss):
            y, w = self.loss.prepared(shape, y, w)
        return [self.runtime.array(a) if isinstance(a, np.ndarray) else a for a in (*arrays, y, w)]

    def _later(self, capture: _Capture) -> int | None:
        """How many steps after the captured one this step is; None where the random layers disagree."""
        counters = zip(self.layers, capture.start, capture.advance, strict=True)
        apart = {layer.step - start for layer, start, by in counters if by}
        return apart.pop() if len(apart) == 1 else None if apart else 0

    def _capture(self, batch: Batch, inputs: list[Any]) -> _Capture:
        """Capture a step, which does not run; counters are one step on. If that fails, they are as before."""
        state, optimizer = self.state, self.state.optimizer
        step = CapturedStep(self.runtime, inputs)
        start, steps, rate = [layer.step for layer in self.layers], optimizer.steps, optimizer.current_lr()

        def work() -> None:
            optimizer.zero_grad()
            *arrays, y, w = step.inputs
            value = self.loss(self.forward(state.module, batch.with_arrays(arrays).X), y, w)
            step.loss = value.data
            value.backward()
            optimizer.step()

        try:
            step.capture(work, rate, steps + 1)
            advance = [layer.step - before for layer, before in zip(self.layers, start, strict=True)]
            if any(by > 1 for by in advance):
                raise RuntimeError("graph: a random layer runs twice in a step; train with graph=False")
        except BaseException:
            optimizer.steps = steps
            for layer, before in zip(self.layers, start, strict=True):
                layer.step = before
            raise
        return _Capture(step, start, advance)

    def _read(self, capture: _Capture) -> float:
        number = float(self.runtime.to_host(capture.step.loss).item())
        if not np.isfinite(number):
            self.state.optimizer.steps -= 1  # the device left everything as it was
        return number


def _draws(layer: Any) -> tuple[Any, ...]:
    """The settings by which a random layer draws, apart from its step."""
    return tuple(getattr(layer, name, None) for name in ("rate", "seed", "layer"))
