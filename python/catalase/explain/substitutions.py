"""What a prediction loses without a part of its input: occlusion, and all substitutions of a sequence."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.numbers import number, whole_number
from ..autograd import Tensor, no_grad
from ..models import CNN
from ..trans import undo_transforms
from .gradients import rows_of_x
from .target import Target

_ROWS = 20_000  # changed inputs that are made at a time
_SEQUENCES = 1000  # whose substitutions are computed together
_PATCHES = 5000  # substitutions of which the changed outputs are computed together


def occlusion(
    model: Any,
    X: Any,
    window: int = 1,
    task: int = 0,
    *,
    label: int | None = None,
    stride: int = 1,
    fill: float = 0.0,
) -> NDArray[np.float64]:
    """Return what the prediction loses where a window of the input is replaced.

    Parameters
    ----------
    model : Model
    X : array_like, shape (N, L, C) or (N, H, W, C)
        Sequences or images, as `Model.predict` takes them; all channels are replaced together.
    window : int
        Its length on each axis.
    task, label
        As for `saliency`.
    stride : int
        Steps of the window; at most ``window``, so that every position is covered.
    fill : float
        What the window is filled with.

    Returns
    -------
    ndarray of float64, shape (N, L) or (N, H, W)
        The prediction less that of the replaced input: the mean over all windows that cover a position.

    Raises
    ------
    TypeError, ValueError
        As `saliency`, and for windows that do not fit.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv:1311.2901.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> model = ct.models.CNN(1, 1, 2, layer_filters=[4], kernel_size=3, seed=0)
    >>> ct.explain.occlusion(model, np.ones((1, 8, 8, 1), np.float32), window=2).shape
    (1, 8, 8)
    """
    where = "occlusion"
    target = Target(where, model, task, label)
    X = rows_of_x(where, X)
    if X.ndim not in (3, 4):
        raise ValueError(f"{where}: X must have shape (N, L, C) or (N, H, W, C), got {X.shape}")
    grid = X.shape[1:-1]
    window = whole_number(where, "window", window, 1, min(grid))
    stride = whole_number(where, "stride", stride, 1, window)
    fill = number(where, "fill", fill, at_least=-1e30, below=1e30)
    if X.dtype.kind in "iu" and not (fill.is_integer() and np.iinfo(X.dtype).min <= fill <= np.iinfo(X.dtype).max):
        raise ValueError(f"{where}: fill must be a number that X can hold, which is {X.dtype}, got {fill:g}")
    starts = [np.unique([*range(0, size - window + 1, stride), size - window]) for size in grid]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(grid))
    places = [tuple(slice(int(c), int(c) + window) for c in corner) for corner in corners]
    scores = target.scores(X)
    total, covered = np.zeros(X.shape[:-1]), np.zeros(grid)
    for place in places:
        covered[place] += 1
    for row, score in enumerate(scores.tolist()):
        for first in range(0, len(places), _ROWS):
            some = places[first : first + _ROWS]
            changed = np.repeat(X[row : row + 1], len(some), axis=0)
            for one, place in zip(changed, some, strict=True):
                one[place] = fill
            for place, without in zip(some, target.scores(changed).tolist(), strict=True):
                total[row][place] += score - without
    return np.asarray(total / covered)


def mutagenesis(model: Any, X: Any, task: int = 0, *, label: int | None = None) -> NDArray[np.float64]:
    """Return how the prediction changes with each substitution in each position of sequences.

    Parameters
    ----------
    model : Model
    X : array_like, shape (N, L, C)
        One-hot sequences, such as DNA of `catalase.ops.one_hot_dna` with four letters, or proteins with twenty. A position
        of zeros has no letter.
    task, label
        As for `saliency`.

    Returns
    -------
    ndarray of float64, shape (N, L, C)
        The prediction with the letter in that position less that of the sequence; 0 for the letter that is there. The
        importance of a position is ``-found.sum(axis=2) / (C - 1)``.

    Raises
    ------
    TypeError, ValueError
        As `saliency`, and for rows that are not one-hot.

    Notes
    -----
    All substitutions of many sequences are predicted in batches. Of a `CNN` with stride 1 and without residual blocks only
    the outputs of convolutions that see the position are computed again, where these are few enough; with the pool "max"
    the bits are those of whole predictions.

    Examples
    --------
    >>> import catalase as ct
    >>> X = ct.ops.one_hot_dna(["ACGTACGT"])
    >>> model = ct.models.CNN(1, 4, 1, layer_filters=[4], kernel_size=3, seed=0)
    >>> ct.explain.mutagenesis(model, X).shape
    (1, 8, 4)
    """
    where = "mutagenesis"
    target = Target(where, model, task, label)
    X = rows_of_x(where, X)
    if X.ndim != 3:
        raise ValueError(f"{where}: X must have shape (N, L, C), got {X.shape}")
    check_one_hot(where, X)
    found = np.zeros(X.shape)
    for first in range(0, len(X), _SEQUENCES):
        found[first : first + _SEQUENCES] = _substituted(target, X[first : first + _SEQUENCES])
    return found


def _substituted(target: Target, X: NDArray[Any]) -> NDArray[np.float64]:
    """Return what each letter changes in each position of some sequences."""
    row, place, letter = np.nonzero(X == 0)
    scores, found = target.scores(X), np.zeros(X.shape)
    patches = _Patches.of(target, X)
    for first in range(0, len(row), _ROWS):
        some = slice(first, first + _ROWS)
        if patches is not None:
            without = patches.scores(row[some], place[some], letter[some])
        else:
            changed = X[row[some]]
            at = np.arange(len(changed))
            changed[at, place[some]] = 0
            changed[at, place[some], letter[some]] = 1
            without = target.scores(changed)
        found[row[some], place[some], letter[some]] = without - scores[row[some]]
    return found


class _Patches:
    """Substitutions in sequences of which a `CNN` computes only what they change.

    A position is seen by as many outputs of a convolution as its kernel has letters; those are seen by more outputs of the
    next one, and so on. Each convolution computes the outputs that change, from those of the one before and the known ones
    around them. The pool joins what changes with the outputs before and behind, which are known.
    """

    def __init__(self, target: Target, X: NDArray[Any]) -> None:
        self.target = target
        layers = target.model.module.layers
        pool = next(i for i, layer in enumerate(layers) if isinstance(layer, (nn.GlobalMaxPool, nn.GlobalAvgPool)))
        starts = [*(i for i in range(pool) if isinstance(layers[i], nn.Conv1D)), pool]
        known, width = np.asarray(X, np.float32), 1
        self.stages: list[_Stage] = []
        for start, end in itertools.pairwise(starts):
            inputs, known = known, self._through(layers[start:end], known)
            self.stages.append(_Stage(layers[start:end], inputs, width, known.shape[1]))
            width += self.stages[-1].around
        self.behind, self.max, self.count = (
            layers[pool + 1 :],
            isinstance(layers[pool], nn.GlobalMaxPool),
            known.shape[1],
        )
        edge = np.full((len(X), 1, known.shape[2]), -np.inf if self.max else 0.0, known.dtype)
        join = np.maximum if self.max else np.add
        self.left = np.concatenate([edge, join.accumulate(known, axis=1)], axis=1)
        self.right = np.concatenate([join.accumulate(known[:, ::-1], axis=1)[:, ::-1], edge], axis=1)

    @classmethod
    def of(cls, target: Target, X: NDArray[Any]) -> _Patches | None:
        """Return the patches; None for models, or short sequences, that are computed whole."""
        model = target.model
        if not isinstance(model, CNN) or (model.dims, model.device) != (1, "cpu") or model.residual:
            return None
        changed = 1 + np.cumsum(np.ravel(model.kernel_size) - 1)  # outputs of each convolution
        whole = (np.ravel(model.strides) != 1).any() or 4 * changed.sum() > 3 * len(changed) * X.shape[1]
        return None if whole else cls(target, X)

    def _through(self, layers: Any, x: NDArray[Any]) -> NDArray[np.float32]:
        with nn.inference(), no_grad():
            rows = Tensor(np.ascontiguousarray(x, np.float32))
            for layer in layers:
                rows = layer(rows)
            return rows.numpy()

    def scores(self, row: NDArray[Any], place: NDArray[Any], letter: NDArray[Any]) -> NDArray[np.float64]:
        """Return the scores of rows with a letter in a place."""
        parts = [slice(first, first + _PATCHES) for first in range(0, len(row), _PATCHES)]
        pooled = np.concatenate([self._pooled(row[some], place[some], letter[some]) for some in parts])
        model = self.target.model
        output = self._through(self.behind, pooled).reshape(len(row), *model.module.shape)
        raw = model._output(Tensor(output))
        return self.target._chosen(
            np.asarray(raw if self.target.logits else undo_transforms(raw, model.transformers), np.float64)
        )

    def _pooled(self, row: NDArray[Any], place: NDArray[Any], letter: NDArray[Any]) -> NDArray[np.float32]:
        changed = np.eye(self.stages[0].channels, dtype=np.float32)[letter][:, None]
        for stage in self.stages:
            place, changed = stage.changed(row, place, changed)
        behind = np.clip(place + changed.shape[1], 0, self.count)
        left, right = self.left[row, np.clip(place, 0, self.count)], self.right[row, behind]
        if not self.max:
            return np.asarray((left + changed.sum(axis=1) + right) / np.float32(self.count))
        changed[self.stages[-1].beyond(place)] = -np.inf
        return np.maximum(np.maximum(left, right), changed.max(axis=1))


class _Stage:
    """A convolution of stride 1, the layers behind it that go position by position, and the known input of both.

    Parameters
    ----------
    layers : list of Module
    inputs : ndarray of float32, shape (N, L, C)
    width : int
        How many positions of the input a substitution changes.
    outputs : int
        How many positions the output has.
    """

    def __init__(self, layers: Any, inputs: NDArray[np.float32], width: int, outputs: int) -> None:
        self.conv, self.behind, self.width, self.outputs = layers[0], layers[1:], width, outputs
        self.around, self.channels = self.conv.kernel_size[0] - 1, inputs.shape[2]
        self.ahead = self.around - (self.around // 2 if self.conv.padding == "same" else 0)
        self.margin = width + self.around
        padded = np.pad(inputs, ((0, 0), (self.margin, self.margin), (0, 0))).reshape(len(inputs), -1)
        length = (width + 2 * self.around) * self.channels
        self.patches = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)

    def changed(
        self, row: NDArray[Any], first: NDArray[Any], values: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the first output of each row that changes, and the outputs from there on: 0 beyond the ends.

        ``values`` are the inputs from ``first`` on, (rows, width, C).
        """
        start = first - self.around + self.margin
        patches = self.patches[row, start * self.channels].reshape(len(row), -1, self.channels)
        patches[:, self.around : self.around + self.width] = values
        with nn.inference(), no_grad():
            options = self.conv.options() | {"padding": "valid"}
            made = nn.functional.conv1d(Tensor(patches), self.conv.w, self.conv.b, **options)
            for layer in self.behind:
                made = layer(made)
        found, first = made.numpy(), first - self.ahead
        found[self.beyond(first)] = 0
        return first, found

    def beyond(self, first: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which outputs from ``first`` on are none, as they lie before or behind all positions."""
        places = first[:, None] + np.arange(self.width + self.around)
        return (places < 0) | (places >= self.outputs)


def check_one_hot(where: str, X: NDArray[Any]) -> None:
    """Refuse rows in whose positions there is anything but zeros and at most one 1."""
    bad = np.argwhere(((X != 0) & (X != 1)).any(axis=-1) | (X.sum(axis=-1) > 1))
    if len(bad):
        row, place = bad[0, :2].tolist()
        raise ValueError(f"{where}: X must be one-hot, but position {place} of row {row} is {X[row, place]}")
