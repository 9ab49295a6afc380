"""Training steps replayed as graphs of a device: which batch takes which, and what of a step is the host's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._config import get_matmul_precision
from .._cuda import is_device_array
from .._cuda._arrays import runtime_named
from .._cuda._graph import StepGraph
from .._cuda.linear import GatheredBatch
from ..autograd import Tensor
from ..nn import Module
from ..nn.losses import Loss

if TYPE_CHECKING:
    from .fit import TrainState

_MOST = 8  # shapes that are kept


class GraphSteps:
    """The steps of a run. A shape of batch is run as usual first, captured when it comes again, replayed from then on.

    Parameters
    ----------
    state : TrainState
    loss, forward : callable
        As for `fit`.
    usual : callable
        ``usual(forward, X, y, w)`` makes a step launch by launch, and returns the loss.
    """

    def __init__(self, state: TrainState, loss: Any, forward: Any, usual: Callable[..., float]) -> None:
        self.state, self.loss, self.forward, self.usual = state, loss, forward, usual
        self.runtime = runtime_named(state.module.device)
        self.layers = state.module.random_layers()
        self.modules = list(state.module.modules())
        self.shapes: dict[Any, tuple[int, ...]] = {}  # of the output, by kind of batch
        self.graphs: dict[Any, tuple[StepGraph, list[int], list[int]]] = {}
        self.buffers = [buffer for _, buffer in state.module.named_buffers()]
        self.too_large: set[Any] = set()  # kinds of batch for whose graph the device has no memory
        self.named: list[Any] = []  # what the graphs read and write beside the batch

    def step(self, X: Any, y: Any, w: Any) -> float:
        """Make one step, and return its loss; where that is not finite the weights are as before."""
        optimizer = self.state.optimizer
        optimizer.buffer.sync()
        named = [optimizer.buffer.data, *(buffer.data for buffer in self.buffers)]
        if len(named) != len(self.named) or any(a is not b for a, b in zip(named, self.named, strict=True)):
            self.named = named  # moved, or made anew: graphs name the arrays before
            self.graphs.clear()
            self.shapes.clear()
        key = self._key(X, y, w)
        shape = self.shapes.get(key)
        if key is None or shape is None or key in self.too_large:
            return self.usual(lambda module, x: self._noting(key, module, x), X, y, w)
        inputs = self._inputs(X, y, w, shape)
        known = self.graphs.get(key)
        later = None if known is None else self._later(known)
        if known is None or later is None:
            try:
                return self._capture(key, X, inputs)
            except MemoryError:
                self.too_large.add(key)
                return self.usual(self.forward, X, y, w)
        graph, _, advance = known
        rate = optimizer.current_lr()
        optimizer.steps += 1
        graph.run(inputs, later, rate, optimizer.steps)
        for layer, by in zip(self.layers, advance, strict=True):
            layer.step += by
        optimizer.buffer.changed()
        return self._read(graph)

    def _noting(self, key: Any, module: Module, X: Any) -> Any:
        output = self.forward(module, X)
        if key is not None and isinstance(output, Tensor) and len(self.shapes) < _MOST:
            self.shapes[key] = output.shape
        return output

    def _key(self, X: Any, y: Any, w: Any) -> Any:
        """What a graph is made for; None for batches that are no arrays of the device."""
        data = _data(X)
        if not is_device_array(data):
            return None
        numbers = (int, float, str, type(None))
        settings = {k: v for k, v in vars(self.state.optimizer).items() if isinstance(v, numbers)}
        settings = {k: v for k, v in settings.items() if k not in ("steps", "lr")}
        arrays = tuple((getattr(a, "shape", None), str(getattr(a, "dtype", None))) for a in (y, w))
        modes = tuple(module.training for module in self.modules)
        return type(X), data.shape, str(data.dtype), arrays, tuple(settings.items()), modes, get_matmul_precision()

    def _inputs(self, X: Any, y: Any, w: Any, shape: tuple[int, ...]) -> list[Any]:
        """The arrays of the device that the step reads."""
        if isinstance(self.loss, Loss):
            y, w = self.loss.prepared(shape, y, w)
        return [_data(X), *(self.runtime.array(a) if isinstance(a, np.ndarray) else a for a in (y, w))]

    def _later(self, known: tuple[StepGraph, list[int], list[int]]) -> int | None:
        """How many steps after the one that was captured this one is; None where random layers disagree."""
        _, start, advance = known
        apart = {layer.step - s for layer, s, by in zip(self.layers, start, advance, strict=True) if by}
        return apart.pop() if len(apart) == 1 else None if apart else 0

    def _capture(self, key: Any, X: Any, inputs: list[Any]) -> float:
        state, optimizer = self.state, self.state.optimizer
        graph = StepGraph(self.runtime, inputs)
        start, steps, rate = [layer.step for layer in self.layers], optimizer.steps, optimizer.current_lr()

        def work() -> None:
            optimizer.zero_grad()
            value = self.loss(self.forward(state.module, _like(X, graph.inputs[0])), *graph.inputs[1:])
            graph.loss = value.data
            value.backward()
            optimizer.step()

        try:
            graph.capture(work, rate, steps + 1)
            advance = [layer.step - s for layer, s in zip(self.layers, start, strict=True)]
            if any(by > 1 for by in advance):
                raise RuntimeError("graph: a random layer runs twice in a step; train with graph=False")
        except BaseException:
            optimizer.steps = steps
            for layer, before in zip(self.layers, start, strict=True):
                layer.step = before
            raise
        self.graphs[key] = graph, start, advance
        graph.run(inputs, 0, rate, optimizer.steps)
        return self._read(graph)

    def _read(self, graph: StepGraph) -> float:
        number = float(self.runtime.to_host(graph.loss).item())
        if not np.isfinite(number):
            self.state.optimizer.steps -= 1  # the device left everything as it was
        return number


def _data(X: Any) -> Any:
    return X.data if isinstance(X, (Tensor, GatheredBatch)) else X


def _like(X: Any, data: Any) -> Any:
    """A batch of the kind of X over other memory."""
    if isinstance(X, Tensor):
        return Tensor(data)
    return GatheredBatch(data, X.entries) if isinstance(X, GatheredBatch) else data
