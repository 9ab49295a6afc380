"""Losses with weights, not yet reduced, forward and backward. A weight of 0 silences a label, whatever it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._check import contiguous, empty, floating, is_device_array, not_numpy, same_dtype

_SOFTMAX, _SIGMOID, _SQUARED = (_core.LOSSES[name] for name in ("softmax", "sigmoid", "squared"))


def softmax_cross_entropy(
    logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``-weight * sum_c p_c log softmax(logits)_c`` for each row.

    Parameters
    ----------
    logits : ndarray, shape (..., C)
        float32 or float64, before the softmax.
    labels : ndarray of int, shape (...), or of float, shape (..., C)
        Class numbers from 0 to C - 1, or probabilities (one-hot rows among them) of the dtype of ``logits``.
    weights : ndarray, shape (...), optional
        Same dtype as ``logits``; ones if left out. Where it is 0 the label may be anything, NaN and -1 too.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    TypeError
        For other kinds or dtypes.
    ValueError
        For shapes that do not fit, or a class number outside 0..C-1 whose weight is not 0.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.softmax_cross_entropy(np.zeros((2, 2)), np.array([0, -1]), np.array([1.0, 0.0]))
    array([0.69314718, 0.        ])
    """
    return _softmax_loss("softmax_cross_entropy", None, logits, labels, weights)


def softmax_cross_entropy_backward(
    dloss: NDArray[Any], logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return the gradient at ``logits`` of `softmax_cross_entropy`: ``dloss * weight * (softmax * sum(p) - p)``.

    Parameters
    ----------
    dloss : ndarray, shape (...)
        Gradient at the loss.
    logits, labels, weights
        As given to `softmax_cross_entropy`.

    Returns
    -------
    ndarray, shape (..., C)

    Raises
    ------
    TypeError, ValueError
        As `softmax_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.softmax_cross_entropy_backward(np.ones(1), np.zeros((1, 2)), np.array([0]))
    array([[-0.5,  0.5]])
    """
    return _softmax_loss("softmax_cross_entropy_backward", dloss, logits, labels, weights)


def sigmoid_cross_entropy(
    logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``-weight * (z log s + (1 - z) log (1 - s))``, ``s = sigmoid(logits)``, for each element.

    Parameters
    ----------
    logits, labels, weights : ndarray
        Equal shapes and dtypes, float32 or float64; labels from 0 to 1. Weights default to ones; 0 silences a label.

    Returns
    -------
    ndarray
        Same shape.

    Raises
    ------
    TypeError, ValueError
        For other kinds, dtypes or shapes.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.sigmoid_cross_entropy(np.array([0.0, 5.0]), np.array([1.0, np.nan]), np.array([1.0, 0.0]))
    array([0.69314718, 0.        ])
    """
    return _elementwise_loss("sigmoid_cross_entropy", _SIGMOID, None, logits, labels, weights)


def sigmoid_cross_entropy_backward(
    dloss: NDArray[Any], logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``dloss * weight * (sigmoid(logits) - labels)``. Parameters and errors as `sigmoid_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.sigmoid_cross_entropy_backward(np.ones(1), np.zeros(1), np.ones(1))
    array([-0.5])
    """
    return _elementwise_loss("sigmoid_cross_entropy_backward", _SIGMOID, dloss, logits, labels, weights)


def squared_error(pred: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``weight * (pred - target)**2`` for each element. Parameters and errors as `sigmoid_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.squared_error(np.array([3.0]), np.array([1.0]))
    array([4.])
    """
    return _elementwise_loss("squared_error", _SQUARED, None, pred, target, weights)


def squared_error_backward(
    dloss: NDArray[Any], pred: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``2 * dloss * weight * (pred - target)``. Parameters and errors as `sigmoid_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.squared_error_backward(np.ones(1), np.array([3.0]), np.array([1.0]))
    array([4.])
    """
    return _elementwise_loss("squared_error_backward", _SQUARED, dloss, pred, target, weights)


def _optional(function: str, name: str, x: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[Any] | None:
    if x is None:
        return None
    floating(function, name, x)
    if x.shape != shape:
        raise ValueError(f"{function}: {name} must have shape {shape}, got {x.shape}")
    return contiguous(x)


def _softmax_loss(
    function: str,
    dloss: NDArray[Any] | None,
    logits: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[Any] | None,
) -> NDArray[Any]:
    if type(logits) is not np.ndarray and is_device_array(logits):
        from .._cuda import loss as device

        return device.softmax_loss(function, dloss, logits, labels, weights)
    floating(function, "logits", logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{function}: logits must have at least one class on the last axis, got shape {logits.shape}")
    rows, classes = logits.shape[:-1], logits.shape[-1]
    w = _optional(function, "weights", weights, rows)
    d = _optional(function, "dloss", dloss, rows)
    numbers = targets = None
    if not isinstance(labels, np.ndarray):
        not_numpy(function, "labels", labels)
    if labels.dtype.kind in "iu":
        numbers = _class_numbers(function, labels, rows, classes, w)
        same_dtype(function, logits=logits, weights=w, dloss=d)
    else:
        targets = _optional(function, "labels", labels, logits.shape)
        same_dtype(function, logits=logits, labels=targets, weights=w, dloss=d)
    out = empty(rows if d is None else logits.shape, logits.dtype)
    _core.loss(_SOFTMAX, contiguous(logits), numbers, targets, w, d, out, classes)
    return out


def _class_numbers(
    function: str, labels: NDArray[Any], rows: tuple[int, ...], classes: int, w: NDArray[Any] | None
) -> NDArray[np.int64]:
    """Check class numbers where they count, and give them as int64."""
    if labels.shape != rows:
        raise ValueError(f"{function}: labels must have shape {rows} (class numbers), got {labels.shape}")
    numbers = np.ascontiguousarray(labels, np.int64)
    if numbers.view(np.uint64).max(initial=0) < classes:  # one look is enough where all are right
        return numbers
    wrong = (labels < 0) | (labels >= classes)
    if w is not None:
        wrong &= w != 0
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{function}: labels must be from 0 to {classes - 1}, got {labels[at]} at {at}; "
            "give a missing label the weight 0"
        )
    return numbers


def _elementwise_loss(
    function: str,
    kind: int,
    dloss: NDArray[Any] | None,
    logits: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[Any] | None,
) -> NDArray[Any]:
    if type(logits) is not np.ndarray and is_device_array(logits):
        from .._cuda import loss as device

        return device.elementwise_loss(function, kind, dloss, logits, labels, weights)
    first, second = ("pred", "target") if kind == _SQUARED else ("logits", "labels")
    floating(function, first, logits)
    floating(function, second, labels)
    if labels.shape != logits.shape:
        raise ValueError(f"{function}: {first} and {second} must have equal shapes, got {logits.shape}, {labels.shape}")
    w = _optional(function, "weights", weights, logits.shape)
    d = _optional(function, "dloss", dloss, logits.shape)
    same_dtype(function, **{first: logits, second: labels, "weights": w, "dloss": d})
    out = empty(logits.shape, logits.dtype)
    _core.loss(kind, contiguous(logits), None, contiguous(labels), w, d, out, 1)
    return out
