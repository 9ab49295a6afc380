"""Losses for training: ``loss(output, y, w)`` returns one number, the mean over all labels of weight times loss.

A loss of single labels, such as `L2Loss`, has a value for each sample and task. A loss of vectors, such as
`EuclideanLoss`, has one for each row of its last axis. ``reduction`` and ``outputs`` say what becomes of these values; the
page docs/losses.md lists all losses with formula and source.

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
from .._internal.registry import Bool, Number, Str
from .._internal.settings import Declared, Settings
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..backends import Backend, backend_of, is_device_array, to_device_of, to_host
from . import functional
from .functional.losses import WithSlope, mean_loss


class _Choice(Str):
    """A choice that a later version added; the config of a loss with its default is that of earlier versions."""

    def __init__(self, *choices: str) -> None:
        super().__init__(choices, optional=True)
        self.default = choices[0]

    def writes(self, value: Any) -> bool:
        return bool(value != self.default)


_REDUCTION = _Choice("mean", "sum", "none")
_OUTPUTS = _Choice("mean", "sum")


class Loss(Declared):
    """The base of the losses, which brings labels and weights into the shape and dtype of the output.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        The mean over the samples, which is what training takes; their sum; or the value of each label (of losses of vectors,
        of each row).
    """

    settings = Settings(reduction=_REDUCTION, outputs=_OUTPUTS)
    reduction = "mean"
    outputs = "mean"

    def __init__(self, reduction: str = "mean") -> None:
        self._set(locals())

    def __call__(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None = None) -> Tensor:
        value = self.elementwise(output, y, w)
        if self.outputs == "sum" and value.ndim > 1:
            value = value.sum(tuple(range(1, value.ndim)))
        if self.reduction == "mean":
            return mean_loss(value)
        return value.sum() if self.reduction == "sum" else value

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


class ElementwiseLoss(Loss):
    """The base of losses whose value is computed from one output and one label, which have one shape.

    Labels may lack a last axis of 1. Weights have that shape too, or are one for each sample.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        See `Loss`.
    outputs : {"mean", "sum"}
        Whether the value of a sample is the mean over its outputs, or the sum; with ``reduction="none"`` and "mean", the
        values of all outputs remain.
    """

    def __init__(self, reduction: str = "mean", outputs: str = "mean") -> None:
        self._set(locals())

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        labels, weights = _like("y", y, output), _weights(w, output)
        if weights is not None:
            labels = backend_of(labels, weights).masked(labels, weights)  # a missing label may be NaN
        return self._weighted(output, labels, weights)

    def _weighted(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        value = self.value(output, y)
        return value if w is None else value * w

    def value(self, output: Tensor, y: NDArray[Any]) -> Tensor:
        """Return the loss of each label, without its weight."""
        raise TypeError(f"{type(self).__name__} has no value method")


class _Sloped(ElementwiseLoss):
    """A loss of single labels that computes its slope beside its value, one operation on the tape."""

    def value(self, output: Tensor, y: NDArray[Any]) -> Tensor:
        return self._weighted(output, y, None)

    def _weighted(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        return WithSlope.apply(output, pair=self._pair, labels=y, weights=w)

    def _pair(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        value, slope = self.slopes(xp, x, y)
        return (value, slope) if w is None else (xp.multiply(value, w), xp.multiply(slope, w))

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        """Return value and slope of each label, as arrays of the backend."""
        raise TypeError(f"{type(self).__name__} has no slopes method")


class SigmoidCrossEntropy(ElementwiseLoss):
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


class L2Loss(ElementwiseLoss):
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


class L1Loss(_Sloped):
    """The mean absolute error; output and labels have one shape (labels may lack a last axis of 1).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.L1Loss()(ct.Tensor(np.zeros((2, 1), np.float32)), np.array([1.0, 3.0])).item()
    2.0
    """

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        apart = xp.subtract(x, y)
        return xp.absolute(apart), xp.sign(apart)


class HuberLoss(_Sloped):
    """Half the squared error up to a distance of ``delta``, and ``delta * (distance - delta / 2)`` beyond.

    Parameters
    ----------
    reduction, outputs
        See `ElementwiseLoss`.
    delta : float
        Above 0.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.HuberLoss()(ct.Tensor(np.zeros((2, 1), np.float32)), np.array([0.5, 3.0])).item()
    1.3125
    """

    settings = ElementwiseLoss.settings | Settings(delta=Number(above=0))

    def __init__(self, reduction: str = "mean", outputs: str = "mean", delta: float = 1.0) -> None:
        self._set(locals())

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        most = x.dtype.type(self.delta)
        apart = xp.subtract(x, y)
        near = xp.maximum(xp.minimum(apart, most), -most)
        return xp.multiply(near, xp.subtract(apart, xp.multiply(near, _half(x)))), near

    delta: float


class HingeLoss(_Sloped):
    """``max(0, 1 - y * output)`` for two classes, whose labels are -1 and 1, or 0 and 1; the output is a score around 0.

    References
    ----------
    Cortes and Vapnik, "Support-vector networks", Machine Learning 20 (1995).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.HingeLoss()(ct.Tensor(np.array([[0.5], [-2.0]])), np.array([1.0, 0.0])).item()
    0.25
    """

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        side, short = self._short(xp, x, y)
        return short, xp.negative(xp.multiply(side, xp.sign(short)))

    def _short(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        """Return labels of -1 and 1, and how far each output is from 1 on their side."""
        side = xp.sign(xp.subtract(xp.add(y, y), _one(x)))
        return side, xp.maximum(xp.subtract(_one(x), xp.multiply(x, side)), x.dtype.type(0))


class SquaredHingeLoss(HingeLoss):
    """The square of `HingeLoss`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.SquaredHingeLoss()(ct.Tensor(np.array([[0.5], [-2.0]])), np.array([1.0, 0.0])).item()
    0.125
    """

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        side, short = self._short(xp, x, y)
        return xp.multiply(short, short), xp.negative(xp.multiply(side, xp.add(short, short)))


class PoissonLoss(_Sloped):
    """The likelihood of counts: ``output - y * log(output)``, where the output is the expected count.

    It is the negative logarithm of the likelihood without ``log(y!)``, which no net changes. An expected count below 1e-12 is
    read as 1e-12 in the logarithm.

    Parameters
    ----------
    reduction, outputs
        See `ElementwiseLoss`.
    log_output : bool
        Whether the output is the logarithm of the expected count; then it may be any number.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.PoissonLoss(log_output=True)(ct.Tensor(np.zeros((2, 1))), np.array([0.0, 3.0])).item()
    1.0
    """

    settings = ElementwiseLoss.settings | Settings(log_output=Bool())

    def __init__(self, reduction: str = "mean", outputs: str = "mean", log_output: bool = False) -> None:
        self._set(locals())

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        if self.log_output:
            count = ops.exp(x)
            return xp.subtract(count, xp.multiply(x, y)), xp.subtract(count, y)
        count = _floored(xp, x)
        return xp.subtract(x, xp.multiply(y, ops.log(count))), xp.subtract(_one(x), xp.divide(y, count))

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return ops.exp(output) if self.log_output else output

    log_output: bool


class BinaryCrossEntropyLoss(_Sloped):
    """``-(y log p + (1 - y) log(1 - p))``, where the output is a probability p, and labels are from 0 to 1.

    A probability below 1e-12 is read as 1e-12 in a logarithm. `SigmoidCrossEntropy` takes logits, and is more exact.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.BinaryCrossEntropyLoss()(ct.Tensor(np.full((2, 1), 0.5)), np.array([0.0, 1.0])).item()
    0.6931471805599453
    """

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        other = xp.subtract(_one(x), y)
        p, q = _floored(xp, x), _floored(xp, xp.subtract(_one(x), x))
        value = xp.add(xp.multiply(y, ops.log(p)), xp.multiply(other, ops.log(q)))
        return xp.negative(value), xp.subtract(xp.divide(other, q), xp.divide(y, p))


class FocalLoss(_Sloped):
    """`SigmoidCrossEntropy` times ``(1 - p)**gamma``, where p is the probability that the net gives the label.

    Labels that the net has right count for less, which is for rare classes.

    Parameters
    ----------
    reduction, outputs
        See `ElementwiseLoss`.
    gamma : float
        0 or more; 0 gives the cross-entropy.
    alpha : float, optional
        From 0 to 1: the weight of label 1, while label 0 has ``1 - alpha``.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> round(ct.nn.losses.FocalLoss()(ct.Tensor(np.zeros((2, 1))), np.array([0.0, 1.0])).item(), 6)
    0.173287
    """

    settings = ElementwiseLoss.settings | Settings(
        gamma=Number(at_least=0), alpha=Number(at_least=0, at_most=1, none=True)
    )

    def __init__(
        self, reduction: str = "mean", outputs: str = "mean", gamma: float = 2.0, alpha: float | None = None
    ) -> None:
        self._set(locals())

    def slopes(self, xp: Backend, x: Any, y: Any) -> tuple[Any, Any]:
        one, gamma = _one(x), x.dtype.type(self.gamma)
        other, p = xp.subtract(one, y), ops.sigmoid(x)
        q = xp.subtract(one, p)
        missed = _floored(xp, xp.add(xp.multiply(p, other), xp.multiply(q, y)))
        entropy, factor = ops.sigmoid_cross_entropy(x, y), xp.power(missed, gamma)
        grows = xp.multiply(xp.multiply(p, q), xp.subtract(other, y))  # the slope of missed
        slope = xp.multiply(xp.multiply(xp.multiply(gamma, xp.divide(factor, missed)), grows), entropy)
        slope = xp.add(slope, xp.multiply(factor, xp.subtract(p, y)))
        value = xp.multiply(factor, entropy)
        if self.alpha is None:
            return value, slope
        share = xp.add(xp.multiply(y, x.dtype.type(self.alpha)), xp.multiply(other, x.dtype.type(1 - self.alpha)))
        return xp.multiply(share, value), xp.multiply(share, slope)

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return ops.sigmoid(output)

    gamma: float
    alpha: float | None


class CensoredLoss(ElementwiseLoss):
    """The squared distance from the output to an interval, for measurements that are known only as above or below a number.

    The output is (..., T), and labels (..., 2, T) are lower and upper bounds: equal ones for an exact measurement. A bound
    that does not exist is infinite, or NaN with weight 0. Weights have the shape of the labels, or that of the output.

    References
    ----------
    Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26 (1958).

    Examples
    --------
    "below 1", "exactly 3" and "above 5", for a prediction of 4 each:

    >>> import numpy as np, catalase as ct
    >>> y = np.array([[[-np.inf], [1.0]], [[3.0], [3.0]], [[5.0], [np.inf]]])
    >>> ct.nn.losses.CensoredLoss(reduction="none")(ct.Tensor(np.full((3, 1), 4.0)), y).numpy().ravel()
    array([9., 1., 1.])
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        if not output.ndim:
            raise ValueError("loss: output must be (..., T), got shape ()")
        shape = _bounds(output.shape)
        if w is not None and not (is_device_array(w) and w.shape == shape):
            w = self._both(w, shape)
        bounds, weights = _like("y", y, output, shape), None if w is None else _like("w", w, output, shape)
        if weights is not None:
            bounds = backend_of(bounds, weights).masked(bounds, weights)
        return WithSlope.apply(output, pair=self._pair, labels=bounds, weights=weights)

    def _pair(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        zero = x.dtype.type(0)
        below = once = xp.maximum(xp.subtract(y[..., 0, :], x), zero)
        above = more = xp.maximum(xp.subtract(x, y[..., 1, :]), zero)
        if w is not None:
            once, more = xp.multiply(below, w[..., 0, :]), xp.multiply(above, w[..., 1, :])
        slope = xp.subtract(more, once)
        return xp.add(xp.multiply(below, once), xp.multiply(above, more)), xp.add(slope, slope)

    def prepared(self, shape: tuple[int, ...], y: Any, w: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return super().prepared(_bounds(shape), y, None if w is None else self._both(w, _bounds(shape)))

    def _both(self, w: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return weights for both bounds."""
        w = _numbers("w", w)
        return w if w.shape == shape or w.ndim < len(shape) - 1 else np.expand_dims(w, -2)


def _bounds(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-1], 2, *shape[-1:])


class VectorLoss(Loss):
    """The base of losses of vectors, along the last axis: output and labels are (..., C), and a value belongs to a row.

    Weights are one for each row, or one for each number.
    """

    def elementwise(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        output = as_tensor("loss", "output", output)
        if not output.ndim or not output.shape[-1]:
            raise ValueError(f"loss: output must be (..., C), with a column at least, got shape {output.shape}")
        labels, weights = self._labels(output, y, w)
        if weights is not None:
            labels = backend_of(labels, weights).masked(labels, weights)
        return self.rows(output, labels, weights)

    def _labels(self, output: Tensor, y: Any, w: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return _like("y", y, output), _weights(w, output)

    def rows(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        """Return the loss of each row; where the weight is 0, the label is 0."""
        raise TypeError(f"{type(self).__name__} has no rows method")


class _SlopedVector(VectorLoss):
    """A loss of vectors that computes its slope beside its value, one operation on the tape."""

    def rows(self, output: Tensor, y: NDArray[Any], w: NDArray[Any] | None) -> Tensor:
        return WithSlope.apply(output, pair=self.slopes, labels=y, weights=w)

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        """Return the value of each row, and its slope by each number, as arrays of the backend."""
        raise TypeError(f"{type(self).__name__} has no slopes method")


def _one(x: Any) -> Any:
    return x.dtype.type(1)


def _half(x: Any) -> Any:
    return x.dtype.type(0.5)


def _floored(xp: Backend, p: Any) -> Any:
    """Return probabilities, the small ones as the least of which a logarithm is taken."""
    return xp.maximum(p, p.dtype.type(_FLOOR))


_FLOOR = 1e-12


class EuclideanLoss(_SlopedVector):
    """The distance ``sqrt(sum_c (w_c (output_c - y_c))**2)``; its gradient is 0 where the distance is.

    Weights multiply the differences, so that equal ones multiply the distance.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.EuclideanLoss()(ct.Tensor(np.zeros((2, 2))), np.array([[3.0, 4.0], [0.0, 0.0]])).item()
    2.5
    """

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        apart = xp.subtract(x, y)
        apart = apart if w is None else xp.multiply(apart, w)
        length = xp.sqrt(xp.sum(xp.multiply(apart, apart), -1, True))
        slope = xp.divide(apart, xp.add(length, xp.equal(length, 0.0)))
        return xp.reshape(length, x.shape[:-1]), slope if w is None else xp.multiply(slope, w)


class HellingerLoss(_SlopedVector):
    r"""The sum of squared differences of roots, for probabilities:

    .. math:: \frac{1}{n \sqrt 2} \sum_i \sum_j (\sqrt{p_{ij}} - \sqrt{y_{ij}})^2

    n counts the samples. A probability below 0 is read as 0. The gradient at a probability below 1e-12 is that at 1e-12.

    References
    ----------
    Hellinger, "Neue Begruendung der Theorie quadratischer Formen", Journal fuer die reine und angewandte Mathematik 136 (1909).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.HellingerLoss()
    >>> round(loss(ct.Tensor(np.array([[0.25, 0.75]])), np.array([[1.0, 0.0]])).item(), 6)
    0.707107
    """

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        zero, factor = x.dtype.type(0), x.dtype.type(math.sqrt(0.5))
        root = xp.sqrt(xp.maximum(x, zero))
        apart = xp.subtract(root, xp.sqrt(xp.maximum(y, zero)))
        times = xp.multiply(apart, factor)
        times = times if w is None else xp.multiply(times, w)
        return xp.sum(xp.multiply(times, apart), -1), xp.divide(
            times, xp.maximum(root, x.dtype.type(math.sqrt(_FLOOR)))
        )


class KLDivergenceLoss(_SlopedVector):
    """The divergence of the labels from the output, both probabilities: ``sum_c y_c log(y_c / p_c)``.

    A term with label 0 is 0. A probability of the output below 1e-12 is read as 1e-12.

    References
    ----------
    Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22 (1951).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.KLDivergenceLoss()
    >>> round(loss(ct.Tensor(np.array([[0.25, 0.75]])), np.array([[1.0, 0.0]])).item(), 6)
    1.386294
    """

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        p, share = _floored(xp, x), y if w is None else xp.multiply(y, w)
        value = xp.multiply(share, xp.subtract(xp.log_or_zero(y), ops.log(p)))
        return xp.sum(value, -1), xp.negative(xp.divide(share, p))


class CosineLoss(_SlopedVector):
    """1 less the cosine of the angle between output and label, times the largest weight of the row.

    A number of weight 0 is left out of both vectors. A length below 1e-8 is read as 1e-8.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.losses.CosineLoss()(ct.Tensor(np.array([[1.0, 0.0]])), np.array([[0.0, 2.0]])).item()
    1.0
    """

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        most = None if w is None else xp.max(w, -1, True)
        x = x if w is None else xp.multiply(x, xp.sign(w))
        length, of_y = (xp.sqrt(xp.sum(xp.multiply(v, v), -1, True)) for v in (x, y))
        least = x.dtype.type(1e-8)
        size, of_y = xp.maximum(length, least), xp.maximum(of_y, least)
        unit, label = xp.divide(x, size), xp.divide(y, of_y)
        cosine = xp.sum(xp.multiply(unit, label), -1, True)
        turned = xp.multiply(xp.multiply(cosine, xp.equal(size, length)), unit)
        value, slope = xp.subtract(_one(x), cosine), xp.divide(xp.subtract(turned, label), size)
        if most is not None:
            value, slope = xp.multiply(value, most), xp.multiply(slope, xp.multiply(xp.sign(w), most))
        return xp.reshape(value, x.shape[:-1]), slope


class CrossEntropyLoss(_SlopedVector):
    """``-sum_c y_c log p_c``, where the output (..., C) holds probabilities.

    Labels are class numbers (...), or probabilities (..., C). A probability of the output below 1e-12 is read as 1e-12.
    `SoftmaxCrossEntropy` takes logits, and is more exact.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.CrossEntropyLoss()
    >>> round(loss(ct.Tensor(np.array([[0.25, 0.75], [0.5, 0.5]])), np.array([0, 1])).item(), 6)
    1.039721
    """

    def _labels(self, output: Tensor, y: Any, w: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        if is_device_array(y) and (y.dtype, y.shape) == (output.dtype, output.shape):  # one-hot rows
            return y, _weights(w, output)
        labels, weights = self.prepared(output.shape, y, w, output.dtype)
        return to_device_of(labels, output.data), None if weights is None else to_device_of(weights, output.data)

    def prepared(
        self, shape: tuple[int, ...], y: Any, w: Any, dtype: Any = np.float32
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        y, dtype = _numbers("y", to_host(y)), np.dtype(dtype)
        weights = None if w is None else _fitted("w", to_host(w), shape, dtype)
        if self.takes_rows and y.shape == shape:
            return _fitted("y", y, shape, dtype), weights
        rows = shape[:-1]
        if y.size != math.prod(rows) or y.shape[:1] != rows[:1]:
            raise ValueError(
                f"loss: y must have shape {rows}{f' or {shape}' if self.takes_rows else ''}, got {y.shape}"
            )
        known = None if weights is None else weights.max(-1)
        numbers = class_numbers(y.reshape(rows), known)
        _check_classes(numbers, known, shape[-1])
        return (numbers[..., None] == np.arange(shape[-1])).astype(dtype), weights

    takes_rows = True

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        p, share = _floored(xp, x), xp.negative(y if w is None else xp.multiply(y, w))
        return xp.sum(xp.multiply(share, ops.log(p)), -1), xp.divide(share, p)


class SparseCrossEntropyLoss(CrossEntropyLoss):
    """`CrossEntropyLoss` of class numbers alone: the output holds probabilities (..., C), labels are (...).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.SparseCrossEntropyLoss()
    >>> round(loss(ct.Tensor(np.array([[0.25, 0.75], [0.5, 0.5]])), np.array([0, 1])).item(), 6)
    1.039721
    """

    takes_rows = False


class NegativeLogLikelihoodLoss(CrossEntropyLoss):
    """``-sum_c y_c output_c``, where the output (..., C) holds logarithms of probabilities; labels as `CrossEntropyLoss`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> loss = ct.nn.losses.NegativeLogLikelihoodLoss()
    >>> round(loss(ct.Tensor(np.log([[0.25, 0.75], [0.5, 0.5]])), np.array([0, 1])).item(), 6)
    1.039721
    """

    def slopes(self, xp: Backend, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        share = xp.negative(y if w is None else xp.multiply(y, w))
        return xp.sum(xp.multiply(share, x), -1), share

    def prediction(self, output: NDArray[Any]) -> NDArray[Any]:
        return ops.exp(output)


class GaussianNLL(ElementwiseLoss):
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


# DeepChem's names for losses of the same values.
BinaryCrossEntropy = BinaryCrossEntropyLoss
CategoricalCrossEntropy = CrossEntropyLoss
SparseSoftmaxCrossEntropy = SoftmaxCrossEntropy
