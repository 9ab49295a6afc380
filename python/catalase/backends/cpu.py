"""The CPU backend: the kernels of `catalase._core`, and NumPy's functions, on NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._core import SparseBatch, empty
from .base import Axes, Backend, Geometry, RnnSaved, Windows, is_basic_index

_SOFTMAX = _core.LOSSES["softmax"]

# Fast paths: kernels that check plain arguments themselves, and return None where the full checks are needed.
plain_matmul = _core.plain_matmul
plain_linear = _core.plain_linear
plain_input_gradient = _core.plain_input_gradient


def contiguous(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a copy if it is not contiguous or is misaligned."""
    return x if x.flags.c_contiguous and x.flags.aligned else np.array(x, order="C")


def whole_strides(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a contiguous copy if it is misaligned or its strides are not whole elements."""
    if x.flags.c_contiguous and x.flags.aligned:
        return x
    if x.flags.aligned and all(s % x.itemsize == 0 for s in x.strides):
        return x
    return x.copy()


def unit_rows(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a contiguous copy if it is misaligned, or its strides do not fit the kernels."""
    if x.flags.c_contiguous and x.flags.aligned:
        return x
    unit = x.strides[-1] == x.itemsize or x.shape[-1] <= 1
    return x if unit and x.flags.aligned and all(s % x.itemsize == 0 for s in x.strides[:-1]) else x.copy()


def not_overwritten(x: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """Return ``x``, or a copy if it shares memory with ``out`` but their elements do not coincide."""
    if out is None or x is out or not np.may_share_memory(x, out):
        return x
    return x if _same_memory(x, out) or not overlap(x, out) else x.copy()


def overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays have a byte in common; True where that is too expensive to decide."""
    try:
        return bool(np.shares_memory(a, b, max_work=1000))  # type: ignore[arg-type]
    except RuntimeError:  # NumPy's TooHardError
        return True


def _same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays have the same address, shape, strides and dtype."""
    return a.ctypes.data == b.ctypes.data and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)


class CpuBackend(Backend):
    """The CPU, with kernels at the instruction-set level that `catalase info` names."""

    name = "cpu"
    float_dtypes = (np.dtype(np.float32), np.dtype(np.float64))
    is_host = True

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return empty(shape, np.dtype(dtype))

    def array(self, x: NDArray[Any]) -> NDArray[Any]:
        return x

    def to_host(self, x: Any) -> Any:
        return x

    def contiguous(self, x: Any) -> NDArray[Any]:
        return np.ascontiguousarray(x)

    def may_share(self, x: NDArray[Any], y: NDArray[Any]) -> bool:
        return np.may_share_memory(x, y) and overlap(x, y)

    def address(self, x: NDArray[Any]) -> int:
        return x.ctypes.data

    def capturing_stream(self) -> AbstractContextManager[None]:
        return nullcontext()

    # NumPy's functions.
    def full(self, shape: tuple[int, ...], value: float, dtype: Any) -> NDArray[Any]:
        x = empty(shape, np.dtype(dtype))
        x[...] = value
        return x

    def copy(self, x: Any) -> NDArray[Any]:
        return np.array(x)

    def copyto(self, x: NDArray[Any], values: Any) -> None:
        x[...] = values

    def add(self, a: Any, b: Any, out: NDArray[Any] | None = None) -> Any:
        return a + b if out is None else np.add(a, b, out=out)

    def subtract(self, a: Any, b: Any) -> Any:
        return a - b

    def multiply(self, a: Any, b: Any) -> Any:
        return a * b

    def divide(self, a: Any, b: Any) -> Any:
        return a / b

    def power(self, a: Any, b: Any) -> Any:
        return a**b

    def equal(self, a: Any, b: Any) -> Any:
        return a == b

    def maximum(self, a: Any, b: Any) -> Any:
        return np.maximum(a, b)

    def minimum(self, a: Any, b: Any) -> Any:
        return np.minimum(a, b)

    def sin(self, x: Any) -> Any:
        return np.sin(x)

    def cos(self, x: Any) -> Any:
        return np.cos(x)

    def negative(self, x: Any) -> Any:
        return -x

    def sqrt(self, x: Any) -> Any:
        return np.sqrt(x)

    def absolute(self, x: Any) -> Any:
        return np.abs(x)

    def sign(self, x: Any) -> Any:
        return np.sign(x)

    def where(self, mask: Any, a: Any, b: Any) -> NDArray[Any]:
        return np.where(mask, a, b)

    def sum(self, x: Any, axis: int | Axes | None = None, keepdims: bool = False) -> NDArray[Any]:
        with np.errstate(over="ignore", invalid="ignore"):  # the result shows infinity and NaN
            return np.asarray(x.sum(axis=axis, keepdims=keepdims))

    def max(self, x: Any, axis: int | Axes | None = None, keepdims: bool = False) -> NDArray[Any]:
        return np.asarray(x.max(axis=axis, keepdims=keepdims))

    def cumsum(self, x: Any, axis: int) -> NDArray[Any]:
        return np.cumsum(x, axis)

    def broadcast_to(self, x: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.broadcast_to(x, shape)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        return x.reshape(shape)

    def concatenate(self, parts: Sequence[Any], axis: int) -> NDArray[Any]:
        return np.concatenate(parts, axis=axis)

    def index(self, x: Any, index: Any) -> tuple[NDArray[Any], Callable[[NDArray[Any]], NDArray[Any]]]:
        def gradient(g: NDArray[Any]) -> NDArray[Any]:
            dx = self.full(x.shape, 0.0, x.dtype)
            if is_basic_index(index):
                dx[index] = g
            else:
                np.add.at(dx, index, g)  # an index array may name an element twice
            return dx

        return np.asarray(x[index]), gradient

    # Arithmetic without a name in NumPy.
    def power_slope(self, base: Any, exponent: Any) -> Any:
        if exponent.ndim == 0 and exponent == 0:
            return np.zeros_like(base)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(exponent == 0, base.dtype.type(0), exponent * base ** (exponent - exponent.dtype.type(1)))

    def log_or_zero(self, x: Any) -> Any:
        return np.log(np.where(x > 0, x, x.dtype.type(1)))

    def masked(self, x: Any, weights: Any) -> Any:
        return np.where(weights == 0, x.dtype.type(0), x)

    def clip_norm(self, x: NDArray[Any], limit: float) -> None:
        total = 0.0  # summed in float64, piece by piece, in a fixed order
        for start in range(0, x.size, 65536):
            total += float(np.sum(np.square(x[start : start + 65536], dtype=np.float64)))
        norm = math.sqrt(total)
        if norm > limit:
            x *= x.dtype.type(limit / norm)

    # Maps and losses.
    def map(self, function: int, x: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        x = not_overwritten(x, out)
        direct = out is not None and out.flags.c_contiguous and out.flags.aligned
        target = out if out is not None and direct else empty(x.shape, x.dtype)
        _core.map(function, contiguous(x), target)
        if out is None or direct:
            return target
        out[...] = target
        return out

    def activation_backward(self, activation: int, dy: NDArray[Any], saved: NDArray[Any]) -> NDArray[Any]:
        dx = empty(saved.shape, saved.dtype)
        _core.activation_backward(activation, contiguous(dy), contiguous(saved), dx)
        return dx

    def softmax(self, log: bool, x: NDArray[Any]) -> NDArray[Any]:
        y = empty(x.shape, x.dtype)
        _core.softmax(log, contiguous(x), y, x.shape[-1])
        return y

    def softmax_backward(self, log: bool, dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        dx = empty(y.shape, y.dtype)
        _core.softmax_backward(log, contiguous(dy), contiguous(y), dx, y.shape[-1])
        return dx

    def softmax_loss(
        self, logits: NDArray[Any], numbers: NDArray[Any] | None, targets: NDArray[Any] | None,
        weights: NDArray[Any] | None, dloss: NDArray[Any] | None,
    ) -> NDArray[Any]:  # fmt: skip
        out = empty(logits.shape[:-1] if dloss is None else logits.shape, logits.dtype)
        x, numbers, targets, weights, dloss = _all_dense(logits, numbers, targets, weights, dloss)
        _core.loss(_SOFTMAX, x, numbers, targets, weights, dloss, out, x.shape[-1])
        return out

    def elementwise_loss(
        self, kind: int, x: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None, dloss: NDArray[Any] | None
    ) -> NDArray[Any]:
        out = empty(x.shape, x.dtype)
        x, target, weights, dloss = _all_dense(x, target, weights, dloss)
        _core.loss(kind, x, None, target, weights, dloss, out, 1)
        return out

    def dropout(
        self, x: NDArray[Any], key: tuple[int, int, int], rate: float, kept: NDArray[Any] | None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:  # fmt: skip
        x = contiguous(x if x is out else not_overwritten(x, out))
        y = empty(x.shape, x.dtype) if out is None else out
        _core.dropout(x, y, *key, min(round(rate * 2**32), 2**32 - 1), 1.0 / (1.0 - rate), kept)
        return y

    def dropout_backward(self, dy: NDArray[Any], rate: float, kept: NDArray[Any]) -> NDArray[Any]:
        dx = empty(dy.shape, dy.dtype)
        _core.keep(contiguous(dy), dx, kept, 1.0 / (1.0 - rate))
        return dx

    # Products.
    def matmul(
        self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any] | None = None, add: NDArray[Any] | None = None,
        keep: NDArray[Any] | None = None, exact: bool = False,
    ) -> NDArray[Any]:  # fmt: skip
        if out is None:
            out = empty((*a.shape[:-1], b.shape[-1]), a.dtype)
        a, b = whole_strides(a), whole_strides(b)
        if a.ndim == 2:
            _core.matmul(
                a, b, None, 0, out, None if add is None else unit_rows(add), None if keep is None else unit_rows(keep)
            )
            return out
        for index in np.ndindex(a.shape[:-3]):
            _core.matmul_batch(a[index], b[index], out[index])
        return out

    def linear(self, x: Any, w: NDArray[Any], b: NDArray[Any] | None, activation: int) -> NDArray[Any]:
        b = _dense(b)
        if isinstance(x, SparseBatch):
            return x.linear(unit_rows(w), b, activation)
        out = empty((x.shape[0], w.shape[1]), x.dtype)
        _core.linear(whole_strides(x), whole_strides(w), b, activation, out)
        return out

    def sparse(self, x: NDArray[Any], wide: bool) -> SparseBatch | None:
        if x.dtype == np.uint8:
            return _core.sparse_from_bits(x if x.flags.c_contiguous else contiguous(x), wide)
        if (
            x.dtype.byteorder not in "=|"
            or not x.flags.aligned
            or x.strides[1] != x.itemsize
            or x.strides[0] % x.itemsize
        ):
            return None
        return _core.look(x)

    def weight_gradient(self, x: Any, dz: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        if isinstance(x, SparseBatch):
            x.weight_gradient(dz, out)
        else:
            _core.linear(x.T, dz, None, 0, out)
        return out

    def relu_dropout_backward(self, dy: NDArray[Any], y: NDArray[Any], scale: float) -> NDArray[Any]:
        dz = empty(y.shape, y.dtype)
        _core.keep(contiguous(dy), dz, contiguous(~(y <= 0)).view(np.uint8), scale)
        return dz

    def column_sum(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        _core.column_sum(x if x.flags.c_contiguous and x.flags.aligned else unit_rows(x), out)

    # Windows over images, sequences and volumes.
    def conv(
        self, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, activation: int, shape: tuple[int, ...],
        geometry: Geometry, groups: int, flip: bool, exact: bool, transposed: bool,
    ) -> NDArray[Any]:  # fmt: skip
        y = empty(shape, x.dtype)
        if y.size:
            kernel = _core.conv_backward_data if transposed else _core.conv_forward
            numbers = (*geometry.triples(), groups, flip, exact)
            kernel(_five(x), _five_weights(w), _dense(b), activation, *numbers, _five(y))
        return y

    def conv_weights(
        self, image: NDArray[Any], result: NDArray[Any], dw: NDArray[Any], geometry: Geometry, groups: int, flip: bool,
        exact: bool,
    ) -> None:  # fmt: skip
        numbers = (*geometry.triples(), groups, flip, exact)
        _core.conv_backward_weights(_five(image), _five(result), *numbers, _five_weights(dw))

    def pool(self, kind: int, x: NDArray[Any], windows: Windows) -> NDArray[Any]:
        y = empty((x.shape[0], *windows.out, x.shape[-1]), x.dtype)
        _core.pool(kind, _five(x), y, windows.size, windows.stride, windows.before)
        return y.reshape(x.shape[0], *windows.out[5 - x.ndim :], x.shape[-1])

    def pool_backward(
        self, kind: int, dy: NDArray[Any], x: NDArray[Any] | None, shape: tuple[int, ...], windows: Windows
    ) -> NDArray[Any]:
        dx = empty((shape[0], *(1,) * (5 - len(shape)), *shape[1:]), dy.dtype)
        wide = None if x is None else _five(x)
        _core.pool_backward(kind, wide, _five(dy), dx, windows.size, windows.stride, windows.before)
        return dx.reshape(shape)

    def upsample_linear(self, x: NDArray[Any], factors: tuple[int, ...]) -> NDArray[Any]:
        for axis, times in enumerate(factors, 1):
            x = _upsample_axis(x, axis, times)
        return contiguous(x)

    def upsample_linear_backward(self, dy: NDArray[Any], factors: tuple[int, ...]) -> NDArray[Any]:
        for axis, times in enumerate(factors, 1):
            dy = _upsample_axis_backward(dy, axis, times)
        return contiguous(dy)

    # Batch normalization.
    def moments(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        mean, var = empty(x.shape[-1:], x.dtype), empty(x.shape[-1:], x.dtype)
        _core.moments(contiguous(x), mean, var)
        return mean, var

    def batch_norm(
        self, x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], mean: NDArray[Any], var: NDArray[Any],
        eps: float, relu: bool,
    ) -> NDArray[Any]:  # fmt: skip
        y = empty(x.shape, x.dtype)
        x, gamma, beta, mean, var = (contiguous(a) for a in (x, gamma, beta, mean, var))
        _core.batch_norm(x, gamma, beta, mean, var, eps, relu, y)
        return y

    def batch_norm_backward(
        self, dy: NDArray[Any], x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], mean: NDArray[Any],
        var: NDArray[Any], eps: float, relu: bool, batch_statistics: bool, need_dx: bool,
    ) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:  # fmt: skip
        dx = empty(x.shape, x.dtype) if need_dx else None
        dgamma, dbeta = empty(x.shape[-1:], x.dtype), empty(x.shape[-1:], x.dtype)
        x, dy, gamma, beta, mean, var = (contiguous(a) for a in (x, dy, gamma, beta, mean, var))
        _core.batch_norm_backward(x, dy, gamma, beta, mean, var, eps, relu, batch_statistics, dx, dgamma, dbeta)
        return dx, dgamma, dbeta

    def layer_norm(
        self, x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], eps: float, centered: bool
    ) -> NDArray[Any]:
        y = empty(x.shape, x.dtype)
        _core.layer_norm(contiguous(x), contiguous(gamma), contiguous(beta), eps, centered, y)
        return y

    def layer_norm_backward(
        self, dy: NDArray[Any], x: NDArray[Any], gamma: NDArray[Any], eps: float, centered: bool, need_dx: bool
    ) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
        dx = empty(x.shape, x.dtype) if need_dx else None
        dgamma, dbeta = empty(x.shape[-1:], x.dtype), empty(x.shape[-1:], x.dtype)
        _core.layer_norm_backward(contiguous(x), contiguous(dy), contiguous(gamma), eps, centered, dx, dgamma, dbeta)
        return dx, dgamma, dbeta

    def update_statistics(
        self, running_mean: NDArray[Any], running_var: NDArray[Any], mean: NDArray[Any], var: NDArray[Any],
        momentum: float, rows: int,
    ) -> None:  # fmt: skip
        if not (np.isfinite(mean).all() and np.isfinite(var).all()):
            return
        for running, value in ((running_mean, mean), (running_var, var * (rows / (rows - 1)))):
            running[...] = (1 - momentum) * running + momentum * value

    # Attention.
    def attention(
        self, q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], query_lengths: NDArray[np.intp] | None,
        lengths: NDArray[np.intp] | None, causal: bool, scale: float,
    ) -> tuple[NDArray[Any], NDArray[Any]]:  # fmt: skip
        y, statistics = _by_heads(q, v.shape[3]), empty((2, *q.shape[:3]), q.dtype)
        q, k, v = map(unit_rows, (q, k, v))
        _core.attention(q, k, v, query_lengths, lengths, causal, scale, y, *statistics)
        return y, statistics

    def attention_backward(
        self, dy: NDArray[Any], q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], y: NDArray[Any],
        statistics: NDArray[Any], query_lengths: NDArray[np.intp] | None, lengths: NDArray[np.intp] | None, causal: bool,
        scale: float, out: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None,
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:  # fmt: skip
        dq, dk, dv = out or tuple(_by_heads(a, a.shape[3]) for a in (q, k, v))
        dy, q, k, v, y = map(unit_rows, (dy, q, k, v, y))
        top, inverse = contiguous(statistics)
        _core.attention_backward(dy, q, k, v, y, top, inverse, query_lengths, lengths, causal, scale, dq, dk, dv)
        return dq, dk, dv

    # Recurrent cells.
    def rnn(
        self, kind: str, cell: str, arrays: dict[str, Any], lengths: NDArray[np.intp] | None, reverse: bool, keep: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, RnnSaved | None]:
        x, b, h0, c0 = _all_dense(arrays["x"], arrays["b"], arrays["h0"], arrays.get("c0"))
        w_x, w_h = unit_rows(arrays["w_x"]), unit_rows(arrays["w_h"])
        y = empty((x.shape[0], x.shape[1], w_h.shape[0]), x.dtype)
        h, c, *kept = _core.rnn_forward(_core.CELLS[cell], x, w_x, w_h, b, h0, c0, lengths, reverse, keep, y)
        return y, h, c, RnnSaved(*kept) if keep else None

    def rnn_backward(
        self, kind: str, cell: str, arrays: dict[str, Any], saved: RnnSaved, lengths: NDArray[np.intp] | None,
        reverse: bool, need_dx: bool,
    ) -> tuple[NDArray[Any] | None, ...]:  # fmt: skip
        x, w_x, w_h = arrays["x"], arrays["w_x"], arrays["w_h"]
        dx = empty(x.shape, x.dtype) if need_dx else None
        dw_x, dw_h = empty(w_x.shape, x.dtype), empty(w_h.shape, x.dtype)
        db = empty((2, w_h.shape[1]) if kind == "gru" else (w_h.shape[1],), x.dtype)
        dh0 = empty((x.shape[0], w_h.shape[0]), x.dtype)
        dc0 = empty(dh0.shape, x.dtype) if kind == "lstm" else None
        x, *gradients = _all_dense(x, arrays["dy"], arrays["dh"], arrays.get("dc"))
        _core.rnn_backward(
            _core.CELLS[cell], x, unit_rows(w_x), unit_rows(w_h), lengths, reverse, tuple(saved), tuple(gradients), dx,
            dw_x, dw_h, db, dh0, dc0,
        )  # fmt: skip
        return dx, dw_x, dw_h, db, dh0, dc0

    # Rows by number, optimizers, fingerprints, images.
    def embedding(self, ids: NDArray[Any], w: NDArray[Any]) -> tuple[NDArray[Any], int]:
        out = empty((*ids.shape, w.shape[1]), w.dtype)
        return out, _core.embedding(ids, unit_rows(w), out)

    def embedding_backward(self, ids: NDArray[Any], dy: NDArray[Any], dw: NDArray[Any], padding: int) -> int:
        rows = dy.reshape(math.prod(ids.shape), dy.shape[-1])
        return _core.embedding_gradient(ids, padding, unit_rows(rows), dw)

    # Lists of rows.
    def list_sum(
        self, x: NDArray[Any], offsets: NDArray[Any], index: NDArray[Any] | None = None, mean: bool = False,
        z: NDArray[Any] | None = None, kind: NDArray[Any] | None = None, relu: bool = False,
    ) -> NDArray[Any]:  # fmt: skip
        out = empty((len(offsets) - 1, x.shape[1]), x.dtype)
        _core.list_sum(offsets, index, mean, unit_rows(x), None if z is None else unit_rows(z), kind, relu, out)
        return out

    def list_max(self, x: NDArray[Any], offsets: NDArray[Any], index: NDArray[Any] | None = None) -> NDArray[Any]:
        out = empty((len(offsets) - 1, x.shape[1]), x.dtype)
        _core.list_max(offsets, index, unit_rows(x), out)
        return out

    def list_max_backward(
        self, dy: NDArray[Any], x: NDArray[Any], offsets: NDArray[Any], index: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        dx = empty(x.shape, x.dtype)
        _core.list_max_backward(offsets, index, unit_rows(dy), unit_rows(x), dx)
        return dx

    def segment_softmax(self, x: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
        y = empty(x.shape, x.dtype)
        _core.segment_softmax(offsets, unit_rows(x), y)
        return y

    def segment_softmax_backward(self, dy: NDArray[Any], y: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
        dx = empty(y.shape, y.dtype)
        _core.segment_softmax_backward(offsets, unit_rows(dy), unit_rows(y), dx)
        return dx

    def segment_spread(self, dy: NDArray[Any], offsets: NDArray[Any], mean: bool, rows: int) -> NDArray[Any]:
        dx = empty((rows, dy.shape[1]), dy.dtype)
        _core.segment_spread(offsets, mean, unit_rows(dy), dx)
        return dx

    def message_update(
        self, h: NDArray[Any], w: NDArray[Any], z: NDArray[Any] | None, kind: NDArray[Any] | None,
        b: NDArray[Any] | None, activation: int, offsets: NDArray[Any], index: NDArray[Any], keep: bool,
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:  # fmt: skip
        y = empty((len(offsets) - 1, w.shape[1]), h.dtype)
        m = empty((len(y), w.shape[0]), h.dtype) if keep else None
        z, b = None if z is None else unit_rows(z), _dense(b)
        _core.message_update(offsets, index, unit_rows(h), whole_strides(w), z, kind, b, activation, m, y)
        return y, m

    def transpose_lists(
        self, offsets: NDArray[Any], index: NDArray[Any], rows: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return _core.transpose_lists(offsets, index, rows)

    def one_hot(
        self, texts: list[Any], stop: NDArray[np.int64], reverse: NDArray[np.uint8], columns: int, dtype: Any
    ) -> tuple[NDArray[Any], int, int]:
        n = len(texts)
        out, bad = empty((n, columns, 4), np.dtype(dtype)), np.empty(n, np.int64)
        _core.one_hot_dna(texts, np.arange(n, dtype=np.int64), np.zeros(n, np.int64), stop, reverse, out, bad)
        i = int((bad >= 0).argmax()) if n else 0
        return out, i, int(bad[i]) if n else -1

    def optim_step(
        self, rule: int, param: NDArray[Any], grad: Any, first: NDArray[Any] | None, second: NDArray[Any] | None,
        third: NDArray[Any] | None, numbers: tuple[Any, ...],
    ) -> None:  # fmt: skip
        given, x = (grad, None) if isinstance(grad, np.ndarray) else (grad.b, grad.a)
        _core.optim_step(rule, param, given, x, first, second, third, *numbers)

    def tanimoto(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        out = empty((a.shape[0], b.shape[0]), np.dtype(np.float32))
        _core.tanimoto(contiguous(a), contiguous(b), out)
        return out

    def tanimoto_topk(
        self, queries: NDArray[Any], targets: NDArray[Any], k: int, threshold: float
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        indices, similarities = empty_hits(len(queries), k)
        _core.tanimoto_topk(contiguous(queries), contiguous(targets), threshold, indices, similarities)
        return indices, similarities

    def augment(
        self, x: NDArray[Any], masks: Sequence[NDArray[Any]], options: dict[str, Any], seed: int, step: int,
        numbers: NDArray[np.uint32], size: tuple[int, int],
    ) -> tuple[NDArray[Any], list[NDArray[Any]]]:  # fmt: skip
        key = (_core.AugmentOptions(**options), seed, step, numbers)
        images = empty((len(numbers), *size, x.shape[3]), np.dtype(np.float32))
        if images.size:
            _core.augment(*key, contiguous(x), images)
        moved = [empty((len(numbers), *size, mask.shape[3]), mask.dtype) for mask in masks]
        for mask, out in zip(masks, moved, strict=True):
            if out.size:
                _core.augment_masks(*key, contiguous(mask), out)
        return images, moved


def empty_hits(n: int, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return unset arrays for the indices and similarities of the k best hits of n queries."""
    return empty((n, k), np.dtype(np.int64)), empty((n, k), np.dtype(np.float32))


def _by_heads(x: NDArray[Any], width: int) -> NDArray[Any]:
    """Return an unset array (N, H, T, width) for the N, H and T of ``x``, a view of (N, T, H, width)."""
    n, heads, steps, _ = x.shape
    return empty((n, steps, heads, width), x.dtype).transpose(0, 2, 1, 3)


def _dense(x: Any) -> Any:
    return None if x is None else contiguous(x)


def _all_dense(*arrays: Any) -> list[Any]:
    """Return the arrays (or None); copy those that are not contiguous or are misaligned."""
    dense = []
    for x in arrays:
        dense.append(x if x is None or (x.flags.c_contiguous and x.flags.aligned) else contiguous(x))
    return dense


def _five(x: NDArray[Any]) -> NDArray[Any]:
    """Return images, sequences or volumes (N, ..., C) with three spatial dimensions; missing ones have length 1."""
    x = contiguous(x)
    return x.reshape(x.shape[0], *(1,) * (5 - x.ndim), *x.shape[1:])


def _five_weights(w: NDArray[Any]) -> NDArray[Any]:
    """Return weights (..., C, O) with three spatial dimensions; missing ones have length 1."""
    w = contiguous(w)
    return w.reshape(*(1,) * (5 - w.ndim), *w.shape)


def _phases(times: int, dtype: np.dtype[Any]) -> list[tuple[int, Any]]:
    """Return the first neighbour (0: the one before) and the second one's weight for each of an element's ``times`` outputs."""
    out = []
    for phase in range(times):
        place = (phase + 0.5) / times - 0.5
        first = 0 if place < 0 else 1
        out.append((first, dtype.type(place + 1 - first)))
    return out


def _upsample_axis(x: NDArray[Any], axis: int, times: int) -> NDArray[Any]:
    if times == 1:
        return x.copy()
    n = x.shape[axis]
    x = np.moveaxis(x, axis, 0)
    padded = np.concatenate([x[:1], x, x[-1:]])
    y = np.empty((n * times, *x.shape[1:]), x.dtype)
    for phase, (first, share) in enumerate(_phases(times, x.dtype)):
        y[phase::times] = (1 - share) * padded[first : first + n] + share * padded[first + 1 : first + 1 + n]
    return np.moveaxis(y, 0, axis)


def _upsample_axis_backward(dy: NDArray[Any], axis: int, times: int) -> NDArray[Any]:
    if times == 1:
        return dy.copy()
    n = dy.shape[axis] // times
    dy = np.moveaxis(dy, axis, 0)
    padded = np.zeros((n + 2, *dy.shape[1:]), dy.dtype)
    for phase, (first, share) in enumerate(_phases(times, dy.dtype)):
        part = dy[phase::times]
        padded[first : first + n] += (1 - share) * part
        padded[first + 1 : first + 1 + n] += share * part
    padded[1] += padded[0]
    padded[-2] += padded[-1]
    return np.moveaxis(padded[1:-1], 0, axis)
