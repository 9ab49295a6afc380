"""A training step of Catalase as a function that can be called repeatedly."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .device import Device


def training_step(device: Device, net: Any, optimizer: Any, loss: Any, feed: Callable[[], Any], y: Any) -> Any:
    """Return a function that makes a step as in `train.fit`, on a device as a replayed CUDA graph, and returns its loss."""

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
    """Return a loss of either kind of step as a float."""
    return float(loss.item() if hasattr(loss, "item") else loss)
