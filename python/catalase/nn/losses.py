"""Losses for training: ``loss(output, y, w)`` returns one number, the mean over all labels of weight times loss.

``y`` and ``w`` are arrays of NumPy, or of the output's device; the latter are copied to the host and back if the kernels
cannot take them directly. A label of weight 0 (NaN too) is ignored, but counts in the mean's divisor, as in DeepChem, so
that the gradient of a label does not depend on how many other labels are missing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal import arrays as _arrays
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..backends import backend_of, is_device_array, to_device_of, to_host
from . import functional
from .functional.losses import mean_loss


class Loss:
    """The base of the losses, which brings labels and weights into the shape and dtype of the output."""

    def __call__(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None = None) -> Tensor:
        return mean_loss(self.elementwise(output, y, w))

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        """Return the weighted loss of each label, without reduction."""
        raise TypeError(f"{type(self).__name__} has no elementwise method")

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        """Return the output of a net as what the loss reads it for: probabilities where it is the logits of these."""
        return output

    def prepared(self, shape: tuple[int, ...], y: Any, w: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return NumPy's labels and weights in the form for a device, given a float32 output of this shape."""
        dtype = np.dtype(np.float32)
        return _fitted("y", y, shape, dtype), None if w is None else _fitted("w", w, shape, dtype)


