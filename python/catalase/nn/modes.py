"""The state of all modules of a thread: whether they infer, and a function that is told of their outputs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class _Watch(threading.local):
    note: Callable[[Any, Any], None] | None = None


WATCH = _Watch()


@contextmanager
def watching(note: Callable[[Any, Any], None]) -> Iterator[None]:
    """Inside, ``note(module, output)`` is called after each module of this thread has computed its output."""
    before, WATCH.note = WATCH.note, note
    try:
        yield
    finally:
        WATCH.note = before


class _Mode(threading.local):
    inference = False


MODE = _Mode()


@contextmanager
def inference() -> Iterator[None]:
    """Inside, every module computes as after `Module.eval` for this thread, and no module is changed.

    Models predict so: a net that another thread, or the loop around a callback, is training goes on as if nothing were
    asked of it. Dropout passes everything through and counts no step, batch normalization takes its running statistics,
    and ``module.training`` reads False.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Dropout(0.5)
    >>> with ct.nn.inference():
    ...     layer(ct.Tensor(np.ones(3))).numpy()
    array([1., 1., 1.])
    >>> layer.training, layer.step
    (True, 0)
    """
    before, MODE.inference = MODE.inference, True
    try:
        yield
    finally:
        MODE.inference = before
