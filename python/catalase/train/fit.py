"""The training loop."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.frames import make_frame
from .._internal.markup import card, grid
from .._internal.numbers import flag, path_of, shown, whole_number
from ..autograd import Tensor, no_grad
from ..backends import to_device, to_host
from ..backends.base import SparseRows
from ..data.batch import Batch
from ..nn import Module, inference
from ..nn.losses import Loss
from ..ops import SparseBatch
from ..optim import Optimizer
from .callbacks import Callback, callback_list
from .noise import Draw, Noise
from .progress import progress_bar

LossFunction = Callable[[Tensor, NDArray[Any], NDArray[Any]], Tensor]
Forward = Callable[[Module, NDArray[Any]], Tensor]
Step = Callable[[Batch, Any, Any], float]  # a batch, y and w to the loss
_AS_IT_IS = (SparseBatch, SparseRows, Batch)  # what a module takes that is no array


class History:
    """The record of a run: ``epochs`` holds a dictionary of figures for each epoch, ``seed`` is the seed of the run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epochs: list[dict[str, float]] = []

    def __getitem__(self, name: str) -> list[float]:
        """Return one figure over the epochs that have it."""
        if not isinstance(name, str):
            raise TypeError(f"History: a figure is asked for by its name, such as 'loss', got {name!r}")
        return [epoch[name] for epoch in self.epochs if name in epoch]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the figures, in the order in which they came up."""
        return iter({name: None for epoch in self.epochs for name in epoch})

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        last = self.epochs[-1] if self.epochs else {}
        return f"History({len(self)} epochs, last {last})"

    def to_frame(self, library: str = "pandas") -> Any:
        """Return the figures as a data frame: the column ``epoch``, from 0, and one for each figure, NaN where it is missing.

        Parameters
        ----------
        library : {"pandas", "polars", "arrow"}
        """
        columns: dict[str, Any] = {"epoch": np.arange(len(self))}
        columns |= {name: np.array([epoch.get(name, math.nan) for epoch in self.epochs]) for name in self}
        return make_frame("History.to_frame", columns, library)

    def _repr_html_(self) -> str:
        """What a notebook shows: the figures of the last epochs."""
        names, first = list(self), max(0, len(self) - 10)
        rows = [
            [i, *(epoch.get(name, math.nan) for name in names)] for i, epoch in enumerate(self.epochs[first:], first)
        ]
        return card(f"History: {len(self):,} epochs", [("seed", self.seed)], grid(["epoch", *names], rows))


class TrainState:
    """The state of a run, which callbacks may read and change: set ``stop`` to end after this epoch.

    Attributes
    ----------
    module, optimizer, history
        The net, its optimizer, and the record of the run so far.
    epoch, batch : int
        Counted from 0.
    nb_epoch, batch_size, rows : int
        The number of epochs, the rows of a batch, and the rows of an epoch.
    logs : dict of str to float
        Figures of the epoch: loss, valid_loss where there is a validation set, seconds.
    stop : bool
    """

    def __init__(self, module: Module, optimizer: Optimizer, history: History, callbacks: Sequence[Callback]) -> None:
        self.module, self.optimizer, self.history = module, optimizer, history
        self.callbacks = sorted(callbacks, key=lambda callback: callback.order)
        self.epoch = self.batch = 0
        self.nb_epoch = self.batch_size = self.rows = 0
        self.logs: dict[str, float] = {}
        self.stop = False


def fit(
    module: Module,
    dataset: Any,
    loss: LossFunction,
    *,
    optimizer: Optimizer,
    nb_epoch: int = 10,
    batch_size: int = 100,
    seed: int | None = None,
    valid: Any = None,
    metrics: Mapping[str, Callable[[], float]] | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    progress: bool | None = None,
    forward: Forward | None = None,
    resume: str | Path | None = None,
    graph: bool = False,
    noise: Noise | None = None,
) -> History:
    """Train a module by gradient descent on mini-batches, on the device where it lives.

    Parameters
    ----------
    module : Module
    dataset : Dataset
        Anything with ``len`` and ``iterbatches(batch_size, deterministic=..., seed=...)`` giving (X, y, w, ids). For a
        module on a device X is copied there batch by batch; and y and w, as float32 or int64, where the loss is a
        function of your own.
    loss : callable
        ``loss(output, y, w)`` gives a Tensor of one number, the mean over the batch.
    optimizer : Optimizer
        Made over the same module.
    nb_epoch : int
        Passes over the data, 0 or more. A resumed run counts those it has made.
    batch_size : int
        1 or more; the last batch of an epoch may be shorter, one larger than the data is the whole data.
    seed : int, optional
        Decides shuffling and dropout: same seed, same bits, for any number of threads. Fresh entropy where left out;
        the history tells which it was.
    valid : Dataset, optional
        Its loss is reported as ``valid_loss`` after each epoch. A set without any label (all weights 0) is refused; where
        that shows only batch by batch, ``valid_loss`` is nan, with a warning.
    metrics : dict of str to callable, optional
        Further figures, computed after each epoch in inference mode (dropout off): ``name: function()``.
    callbacks : Callback or sequence of Callback
    progress : bool, optional
        A progress bar on standard error: True always, False never, None where a person is watching a terminal.
    forward : callable, optional
        ``forward(module, X)`` gives the output for a batch; ``module(Tensor(X))`` where left out (whole numbers,
        packed bits or token ids, go in as an array).
    resume : path, optional
        Folder of a `Checkpoint`: go on from there, with the seed of that run. The same bits come out as without the
        interruption.
    graph : bool
        On a device: capture the step as a CUDA graph when a shape of batch comes for the second time, and replay it from
        then on, with the same results. For steps that launch the same kernels each time: nothing of net, loss or optimizer
        but the learning rate may change between them, and a loss or a forward function of your own must neither read
        values back nor draw random numbers of its own. Batches of sequences: see docs/gpu.md. On the CPU it does nothing.
    noise : Noise, optional
        Noise on inputs, weights and labels while training, dropout of inputs, mixup; see `Noise`. Not with ``graph``.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For an empty dataset, or numbers out of range.
    TypeError
        If ``loss`` does not return a Tensor.
    KeyboardInterrupt
        Ctrl-C goes through, after callbacks have had their say: with `EarlyStopping` the best weights are in place, else
        the last.
    FloatingPointError
        When the loss is no longer finite: says in which epoch and batch, and what to try. The weights are those
        before the step that would have spoiled them.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
    >>> net = ct.nn.Sequential(ct.nn.Linear(1, 16, "tanh"), ct.nn.Linear(16, 1))
    >>> history = ct.train.fit(
    ...     net, ct.data.NumpyDataset(X, X**2), ct.nn.losses.L2Loss(),
    ...     optimizer=ct.optim.Adam(net, lr=0.01), nb_epoch=50, batch_size=16, seed=0,
    ... )
    >>> history["loss"][-1] < history["loss"][0]
    True
    """
    _check_arguments(module, loss, optimizer, metrics, progress, forward, resume, graph, noise)
    if _rows("dataset", dataset) == 0:
        raise ValueError("fit: the dataset is empty; there is nothing to learn from")
    if valid is not None and _rows("valid", valid) == 0:
        raise ValueError("fit: the validation dataset is empty; leave valid out, or give it some rows")
    weights = getattr(valid, "w", None)
    if isinstance(weights, np.ndarray) and weights.size and not weights.any():
        raise ValueError(
            "fit: every label of valid is missing (weight 0), so its loss would say nothing; leave valid out"
        )
    nb_epoch = whole_number("fit", "nb_epoch", nb_epoch, 0)
    batch_size = whole_number("fit", "batch_size", batch_size)
    seed = (
        int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else whole_number("fit", "seed", seed, None)
    )
    if not optimizer.buffer.owns(module):
        raise ValueError("fit: the optimizer was made over another module, or the module was flattened again since")
    state = TrainState(module, optimizer, History(seed), callback_list("fit", callbacks))
    state.nb_epoch, state.batch_size, state.rows = nb_epoch, batch_size, len(dataset)
    module.set_seed(seed)
    first_epoch = 0
    if resume is not None:
        from .checkpoint import restore

        first_epoch = restore(resume, state)
    step, stream = _steps(state, loss, forward or usual_forward, graph, noise)
    _call(state, "on_train_begin")
    try:
        with stream, progress_bar("training", nb_epoch, progress) as advance:
            if first_epoch:
                advance(min(first_epoch, nb_epoch), "")
            for epoch in range(first_epoch, nb_epoch):
                state.epoch, state.logs = epoch, {}
                _run_epoch(state, dataset, loss, batch_size, step)
                module.eval()
                if valid is not None:
                    state.logs["valid_loss"] = evaluate_loss(module, valid, loss, forward or usual_forward)
                for name, function in (metrics or {}).items():
                    state.logs[name] = float(function())
                state.history.epochs.append(state.logs)
                _call(state, "on_epoch_end")
                advance(1, "  ".join(f"{k} {v:.4g}" for k, v in state.logs.items() if k != "seconds"))
                if state.stop:
                    break
    except KeyboardInterrupt:
        _call(state, "on_interrupt")
        raise
    finally:
        module.eval()
    _call(state, "on_train_end")
    return state.history


def _check_arguments(
    module: Any,
    loss: Any,
    optimizer: Any,
    metrics: Any,
    progress: Any,
    forward: Any,
    resume: Any,
    graph: Any,
    noise: Any,
) -> None:
    if not isinstance(module, Module):
        raise TypeError(f"fit: module must be a Module, got {shown(module)}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: optimizer must be one of catalase.optim, made over the module, got {shown(optimizer)}")
    if not callable(loss):
        raise TypeError(f"fit: loss must be a function of output, y and w, or one of nn.losses, got {shown(loss)}")
    if forward is not None and not callable(forward):
        raise TypeError(f"fit: forward must be a function of the module and a batch, got {shown(forward)}")
    if metrics is not None and not (isinstance(metrics, Mapping) and all(map(callable, metrics.values()))):
        raise TypeError(f"fit: metrics must be a dictionary of functions by name, got {shown(metrics)}")
    if resume is not None:
        path_of("fit", "resume", resume)
    if progress is not None:
        flag("fit", "progress", progress)
    if noise is not None and not isinstance(noise, Noise):
        raise TypeError(f"fit: noise must be a catalase.train.Noise, got {shown(noise)}")
    if flag("fit", "graph", graph) and noise is not None and module.device != "cpu":
        raise ValueError("fit: noise is drawn anew for each step, which a captured graph cannot; use graph=False")


def _rows(name: str, dataset: Any) -> int:
    if isinstance(dataset, type) or not hasattr(dataset, "iterbatches") or not hasattr(dataset, "__len__"):
        raise TypeError(
            f"fit: {name} must be a dataset of catalase.data, or have len and iterbatches, got {shown(dataset)}"
        )
    return len(dataset)


def evaluate_loss(module: Module, dataset: Any, loss: LossFunction, forward: Forward | None = None) -> float:
    """Return the loss over a whole dataset in inference mode, batch by batch, each weighted by its rows.

    Parameters
    ----------
    module, dataset, loss, forward
        As for `fit`.

    Returns
    -------
    float
        NaN, with a warning, if no label has a weight.
    """
    total, rows, measured = 0.0, 0, False
    for items in dataset.iterbatches(1000, deterministic=True):
        batch, y, w = _on_device(module.device, loss, items)
        with inference(), no_grad():
            total += _number(loss((forward or usual_forward)(module, batch.X), y, w)) * len(batch)
        rows += len(batch)
        measured = measured or items[2] is None or bool(np.any(to_host(items[2])))
    if rows and not measured:
        warnings.warn("fit: no label of valid has a weight, so valid_loss is nan", RuntimeWarning, stacklevel=3)
        return math.nan
    return total / max(1, rows)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch's shuffling."""
    return int(np.random.SeedSequence([seed % 2**64, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def usual_forward(module: Module, X: Any) -> Tensor:
    """Return a module's output for the X of a batch: floats come as a Tensor, whole numbers and all else as they are."""
    return module(X if isinstance(X, _AS_IT_IS) or X.dtype.kind in "iu" else Tensor(X))


def _on_device(device: str, loss: LossFunction, items: tuple[Any, ...]) -> tuple[Batch, Any, Any]:
    """Return a batch on the module's device, y and w. Labels stay on the host, where the library's losses validate them."""
    X, y, w, *_ = items
    batch = X if isinstance(X, Batch) else Batch(X)
    if device == "cpu":
        return batch, y, w
    if not isinstance(loss, Loss):
        y, w = (to_device(_plain_numbers(a), device) if isinstance(a, np.ndarray) else a for a in (y, w))
    return batch.to(device), y, w


def _plain_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels in a dtype that a device takes."""
    return labels.astype(np.int64 if labels.dtype.kind in "iub" else np.float32, copy=False)


def _number(value: Any) -> float:
    if not isinstance(value, Tensor) or value.data.size != 1:
        came = f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"fit: loss must return a Tensor of one number (its mean over the batch, say), got {came}")
    return float(value.data) if type(value.data) is np.ndarray else value.item()


def _steps(
    state: TrainState, loss: LossFunction, forward: Forward, graph: bool, noise: Noise | None
) -> tuple[Step, AbstractContextManager[None]]:
    """Return the function that makes a step and returns its loss, and the context in which it runs."""

    def launched(forward: Forward, batch: Batch, y: Any, w: Any) -> float:
        state.optimizer.zero_grad()
        value = loss(forward(state.module, batch.X), y, w)
        number = _number(value)
        if math.isfinite(number):
            value.backward()
            state.optimizer.step()
        return number

    def disturbed(batch: Batch, y: Any, w: Any) -> float:
        drawn = Draw(noise, state.history.seed, state.epoch, state.batch)  # type: ignore[arg-type]
        state.optimizer.zero_grad()
        with drawn.on_weights(state.module):
            output = forward(state.module, drawn.batch(batch).X)
            value = loss(output, *drawn.labels(loss, output, y, w))
            number = _number(value)
            if math.isfinite(number):
                value.backward()
        if math.isfinite(number):
            state.optimizer.step()
        return number

    if noise is not None:
        return disturbed, nullcontext()
    if not graph or state.module.device == "cpu":
        return partial(launched, forward), nullcontext()
    from .capture import CapturedSteps

    steps = CapturedSteps(state, loss, forward, launched)
    return steps.step, steps.runtime.capturing_stream()


def _run_epoch(state: TrainState, dataset: Any, loss: LossFunction, batch_size: int, step: Step) -> None:
    start, total, rows = time.perf_counter(), 0.0, 0
    _call(state, "on_epoch_begin")
    state.module.train()
    batches = dataset.iterbatches(
        min(batch_size, len(dataset)), deterministic=False, seed=epoch_seed(state.history.seed, state.epoch)
    )
    device = state.module.device
    for state.batch, items in enumerate(batches):
        batch, y, w = _on_device(device, loss, items)
        number = step(batch, y, w)
        if not math.isfinite(number):
            raise FloatingPointError(
                f"fit: the loss became {number} in epoch {state.epoch}, batch {state.batch}; look for NaN or huge values in X "
                f"and y, lower the learning rate (now {state.optimizer.current_lr():g}), or clip the gradient (clip_norm)"
            )
        count = len(batch.X)
        total, rows = total + number * count, rows + count
        _call(state, "on_batch_end")
    state.logs["loss"] = total / rows
    state.logs["seconds"] = time.perf_counter() - start


def _call(state: TrainState, hook: str) -> None:
    for callback in state.callbacks:
        getattr(callback, hook)(state)