def _like(name: str, array: Any, output: Tensor, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return labels or weights in the output's shape (or another) and dtype, on its device."""
    shape = output.shape if shape is None else shape
    if is_device_array(array) and array.shape == shape and array.dtype == output.dtype:
        return array
    return to_device_of(_fitted(name, array, shape, output.dtype), output.data)


def _fitted(name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = _numbers(name, array)
    if array.shape == shape:
        return array if array.dtype is dtype and array.flags.c_contiguous else _cast(name, array, dtype)
    if array.ndim < len(shape):
        array = array.reshape(array.shape + (1,) * (len(shape) - array.ndim))
    try:
        array = np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"loss: {name} of shape {array.shape} does not fit the output's {shape}") from None
    return _cast(name, array, dtype)


def _numbers(name: str, array: Any) -> NDArray[Any]:
    if type(array) is np.ndarray and array.dtype.kind in "fiub":
        return array
    return _arrays.numbers("loss", name, to_host(array))


def _cast(name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(array, dtype=dtype)
    except FloatingPointError:
        raise ValueError(f"loss: {name} holds numbers beyond the range of {np.dtype(dtype)}; scale them down") from None


def _weights(w: Any, output: Tensor) -> NDArray[Any] | None:
    return None if w is None else _like("w", w, output)


class SoftmaxCrossEntropy(Loss):
    """The cross-entropy of softmax outputs.

    The output holds logits (..., C); labels are class numbers (...), or probabilities (..., C).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.SoftmaxCrossEntropy()
    >>> round(loss(ct.Tensor(np.zeros((4, 2), np.float32)), np.array([0, 1, 1, 0])).item(), 4)
    0.6931
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = output if isinstance(output, Tensor) else as_tensor("loss", "output", output)
        logits = output.data
        if not logits.ndim or not logits.shape[-1]:
            raise ValueError(f"loss: output must be (..., C), with a class at least, got shape {logits.shape}")
        if type(logits) is np.ndarray:
            labels, weights = self.prepared(logits.shape, y, w, logits.dtype, check=False)  # the kernel checks them
            return functional.softmax_cross_entropy(output, labels, weights)
        rows = logits.shape[:-1]
        ready = is_device_array(y) and (y.dtype, y.shape) in ((np.int64, rows), (logits.dtype, logits.shape))
        if ready and (w is None or w.shape == rows):  # the kernel takes them directly
            return functional.softmax_cross_entropy(output, y, None if w is None else _like("w", w, output, rows))
        labels, weights = self.prepared(logits.shape, y, w, logits.dtype)
        weights = None if weights is None else to_device_of(weights, logits)
        return functional.softmax_cross_entropy(output, to_device_of(labels, logits), weights)

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return ops.softmax(output)

    def prepared(
        self, shape: tuple[int, ...], y: Any, w: Any, dtype: Any = np.float32, check: bool = True
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        rows = shape[:-1]
        y = _numbers("y", y)
        w = None if w is None else _numbers("w", w)
        one_hot = y.size == math.prod(shape) and y.shape[:1] == shape[:1] and y.shape[-1:] == shape[-1:]
        if one_hot and w is not None and w.shape == y.shape:
            w = np.max(w, axis=-1).reshape(rows)  # the dataset has a weight a class, the loss one a row
        weights = None if w is None else _fitted("w", w, rows, dtype)
        if one_hot:
            return _fitted("y", y.reshape(shape), shape, dtype), weights
        if y.size == math.prod(rows) and y.shape[:1] == rows[:1]:
            y = y.reshape(rows)  # y may be (N,) or (N, 1)
        if y.shape != rows:
            raise ValueError(f"loss: y must have shape {rows} or {shape}, got {y.shape}")
        labels = class_numbers(y, weights)
        if check:
            _check_classes(labels, weights, shape[-1])
        return labels, weights


def _check_classes(labels: NDArray[np.int64], weights: NDArray[Any] | None, classes: int) -> None:
    """Refuse class numbers out of range, for which a kernel on a device would return NaN."""
    wrong = (labels < 0) | (labels >= classes)
    if weights is not None:
        wrong &= weights != 0
    if wrong.any():
        raise ValueError(f"loss: labels must be class numbers from 0 to {classes - 1}, got {labels[wrong][0]}")


def class_numbers(y: NDArray[Any], weights: NDArray[Any] | None) -> NDArray[np.int64]:
    """Return labels as whole numbers; where the weight is 0, any value becomes 0."""
    if y.dtype.kind in "iub":
        return y.astype(np.int64, copy=False)
    with np.errstate(invalid="ignore"):
        numbers = y.astype(np.int64)  # NaN becomes a number, and does not equal it
    right = numbers == y
    if weights is not None:
        silent = weights == 0
        numbers[silent] = 0
        right |= silent
    if not right.all():
        bad = y[~right][0]
        raise ValueError(f"loss: labels must be class numbers, got {bad}; give a missing label the weight 0")
    return numbers


class SigmoidCrossEntropy(Loss):
    """The cross-entropy of sigmoid outputs; output and labels have one shape, and labels are from 0 to 1.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.SigmoidCrossEntropy()
    >>> round(loss(ct.Tensor(np.zeros((4, 2), np.float32)), np.ones((4, 2))).item(), 4)
    0.6931
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        return functional.sigmoid_cross_entropy(output, _like("y", y, output), _weights(w, output))

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return ops.sigmoid(output)


class L2Loss(Loss):
    """The mean squared error; output and labels have one shape (labels may lack a last axis of 1).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.L2Loss()(ct.Tensor(np.zeros((2, 1), np.float32)), np.array([1.0, 3.0])).item()
    5.0
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        return functional.squared_error(output, _like("y", y, output), _weights(w, output))


class L1Loss(Loss):
    """The mean absolute error; output and labels have one shape (labels may lack a last axis of 1).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.L1Loss()(ct.Tensor(np.zeros((2, 1), np.float32)), np.array([1.0, 3.0])).item()
    2.0
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        if w is None:
            return (output - _like("y", y, output)).abs()
        weights = _like("w", w, output)
        target = backend_of(_like("y", y, output), weights).masked(
            _like("y", y, output), weights
        )  # a missing label may be NaN
        return (output - target).abs() * weights


class GaussianNLL(Loss):
    """The likelihood of normal distributions: ``(y - mean)**2 / variance + log(variance)``, averaged.

    The output (..., 2, T) holds means and logarithms of variances; labels are (..., T). The value is twice the negative
    logarithm of the likelihood, without its constant, as in DeepChem. It is read as the means.

    References
    ----------
    Nix and Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.GaussianNLL()(ct.Tensor(np.zeros((4, 2, 1), np.float32)), np.full(4, 3.0)).item()
    9.0
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        if output.ndim < 2 or output.shape[-2] != 2:
            raise ValueError(f"loss: output must be (..., 2, T), means and log variances, got shape {output.shape}")
        mean, log_variance = output[..., 0, :], output[..., 1, :]
        weights = _weights(w, mean)
        error = functional.squared_error(mean, _like("y", y, mean), weights) * (-log_variance).exp()
        return error + (log_variance if weights is None else log_variance * weights)

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(output[..., 0, :])

    def prepared(self, shape: tuple[int, ...], y: Any, w: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return super().prepared((*shape[:-2], *shape[-1:]), y, w)
