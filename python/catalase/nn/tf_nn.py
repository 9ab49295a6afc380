"""The functions of TensorFlow's ``tf.nn`` that teaching texts use, with their signatures, for tensors.

They call `catalase.nn.functional`; ``from catalase.nn import tf_nn`` replaces ``tf.nn``. As in TensorFlow, images are
(N, H, W, C) and weights (H, W, I, O). Strides and window sizes have four numbers; those of batch and channels must be 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import choice, is_whole, number, shown, whole_number
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..backends import is_device_array
from ..ops.checks import same_dtype
from . import functional
from .functional import relu, sigmoid, softmax, tanh

__all__ = [
    "avg_pool",
    "bias_add",
    "conv2d",
    "dropout",
    "max_pool",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "tanh",
]


def conv2d(
    x: Tensor | NDArray[Any],
    W: Tensor | NDArray[Any],
    strides: Sequence[int] = (1, 1, 1, 1),
    padding: str = "SAME",
) -> Tensor:
    """Return the cross-correlation of images with filters; see `catalase.nn.functional.conv2d`.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, I)
    W : Tensor, shape (KH, KW, I, O)
    strides : [1, rows, columns, 1]
    padding : {"SAME", "VALID"}
    """
    x, W = as_tensor("conv2d", "x", x), as_tensor("conv2d", "W", W)
    return functional.conv2d(  # type: ignore[attr-defined, unused-ignore]
        x, W, stride=_two("conv2d", "strides", strides), padding=_padding("conv2d", padding)
    )


def bias_add(value: Tensor | NDArray[Any], bias: Tensor | NDArray[Any]) -> Tensor:
    """Add a bias to each channel.

    Parameters
    ----------
    value : Tensor, shape (..., C)
    bias : Tensor, shape (C,)

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.tf_nn.bias_add(ct.Tensor(np.zeros((1, 2))), ct.Tensor(np.array([1.0, 2.0]))).numpy()
    array([[1., 2.]])
    """
    value, bias = as_tensor("bias_add", "value", value), as_tensor("bias_add", "bias", bias)
    if bias.ndim != 1 or value.ndim < 2 or value.shape[-1] != bias.shape[0]:
        raise ValueError(f"bias_add: bias must be (C,) for a value (..., C), got {bias.shape} and {value.shape}")
    same_dtype("bias_add", value=value, bias=bias)
    return value + bias


def max_pool(
    x: Tensor, ksize: Sequence[int] = (1, 2, 2, 1), strides: Sequence[int] = (1, 2, 2, 1), padding: str = "SAME"
) -> Tensor:
    """Return the largest value of each window; see `catalase.nn.functional.max_pool2d`.

    Parameters
    ----------
    x : Tensor, shape (N, H, W, C)
    ksize, strides : [1, rows, columns, 1]
    padding : {"SAME", "VALID"}

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.tf_nn.max_pool(ct.Tensor(np.ones((1, 5, 5, 1))), [1, 2, 2, 1], [1, 2, 2, 1], "SAME").shape
    (1, 3, 3, 1)
    """
    size, stride = _two("max_pool", "ksize", ksize), _two("max_pool", "strides", strides)
    return functional.max_pool2d(
        as_tensor("max_pool", "x", x), size, stride=stride, padding=_padding("max_pool", padding)
    )


def avg_pool(
    x: Tensor, ksize: Sequence[int] = (1, 2, 2, 1), strides: Sequence[int] = (1, 2, 2, 1), padding: str = "SAME"
) -> Tensor:
    """Return the mean of each window; the arguments are those of `max_pool`."""
    size, stride = _two("avg_pool", "ksize", ksize), _two("avg_pool", "strides", strides)
    return functional.avg_pool2d(
        as_tensor("avg_pool", "x", x), size, stride=stride, padding=_padding("avg_pool", padding)
    )


def dropout(x: Tensor, keep_prob: float, seed: int | None = None) -> Tensor:
    """Keep each value with probability ``keep_prob``, scaled by 1 / ``keep_prob``, and set the others to 0.

    Parameters
    ----------
    x : Tensor
    keep_prob : float
        Above 0, up to 1 (nothing is dropped). `catalase.nn.functional.dropout` takes 1 - ``keep_prob`` instead.
    seed : int, optional
        The same seed gives the same mask; fresh entropy by default.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.tf_nn.dropout(ct.Tensor(np.ones(2)), 1.0).numpy()
    array([1., 1.])
    """
    x = as_tensor("dropout", "x", x)
    keep_prob = number("dropout", "keep_prob", keep_prob, above=0, at_most=1)
    if seed is not None:
        seed = whole_number("dropout", "seed", seed, 0, 2**64 - 1)
    if keep_prob == 1:
        return x
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    return functional.dropout(x, 1 - keep_prob, seed=seed)


def softmax_cross_entropy_with_logits(labels: NDArray[Any] | Tensor, logits: Tensor) -> Tensor:
    """Return the cross-entropy of each row; ``labels`` are probabilities of the shape of ``logits`` (..., C)."""
    name = "softmax_cross_entropy_with_logits"
    logits = as_tensor(name, "logits", logits)
    labels = labels.data if isinstance(labels, Tensor) else labels
    if not is_device_array(logits.data):
        labels = numbers(name, "labels", labels, logits.dtype)
    if labels.shape != logits.shape or not logits.ndim or not logits.shape[-1]:
        raise ValueError(
            f"{name}: labels and logits must have one shape (..., C), C at least 1, got {labels.shape} and {logits.shape}"
        )
    return functional.softmax_cross_entropy(logits, labels)


def _two(function: str, name: str, values: Sequence[int]) -> tuple[int, int]:
    """Return the numbers for rows and columns of TensorFlow's four."""
    listed = values.tolist() if isinstance(values, np.ndarray) and values.ndim == 1 else values
    if not isinstance(listed, (list, tuple, range)) or not all(map(is_whole, listed)):
        raise TypeError(f"{function}: {name} must be four whole numbers, [1, rows, columns, 1], got {shown(values)}")
    if len(listed) != 4 or listed[0] != 1 or listed[3] != 1:
        raise ValueError(f"{function}: {name} must be [1, rows, columns, 1], got {shown(values)}")
    return int(listed[1]), int(listed[2])


def _padding(function: str, padding: str) -> str:
    return str(choice(function, "padding", padding, ("SAME", "VALID"))).lower()
