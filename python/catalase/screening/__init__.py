"""Virtual screening finds the molecules that a trained model scores best, in a library of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

_ATTRIBUTES = {"Hits": "hits", "merge": "merging", "screen": "screening"}

if TYPE_CHECKING:
    from .hits import Hits
    from .merging import merge
    from .screening import screen

__all__ = ["Hits", "merge", "screen"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, (), _ATTRIBUTES)
