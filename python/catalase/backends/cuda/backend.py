"""The CUDA backend: every kernel call of the protocol, for any device that can launch the kernels of the folder ``cuda/``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import Array, Axes, Backend
from . import (
    arithmetic,
    augment,
    conv,
    dropout,
    elementwise,
    embedding,
    indexing,
    linear,
    loss,
    matmul,
    norm,
    one_hot,
    optim,
    pool,
    rnn,
    tanimoto,
)


class CudaBackend(Backend):
    """The base of CUDA backends: a subclass adds memory and launches, and each family's file provides its kernels."""

    float_dtypes = (np.dtype(np.float32),)
    is_host = False
    array_type: Any  # the class of the device's arrays

    @property
    @abstractmethod
    def multiprocessors(self) -> int:
        """The number of multiprocessors: the least number of blocks that keeps the device busy."""

    @property
    @abstractmethod
    def shared_bytes(self) -> int:
        """The shared memory that a block may have, `__shared__` and a launch's ``shared_bytes`` together."""

    @property
    @abstractmethod
    def capability(self) -> int:
        """The device's compute capability: 90 for 9.0."""

    @abstractmethod
    def launch(
        self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], shared_bytes: int, args: tuple[Any, ...]
    ) -> None:
        """Start ``file.kernel`` on the caller's stream. Arrays are passed as pointers, None as a null pointer, int as i64,
        float as float32."""

    @abstractmethod
    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the launches of ``work`` without running them; return a function that runs them."""

    # NumPy's functions.
    def full(self, shape: tuple[int, ...], value: float, dtype: Any) -> Array:
        return arithmetic.combine(self, "copy", value, out=self.empty(shape, dtype))

    def copy(self, x: Array) -> Array:
        return arithmetic.combine(self, "copy", x)

    def copyto(self, x: Array, values: Any) -> None:
        arithmetic.combine(self, "copy", values, out=x)

    def add(self, a: Any, b: Any, out: Array | None = None) -> Array:
        return arithmetic.combine(self, "add", a, b, out=out)

    def subtract(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "subtract", a, b)

    def multiply(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "multiply", a, b)

    def divide(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "divide", a, b)

    power = arithmetic.power

    def equal(self, a: Any, b: Any) -> Array:
        return arithmetic.combine(self, "equal", a, b)

    def negative(self, x: Array) -> Array:
        return arithmetic.combine(self, "negative", x)

    def sqrt(self, x: Array) -> Array:
        return arithmetic.combine(self, "sqrt", x)

    def absolute(self, x: Array) -> Array:
        return arithmetic.combine(self, "absolute", x)

    def sign(self, x: Array) -> Array:
        return arithmetic.combine(self, "sign", x)

    where = arithmetic.where

    def sum(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array:
        return arithmetic.reduce(self, "sum", x, axis, keepdims)

    def max(self, x: Array, axis: int | Axes | None = None, keepdims: bool = False) -> Array:
        return arithmetic.reduce(self, "max", x, axis, keepdims)

    broadcast_to = arithmetic.broadcast_to

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        return self.contiguous(x).reshape(*shape)

    def concatenate(self, parts: Sequence[Array], axis: int) -> Array:
        return arithmetic.concatenate(self, parts, axis)

    index = indexing.index

    def power_slope(self, base: Array, exponent: Array) -> Array:
        return arithmetic.combine(self, "power_slope", base, exponent)

    def log_or_zero(self, x: Array) -> Array:
        return arithmetic.combine(self, "log_or_zero", x)

    def masked(self, x: Array, weights: Array) -> Array:
        return arithmetic.combine(self, "masked", x, weights)

    clip_norm = arithmetic.clip_norm

    # Kernels, in one file a family.
    map = elementwise.map_values
    activation_backward = elementwise.activation_backward
    relu_dropout_backward = elementwise.relu_dropout_backward
    softmax, softmax_backward = loss.softmax, loss.softmax_backward
    softmax_loss, elementwise_loss = loss.softmax_loss, loss.elementwise_loss
    dropout, dropout_backward = dropout.dropout, dropout.dropout_backward
    matmul, column_sum = matmul.matmul, matmul.column_sum
    linear, sparse, weight_gradient = linear.linear, linear.sparse, linear.weight_gradient
    conv, conv_weights = conv.conv, conv.conv_weights
    pool, pool_backward, stretch, stretch_backward = pool.pool, pool.pool_backward, pool.stretch, pool.stretch_backward
    moments, batch_norm, batch_norm_backward = norm.moments, norm.batch_norm, norm.batch_norm_backward
    follow_statistics = norm.follow_statistics
    rnn, rnn_backward = rnn.rnn, rnn.rnn_backward
    embedding, embedding_backward = embedding.embedding, embedding.embedding_backward
    one_hot = one_hot.encode
    optim_step = optim.optim_step
    tanimoto, tanimoto_topk = tanimoto.tanimoto, tanimoto.tanimoto_topk
    augment = augment.augment
