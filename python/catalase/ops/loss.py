"""Weighted losses without reduction, forward and backward. A label of weight 0 is ignored, whatever its value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..backends import Backend, is_device_array, same_backend
from .checks import floats, numpy_array

# The kernel's number, and the names of the arguments.
_SIGMOID = _core.LOSSES["sigmoid"], "logits", "labels"
_SQUARED = _core.LOSSES["squared"], "pred", "target"

__all__ = [
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "squared_error",
    "squared_error_backward",
]


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
        Same dtype as ``logits``; ones by default. A label of weight 0 may have any value, also NaN or -1.

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
        The arguments of `softmax_cross_entropy`.

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
    return _softmax_loss("softmax_cross_entropy_backward", dloss, logits, labels, weights, backward=True)


def sigmoid_cross_entropy(
    logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``-weight * (z log s + (1 - z) log (1 - s))``, ``s = sigmoid(logits)``, for each element.

    Parameters
    ----------
    logits, labels, weights : ndarray
        Equal shapes and dtypes, float32 or float64; labels from 0 to 1. Weights default to ones; 0 ignores a label.

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
    """Return ``dloss * weight * (sigmoid(logits) - labels)``. Parameters and errors are those of `sigmoid_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.sigmoid_cross_entropy_backward(np.ones(1), np.zeros(1), np.ones(1))
    array([-0.5])
    """
    return _elementwise_loss("sigmoid_cross_entropy_backward", _SIGMOID, dloss, logits, labels, weights, backward=True)


def squared_error(pred: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``weight * (pred - target)**2`` for each element. Parameters and errors are those of `sigmoid_cross_entropy`.

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
    """Return ``2 * dloss * weight * (pred - target)``. Parameters and errors are those of `sigmoid_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.squared_error_backward(np.ones(1), np.array([3.0]), np.array([1.0]))
    array([4.])
    """
    return _elementwise_loss("squared_error_backward", _SQUARED, dloss, pred, target, weights, backward=True)


def _check_shape(function: str, name: str, x: NDArray[Any] | None, shape: tuple[int, ...], reference: str) -> None:
    if x is not None and x.shape != shape:
        raise ValueError(f"{function}: {name} must have shape {shape} beside these {reference}, got {x.shape}")


def _softmax_loss(
    function: str,
    dloss: NDArray[Any] | None,
    logits: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[Any] | None,
    backward: bool = False,
) -> NDArray[Any]:
    if type(labels) is not np.ndarray and not is_device_array(labels):
        labels = numpy_array(function, "labels", labels)
    given = {"logits": logits, "weights": weights, "dloss": dloss}
    optional = ("weights",) if backward else ("weights", "dloss")
    is_class = labels.dtype.kind in "iu"
    if is_class:
        backend, logits, weights, dloss = floats(function, optional=optional, **given)
    else:
        backend, logits, weights, dloss, labels = floats(function, optional=optional, **given, labels=labels)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{function}: logits must have at least one class on the last axis, got shape {logits.shape}")
    rows = logits.shape[:-1]
    for name, x in (("weights", weights), ("dloss", dloss)):
        if x is not None and x.shape != rows:
            _check_shape(function, name, x, rows, "logits")
    if is_class:
        return backend.softmax_loss(
            logits, _class_numbers(function, backend, labels, rows, logits.shape[-1], weights), None, weights, dloss
        )
    _check_shape(function, "labels", labels, logits.shape, "logits")
    return backend.softmax_loss(logits, None, labels, weights, dloss)


def _class_numbers(
    function: str, backend: Backend, labels: Any, rows: tuple[int, ...], classes: int, w: NDArray[Any] | None
) -> Any:
    """Return class numbers as int64, after a check of those with a weight. Numbers on a device are not checked."""
    if not backend.is_host:
        same_backend(function, labels=labels, weights=w)
        if labels.dtype != np.int64 or labels.shape != rows:
            raise ValueError(
                f"{function}: class numbers must be int64 of shape {rows} on CUDA, got {labels.dtype} {labels.shape}; "
                "use labels.astype('int64')"
            )
        return labels
    if labels.shape != rows:
        raise ValueError(
            f"{function}: labels must have shape {rows} (class numbers) beside these logits, got {labels.shape}"
        )
    numbers = np.ascontiguousarray(labels, np.int64)
    if numbers.view(np.uint64).max(initial=0) < classes:  # one comparison suffices if all are right
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
    kind: tuple[int, str, str],
    dloss: NDArray[Any] | None,
    logits: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[Any] | None,
    backward: bool = False,
) -> NDArray[Any]:
    code, first, second = kind
    given = {first: logits, second: labels, "weights": weights, "dloss": dloss}
    optional = ("weights",) if backward else ("weights", "dloss")
    backend, logits, labels, weights, dloss = floats(function, optional=optional, **given)
    if labels.shape != logits.shape:
        raise ValueError(f"{function}: {first} and {second} must have equal shapes, got {logits.shape}, {labels.shape}")
    _check_shape(function, "weights", weights, logits.shape, first)
    _check_shape(function, "dloss", dloss, logits.shape, first)
    return backend.elementwise_loss(code, logits, labels, weights, dloss)
