"""Checkpoints, which hold everything that a run needs to continue and are committed by one rename.

A checkpoint folder holds the weights, the optimizer's moments and the states of the callbacks as safetensors files, and
one ``config.json`` that names them with their digests. It is replaced as a whole: if the process is killed at any
instant, the folder holds either the state before or the state after.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal import storage
from .._internal.numbers import path_of, whole_number
from ..nn.module import check_finite
from .callbacks import Callback

if TYPE_CHECKING:
    from .fit import TrainState

_KIND = "catalase training checkpoint"


class Checkpoint(Callback):
    """A callback that saves the training state every few epochs.

    Parameters
    ----------
    path : path
        The folder; it is made if it does not exist.
    every : int
        Number of epochs between two saves, 1 or more. The last epoch is always saved.

    Notes
    -----
    ``fit(..., resume=path)`` continues from the last committed state, with the same bits as an uninterrupted run. The saved
    state is that at the end of an epoch, before `EarlyStopping` restores the best weights, so a finished run can be resumed
    with a larger ``nb_epoch``. A state with NaN or infinity is not saved: training ends with a FloatingPointError, and the
    last good state stays.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.train.Checkpoint("run-1", every=5).every
    5
    """

    def __init__(self, path: str | Path, every: int = 1) -> None:
        self.path, self.every = path_of("Checkpoint", "path", path), whole_number("Checkpoint", "every", every)

    order = 1  # after the other callbacks, whose states are saved

    def on_epoch_end(self, state: TrainState) -> None:
        if (state.epoch + 1) % self.every == 0 or state.stop or state.epoch + 1 == state.nb_epoch:
            self.save(state)

    def save(self, state: TrainState) -> None:
        """Commit the state now; for a state that is not finite raise a FloatingPointError, and keep the one before."""
        weights, moments = state.module.state_dict(), state.optimizer.state_dict()
        for group in (weights, moments):
            try:
                check_finite(
                    "Checkpoint", group, f"the state saved before stays in {self.path}; lower the learning rate"
                )
            except ValueError as error:
                raise FloatingPointError(str(error)) from None
        config = {
            "kind": _KIND,
            "optimizer": type(state.optimizer).__name__,
            "seed": state.history.seed,
            "batch_size": state.batch_size,
            "rows": state.rows,
            "epochs": [{k: _to_json(v) for k, v in epoch.items()} for epoch in state.history.epochs],
            "stopped": state.stop,
            "random_steps": [layer.step for layer in state.module.random_layers()],
            "callbacks": [{"type": type(c).__name__, "state": c.state_dict()} for c in state.callbacks],
        }
        extra: dict[str, Any] = {"optimizer": moments}
        for i, callback in enumerate(state.callbacks):
            if arrays := callback.state_arrays():
                extra[f"callback_{i}"] = arrays
        storage.save_folder(self.path, config, weights, extra=extra)


def _to_json(value: float) -> float | str:
    """Return a number for JSON; NaN and infinity (as of a metric of a task with one class) become their names."""
    return value if math.isfinite(value) else str(value)


def restore(path: str | Path, state: TrainState) -> int:
    """Load a checkpoint's state into a run that is about to start; return the first epoch to run.

    Raises
    ------
    ValueError
        If the folder holds no checkpoint, or one of a different model, optimizer, batch size, number of rows, or list of
        callbacks.
    """
    config, files = storage.load_all(path)
    if config.get("kind") != _KIND:
        raise ValueError(f"resume: {path} is not a training checkpoint; give the folder that Checkpoint wrote")
    if config["optimizer"] != type(state.optimizer).__name__:
        raise ValueError(
            f"resume: {path} was written with {config['optimizer']}, but this run uses {type(state.optimizer).__name__}"
        )
    names = [type(c).__name__ for c in state.callbacks]
    saved = [c["type"] for c in config["callbacks"]]
    if names != saved:
        raise ValueError(f"resume: {path} was written with the callbacks {saved}, but this run has {names}")
    for name, now in (("batch_size", state.batch_size), ("rows", state.rows)):
        if config[name] != now:
            raise ValueError(f"resume: {path} was written with {name} {config[name]}, but this run has {now}")
    layers = state.module.random_layers()
    if len(layers) != len(config["random_steps"]):
        raise ValueError(f"resume: {path} has {len(config['random_steps'])} random layers, the model {len(layers)}")
    for group in ("weights", "optimizer"):
        check_finite("resume", files[group], f"{path} is no state to go on from; start anew")
    state.module.load_state_dict(files["weights"])
    state.optimizer.load_state_dict(files["optimizer"])
    state.history.seed = int(config["seed"])
    state.history.epochs = [{k: float(v) for k, v in epoch.items()} for epoch in config["epochs"]]
    state.module.set_seed(state.history.seed)
    for layer, step in zip(layers, config["random_steps"], strict=True):
        layer.step = int(step)
    for i, callback in enumerate(state.callbacks):
        callback.load_state(config["callbacks"][i]["state"], files.get(f"callback_{i}", {}))
    state.stop = bool(config["stopped"])
    if state.stop:
        return 2**62  # a callback had ended training: run no further epoch
    return len(state.history.epochs)
