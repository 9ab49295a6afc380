"""One training step of Catalase's, called again and again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .device import Device


def training_step(device: Device, net: Any, optimizer: Any, loss: Any, feed: Callable[[], Any], y: Any) -> Any:
    """Return a function that makes a step and returns its loss: as `train.fit` makes it, on a device a replayed graph."""

    def usual(forward: Callable[[Any, Any], Any], X: Any, y: Any, w: Any) -> Any:
        optimizer.zero_grad()
        value = loss(forward(net, X), y)
        value.backward()
        optimizer.step()
        return value

    def plain(net: Any, X: Any) -> Any:
        return net(X)

    if device.name == "cpu":
        return lambda: usual(plain, feed(), y, None)
    from ..train.capture import GraphSteps

    state: Any = SimpleNamespace(module=net, optimizer=optimizer)
    steps = GraphSteps(state, loss, plain, lambda *batch: usual(*batch).item())
    return lambda: steps.step(feed(), y, None)


def number(loss: Any) -> float:
    """A loss as a float, whichever kind of step gave it."""
    return float(loss.item() if hasattr(loss, "item") else loss)
