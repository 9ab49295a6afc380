"""Captured training steps: the captured step for each batch, and the values that the host updates before a replay."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._internal.config import get_matmul_precision
from ..autograd import Tensor
from ..backends import backend_named
from ..backends.cuda.capture import StepGraph
from ..data.batch import Batch
from ..nn import Module
from ..nn.losses import Loss

if TYPE_CHECKING:
    from .fit import TrainState

_MOST = 8  # graphs that are kept: each has memory of its own
_KINDS = 1000  # of batches that are remembered

Known = tuple[StepGraph, list[int], list[int]]  # a graph; where random layers stood; how far they go in a step


class GraphSteps:
    """The steps of a run. A shape of batch is run as usual first, captured when it comes again, replayed from then on.

    Parameters
    ----------
    state : TrainState
    loss, forward : callable
        As for `fit`.
    usual : callable
        ``usual(forward, batch, y, w)`` makes a step launch by launch, and returns the loss.
    """

    def __init__(self, state: TrainState, loss: Any, forward: Any, usual: Callable[..., float]) -> None:
        self.state, self.loss, self.forward, self.usual = state, loss, forward, usual
        self.runtime: Any = backend_named(state.module.device)
        self.layers = state.module.random_layers()
        self.modules = list(state.module.modules())
        self.shapes: dict[Any, tuple[int, ...]] = {}  # of the output, by kind of batch
        self.graphs: dict[Any, Known] = {}
        self.buffers = [buffer for _, buffer in state.module.named_buffers()]
        self.refused: set[Any] = set()  # kinds of batch whose graph has no room, or cannot be made
        self.named: list[Any] = []  # what the graphs read and write beside the batch

    def step(self, batch: Batch, y: Any, w: Any) -> float:
        """Make one step, and return its loss; where that is not finite the weights are as before."""
        optimizer = self.state.optimizer
        optimizer.buffer.sync()
        named = [optimizer.buffer.data, *(buffer.data for buffer in self.buffers)]
        if len(named) != len(self.named) or any(a is not b for a, b in zip(named, self.named, strict=True)):
            self.named = named  # moved, or made anew: graphs name the arrays before
            self.graphs.clear()
            self.shapes.clear()
        static = batch.static
        arrays = [] if static is None else batch.arrays
        key = self._key(static, arrays, y, w)
        shape = self.shapes.get(key)
        full = len(self.graphs) >= _MOST and key not in self.graphs
        if key is None or shape is None or full or key in self.refused:
            return self.usual(lambda module, X: self._noting(key, module, X), batch, y, w)
        inputs = self._inputs(arrays, y, w, shape)
        known = self.graphs.get(key)
        later, rate = None if known is None else self._later(known), optimizer.current_lr()
        if known is None or later is None:
            try:
                known = self.graphs[key] = self._capture(batch, inputs)
            except Exception as error:
                # A net that takes the batch itself may need more of it than its arrays.
                if not isinstance(error, MemoryError) and batch.X is not batch:
                    raise
                self.refused.add(key)
                self.graphs.pop(key, None)
                return self.usual(self.forward, batch, y, w)
            known[0].run(inputs, 0, rate, optimizer.steps)
            return self._read(known[0])
        graph, _, advance = known
        optimizer.steps += 1
        graph.run(inputs, later, rate, optimizer.steps)
        for layer, by in zip(self.layers, advance, strict=True):
            layer.step += by
        optimizer.buffer.changed()
        return self._read(graph)

    def _noting(self, key: Any, module: Module, X: Any) -> Any:
        output = self.forward(module, X)
        fed = isinstance(output, Batch)  # then the loss makes the output
        if key is not None and (fed or isinstance(output, Tensor)) and len(self.shapes) < _KINDS:
            self.shapes[key] = () if fed else output.shape
        return output

    def _key(self, static: Hashable, arrays: Sequence[Any], y: Any, w: Any) -> Any:
        """All that a captured step takes as fixed; None where the step cannot be captured, or labels are lists."""
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

    def _later(self, known: Known) -> int | None:
        """How many steps after the one that was captured this one is; None where random layers disagree."""
        _, start, advance = known
        apart = {layer.step - s for layer, s, by in zip(self.layers, start, advance, strict=True) if by}
        return apart.pop() if len(apart) == 1 else None if apart else 0

    def _capture(self, batch: Batch, inputs: list[Any]) -> Known:
        """The graph of a step, which has not run; counters are one step on. Where it fails all is as before."""
        state, optimizer = self.state, self.state.optimizer
        graph = StepGraph(self.runtime, inputs)
        start, steps, rate = [layer.step for layer in self.layers], optimizer.steps, optimizer.current_lr()

        def work() -> None:
            optimizer.zero_grad()
            *arrays, y, w = graph.inputs
            value = self.loss(self.forward(state.module, batch.with_arrays(arrays).X), y, w)
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
        return graph, start, advance

    def _read(self, graph: StepGraph) -> float:
        number = float(self.runtime.to_host(graph.loss).item())
        if not np.isfinite(number):
            self.state.optimizer.steps -= 1  # the device left everything as it was
        return number


def _draws(layer: Any) -> tuple[Any, ...]:
    """What a random layer draws by, beside its step."""
    return tuple(getattr(layer, name, None) for name in ("rate", "seed", "layer"))
