"""Optimizers over flat parameter buffers, and learning-rate schedules."""

from __future__ import annotations

from . import optimizers, schedules
from .optimizers import *  # noqa: F403
from .schedules import *  # noqa: F403

__all__ = [*optimizers.__all__, *schedules.__all__]
