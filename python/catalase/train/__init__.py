"""The training loop, its callbacks, and checkpoints that survive a kill."""

from __future__ import annotations

from .callbacks import Callback, EarlyStopping
from .checkpoint import Checkpoint
from .fit import History, TrainState, fit
from .noise import Noise

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "History", "Noise", "TrainState", "fit"]
