"""A training step of Catalase as a function that can be called repeatedly."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .device import Device


def training_step(device: Device, net: Any, optimizer: Any, loss: Any, feed: Callable[[], Any], y: Any) -> Any:
    """Return a function that makes a step as in `train.fit`, on a device as a replayed CUDA graph, and returns its loss."""
    from ..data.batch import Batch
    from ..train.fit import usual_forward

    def usual(forward: Callable[[Any, Any], Any], batch: Any, y: Any, w: Any) -> Any:
        optimizer.zero_grad()
        value = loss(forward(net, batch.X), y)
        value.backward()
        optimizer.step()
        return value

    if device.name == "cpu":
        return lambda: usual(usual_forward, Batch(feed()), y, None)
    from ..train.capture import CapturedSteps

    state: Any = SimpleNamespace(module=net, optimizer=optimizer)
    steps = CapturedSteps(state, loss, usual_forward, lambda *batch: usual(*batch).item())
    return lambda: steps.step(Batch(feed()), y, None)


def number(loss: Any) -> float:
    """Return a loss of either kind of step as a float."""
    return float(loss.item() if hasattr(loss, "item") else loss)
