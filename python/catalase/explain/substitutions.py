"""What a prediction loses without a part of its input: occlusion, and all substitutions of a sequence."""

from __future__ import annotations

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
    All substitutions of many sequences are predicted in batches. Of a `CNN` with stride 1 and without padding and residual
    blocks only the outputs of convolutions that see the position are computed again, with the same bits.

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
    letters = X.shape[2]
    row, place, letter = np.nonzero(X == 0)
    scores, found = target.scores(X), np.zeros(X.shape)
    patches = _Patches.of(target, X)
    for first in range(0, len(row), _ROWS):
        some = slice(first, first + _ROWS)
        if patches is not None:
            without = patches.scores(row[some], place[some], letter[some])
            found[row[some], place[some], letter[some]] = without - scores[row[some]]
            continue
        changed = X[row[some]]
        at = np.arange(len(changed))
        changed[at, place[some]] = np.zeros(letters, X.dtype)
        changed[at, place[some], letter[some]] = 1
        found[row[some], place[some], letter[some]] = target.scores(changed) - scores[row[some]]
    return found


class _Patches:
    """Substitutions in sequences of which a `CNN` computes only what they change.

    With convolutions of together K + 1 letters, a position is seen by the outputs from K before it on, which are computed
    from a patch of 2 K + 1 letters. The pool joins them with the outputs before and behind, which are known.
    """

    def __init__(self, target: Target, X: NDArray[Any], reach: int) -> None:
        self.target, self.X, self.reach = target, np.asarray(X, np.float32), reach
        layers = target.model.module.layers
        pool = next(i for i, layer in enumerate(layers) if isinstance(layer, (nn.GlobalMaxPool, nn.GlobalAvgPool)))
        self.before, self.behind, self.max = (
            layers[:pool],
            layers[pool + 1 :],
            isinstance(layers[pool], nn.GlobalMaxPool),
        )
        parts = [self._through(self.before, self.X[i : i + 1000]) for i in range(0, len(X), 1000)]
        known = np.concatenate(parts)
        edge = np.full((len(X), 1, known.shape[2]), -np.inf if self.max else 0.0, known.dtype)
        join = np.maximum if self.max else np.add
        self.count = known.shape[1]
        self.left = np.concatenate([edge, join.accumulate(known, axis=1)], axis=1)
        self.right = np.concatenate([join.accumulate(known[:, ::-1], axis=1)[:, ::-1], edge], axis=1)

    @classmethod
    def of(cls, target: Target, X: NDArray[Any]) -> _Patches | None:
        """Return the patches; None for models, or short sequences, that are computed whole."""
        model = target.model
        if not isinstance(model, CNN) or (model.dims, model.padding, model.device) != (1, "valid", "cpu"):
            return None
        kernels, strides = np.ravel(model.kernel_size), np.ravel(model.strides)
        reach = int((kernels - 1).sum())
        whole = model.residual or (strides != 1).any() or 4 * (2 * reach + 1) > 3 * X.shape[1]
        return None if whole else cls(target, X, reach)

    def _through(self, layers: Any, x: NDArray[Any]) -> NDArray[np.float32]:
        with nn.inference(), no_grad():
            rows = Tensor(np.ascontiguousarray(x, np.float32))
            for layer in layers:
                rows = layer(rows)
            return rows.numpy()

    def scores(self, row: NDArray[Any], place: NDArray[Any], letter: NDArray[Any]) -> NDArray[np.float64]:
        """Return the scores of rows with a letter in a place."""
        width, model = 2 * self.reach + 1, self.target.model
        starts = np.clip(place - self.reach, 0, self.X.shape[1] - width)
        patches = self.X[row[:, None], starts[:, None] + np.arange(width)]
        at = np.arange(len(row))
        patches[at, place - starts] = 0
        patches[at, place - starts, letter] = 1
        made = np.concatenate([self._through(self.before, patches[i : i + 5000]) for i in range(0, len(row), 5000)])
        left, right = self.left[row, starts], self.right[row, starts + self.reach + 1]
        if self.max:
            pooled = np.maximum(np.maximum(left, right), made.max(axis=1))
        else:
            pooled = (left + made.sum(axis=1) + right) / np.float32(self.count)
        output = self._through(self.behind, pooled).reshape(len(row), *model.module.shape)
        raw = model._output(Tensor(output))
        return self.target._chosen(
            np.asarray(raw if self.target.logits else undo_transforms(raw, model.transformers), np.float64)
        )


def check_one_hot(where: str, X: NDArray[Any]) -> None:
    """Refuse rows in whose positions there is anything but zeros and at most one 1."""
    bad = np.argwhere(((X != 0) & (X != 1)).any(axis=-1) | (X.sum(axis=-1) > 1))
    if len(bad):
        row, place = bad[0, :2].tolist()
        raise ValueError(f"{where}: X must be one-hot, but position {place} of row {row} is {X[row, place]}")
