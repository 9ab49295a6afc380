"""Virtual screening: the best molecules of a library of any size, by a trained model."""

from __future__ import annotations

from ._hits import Hits
from ._merge import merge
from ._screen import screen

__all__ = ["Hits", "merge", "screen"]
