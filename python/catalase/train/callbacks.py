"""Callbacks, which `fit` calls during training: the base class, and early stopping."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag, number, shown, whole_number
from ..nn.module import check_finite

if TYPE_CHECKING:
    from .fit import TrainState


class Callback:
    """The hooks that `fit` calls; a subclass overrides those that it needs.

    A callback with a state returns it as JSON values from ``state_dict`` (and as arrays from ``state_arrays``). A checkpoint
    saves the state, and a resumed run restores it through ``load_state``.

    Callbacks are called in the order given, checkpoints last (``order``), so that these save the decisions of the others.

    Examples
    --------
    >>> import catalase as ct
    >>> class Print(ct.train.Callback):
    ...     def on_epoch_end(self, state):
    ...         print(state.epoch, state.logs["loss"])
    """

    order = 0

    def on_train_begin(self, state: TrainState) -> None:
        """Run before the first epoch."""

    def on_epoch_begin(self, state: TrainState) -> None:
        """Run before each epoch; ``state.epoch`` counts from 0."""

    def on_batch_end(self, state: TrainState) -> None:
        """Run after each optimizer step; ``state.batch`` counts from 0."""

    def on_epoch_end(self, state: TrainState) -> None:
        """Run after each epoch; ``state.logs`` holds its figures."""

    def on_train_end(self, state: TrainState) -> None:
        """Run after the last epoch."""

    def on_interrupt(self, state: TrainState) -> None:
        """Run when Ctrl-C ends training anywhere in an epoch; the KeyboardInterrupt then reaches the caller."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run needs as JSON values."""
        return {}

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state that a resumed run needs as arrays."""
        return {}

    def load_state(self, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Restore the state that `state_dict` and `state_arrays` returned."""


def callback_list(where: str, callbacks: Any) -> list[Callback]:
    """Return the callbacks as a list; a single one is accepted too, other objects are refused."""
    found = [callbacks] if isinstance(callbacks, Callback) else callbacks
    if not isinstance(found, (list, tuple)) or not all(isinstance(one, Callback) for one in found):
        raise TypeError(
            f"{where}: callbacks must be a list of catalase.train.Callback objects, got {callbacks!r}; give instances, "
            "such as callbacks=[catalase.train.EarlyStopping()]"
        )
    return list(found)


class EarlyStopping(Callback):
    """A callback that stops training when a figure has not improved for a number of epochs.

    Parameters
    ----------
    monitor : str
        A key of ``state.logs``: "loss", "valid_loss", or the name of a metric given to ``fit``.
    patience : int
        Number of epochs without improvement that are allowed, 0 or more.
    min_delta : float
        The least change that counts as an improvement.
    mode : {"min", "max"}
        Whether smaller or larger is better.
    restore_best : bool
        Whether to restore exactly the weights of the best epoch at the end, also after Ctrl-C.

    Attributes
    ----------
    best : float
    best_epoch : int or None
        The best epoch, counted from 0.

    Notes
    -----
    An epoch whose figure is nan (an undefined metric, a validation part without labels) is ignored, with one warning: it is
    neither the best nor a reason to stop.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.train.EarlyStopping(patience=5).monitor
    'valid_loss'
    """

    def __init__(
        self,
        monitor: str = "valid_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = True,
    ) -> None:
        name = "EarlyStopping"
        if not isinstance(monitor, str):
            raise TypeError(f"{name}: monitor must be the name of a figure, such as 'valid_loss', got {shown(monitor)}")
        self.monitor, self.mode = monitor, choice(name, "mode", mode, ("min", "max"))
        self.patience = whole_number(name, "patience", patience, 0)
        self.min_delta = number(name, "min_delta", min_delta, at_least=0)
        self.restore_best = flag(name, "restore_best", restore_best)
        self._reset()

    def _reset(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch: int | None = None
        self._best_weights: dict[str, NDArray[Any]] = {}
        self._resumed = self._warned = False

    def on_train_begin(self, state: TrainState) -> None:
        if not self._resumed:
            self._reset()
        self._resumed = False

    def on_epoch_end(self, state: TrainState) -> None:
        if self.monitor not in state.logs:
            known = ", ".join(k for k, v in state.logs.items() if isinstance(v, float))
            hint = "; give fit a valid dataset" if self.monitor == "valid_loss" else ""
            raise ValueError(f"EarlyStopping: there is no figure {self.monitor!r}, only {known}{hint}")
        value = float(state.logs[self.monitor])
        if math.isnan(value):
            if not self._warned:
                warnings.warn(
                    f"EarlyStopping: {self.monitor} is nan in epoch {state.epoch}; such epochs are left out",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._warned = True
            return
        gain = self.best - value if self.mode == "min" else value - self.best
        if gain > self.min_delta or self.best_epoch is None:
            self.best, self.best_epoch = value, state.epoch
            if self.restore_best:
                self._best_weights = state.module.state_dict()
        elif state.epoch - self.best_epoch >= max(1, self.patience):
            state.stop = True

    def on_train_end(self, state: TrainState) -> None:
        if self.restore_best and self._best_weights:
            state.module.load_state_dict(self._best_weights)

    def on_interrupt(self, state: TrainState) -> None:
        self.on_train_end(state)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best if math.isfinite(self.best) else None, "best_epoch": self.best_epoch}

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return self._best_weights

    def load_state(self, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self._reset()
        if values.get("best") is not None:
            self.best, self.best_epoch = float(values["best"]), int(values["best_epoch"])
        check_finite("EarlyStopping", arrays, "the checkpoint is no state to go on from; start anew")
        self._best_weights = {name: np.array(a) for name, a in arrays.items()}
        self._resumed = True
