"""Models of other frameworks: `chemprop`."""

from __future__ import annotations

from .._internal.lazy import attach

__all__ = ["chemprop"]

__getattr__, __dir__ = attach(__name__, ("chemprop",), {})
