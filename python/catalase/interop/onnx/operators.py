"""What the operators of ONNX compute, on NumPy's arrays and this library's kernels.

A function takes a `Node`, with the attributes and the version of the operator, and its inputs (None for one that is left
out), and returns the output or a tuple of outputs. Products, convolutions, recurrent cells, normalizations, pools, softmax
and activations of floats go to `catalase.ops`; the rest is NumPy's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import ops

Array = NDArray[Any]


class Unsupported(Exception):
    """What an operator does not support here."""


class Node(NamedTuple):
    """An operator with its attributes: ``node("axis", 1)`` is an attribute or its default."""

    kind: str
    attributes: dict[str, Any]
    version: int
    outputs: int
    subgraph: Callable[..., tuple[Any, ...]]

    def __call__(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)


OPERATORS: dict[str, Callable[..., Any]] = {}


def operator(*kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """List a function as that of operators."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return decorate


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda node, x: np.asarray(function(x)).astype(x.dtype, copy=False)


def _in_float(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of `catalase.ops` on floats of any width."""

    def run(node: Node, x: Array) -> Array:
        wide = np.ascontiguousarray(_wide(x))
        return np.asarray(function(wide.reshape(-1))).reshape(x.shape).astype(x.dtype, copy=False)

    return run


def _wide(x: Any) -> Any:
    """Floats as float32 or float64, which the kernels take; integers stay."""
    if x is None or x.dtype in (np.float32, np.float64) or x.dtype.kind in "iub":
        return x
    return x.astype(np.float32)


def _kernel(x: Array) -> Array:
    """An array of floats as the kernels take it."""
    if x.dtype.kind in "iub":
        raise Unsupported(f"needs floats, got {x.dtype}")
    return np.ascontiguousarray(_wide(x))


OPERATORS |= {
    "Abs": _unary(np.abs), "Neg": _unary(np.negative), "Ceil": _unary(np.ceil), "Floor": _unary(np.floor),
    "Round": _unary(np.rint), "Sqrt": _unary(np.sqrt), "Sign": _unary(np.sign), "Sin": _unary(np.sin),
    "Cos": _unary(np.cos), "Tan": _unary(np.tan), "Asin": _unary(np.arcsin), "Acos": _unary(np.arccos),
    "Atan": _unary(np.arctan), "Sinh": _unary(np.sinh), "Cosh": _unary(np.cosh), "Asinh": _unary(np.arcsinh),
    "Acosh": _unary(np.arccosh), "Atanh": _unary(np.arctanh), "Reciprocal": _unary(np.reciprocal),
    "Not": _unary(np.logical_not), "BitwiseNot": _unary(np.bitwise_not), "Identity": lambda node, x: x,
    "Exp": _in_float(ops.exp), "Log": _in_float(ops.log), "Tanh": _in_float(ops.tanh), "Sigmoid": _in_float(ops.sigmoid),
    "Softplus": _in_float(ops.softplus), "Erf": _unary(lambda x: np.vectorize(math.erf, otypes=[float])(x)),
    "IsNaN": lambda node, x: np.isnan(x), "Softsign": _unary(lambda x: x / (1 + abs(x))),
    "Mish": _unary(lambda x: x * np.tanh(np.logaddexp(0, x))),
    "HardSwish": _unary(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "And": lambda node, a, b: np.logical_and(a, b), "Or": lambda node, a, b: np.logical_or(a, b),
    "Xor": lambda node, a, b: np.logical_xor(a, b), "Equal": lambda node, a, b: np.equal(a, b),
    "Greater": lambda node, a, b: np.greater(a, b), "GreaterOrEqual": lambda node, a, b: np.greater_equal(a, b),
    "Less": lambda node, a, b: np.less(a, b), "LessOrEqual": lambda node, a, b: np.less_equal(a, b),
    "BitwiseAnd": lambda node, a, b: np.bitwise_and(a, b), "BitwiseOr": lambda node, a, b: np.bitwise_or(a, b),
    "BitwiseXor": lambda node, a, b: np.bitwise_xor(a, b), "Where": lambda node, c, a, b: np.where(c, a, b),
    "Sum": lambda node, *xs: _folded(np.add, xs), "Max": lambda node, *xs: _folded(np.maximum, xs),
    "Min": lambda node, *xs: _folded(np.minimum, xs),
    "Mean": lambda node, *xs: (_folded(np.add, xs) / xs[0].dtype.type(len(xs))).astype(xs[0].dtype),
    "Shape": lambda node, x: np.array(np.shape(x)[slice(node("start", 0), node("end"))], np.int64),
    "Size": lambda node, x: np.array(np.size(x), np.int64), "Transpose": lambda node, x: np.transpose(x, node("perm")),
    "Expand": lambda node, x, shape: x * np.ones(shape, x.dtype) if x.dtype.kind != "b" else x & np.ones(shape, bool),
    "NonZero": lambda node, x: np.array(np.nonzero(x), np.int64),
    "Det": lambda node, x: np.asarray(np.linalg.det(x)).astype(x.dtype),
}  # fmt: skip


def _folded(function: Any, xs: Sequence[Array]) -> Array:
    found = xs[0]
    for x in xs[1:]:
        found = function(found, x)
    return found


def _arithmetic(function: Any) -> Callable[..., Any]:
    def run(node: Node, a: Array, b: Array) -> Array:
        if node.version < 7 and node("broadcast") and b.ndim < a.ndim:
            b = b.reshape(b.shape + (1,) * (a.ndim - b.ndim - node("axis", a.ndim - b.ndim)))
        return np.asarray(function(a, b)).astype(a.dtype, copy=False)

    return run


def _divided(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    quotient = np.floor_divide(a, b)
    return np.where((quotient < 0) & (quotient * b != a), quotient + 1, quotient)  # towards zero


OPERATORS |= {
    "Add": _arithmetic(np.add), "Sub": _arithmetic(np.subtract), "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_divided), "Pow": _arithmetic(np.power),
}  # fmt: skip


@operator("Mod")
def _mod(node: Node, a: Array, b: Array) -> Array:
    return np.fmod(a, b) if node("fmod", 0) else np.mod(a, b)


@operator("BitShift")
def _shift(node: Node, a: Array, b: Array) -> Array:
    return (np.left_shift if node("direction") == "LEFT" else np.right_shift)(a, b)


@operator("IsInf")
def _is_inf(node: Node, x: Array) -> Array:
    return (np.isposinf(x) & bool(node("detect_positive", 1))) | (np.isneginf(x) & bool(node("detect_negative", 1)))


# Activations.
@operator("Relu")
def _relu(node: Node, x: Array) -> Array:
    return np.maximum(x, x.dtype.type(0)) if x.dtype.kind in "iu" else _in_float(ops.relu)(node, x)


def _elementwise(function: Callable[[Node, Any], Any]) -> Callable[..., Any]:
    """A formula in float64, rounded once."""
    return lambda node, x: np.asarray(function(node, x.astype(np.float64))).astype(x.dtype)


OPERATORS |= {
    "LeakyRelu": _elementwise(lambda n, x: np.where(x < 0, n("alpha", 0.01) * x, x)),
    "Elu": _elementwise(lambda n, x: np.where(x < 0, n("alpha", 1.0) * np.expm1(x), x)),
    "Celu": _elementwise(lambda n, x: np.maximum(0, x) + np.minimum(0, n("alpha", 1.0) * np.expm1(x / n("alpha", 1.0)))),
    "HardSigmoid": _elementwise(lambda n, x: np.clip(n("alpha", 0.2) * x + n("beta", 0.5), 0, 1)),
    "ThresholdedRelu": _elementwise(lambda n, x: np.where(x > n("alpha", 1.0), x, 0)),
    "Swish": _elementwise(lambda n, x: x / (1 + np.exp(-n("alpha", 1.0) * x))),
}  # fmt: skip


@operator("Gelu")
def _gelu(node: Node, x: Array) -> Array:
    if node("approximate", "none") == "none":
        return np.asarray(_in_float(ops.gelu)(node, x))
    wide = x.astype(np.float64)
    curve = np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
    return (0.5 * wide * (1 + curve)).astype(x.dtype)


@operator("PRelu")
def _prelu(node: Node, x: Array, slope: Array) -> Array:
    if node.version < 7 and slope.ndim == 1 and x.ndim > 2:
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x < 0, x * slope, x).astype(x.dtype)


@operator("Clip")
def _clip(node: Node, x: Array, low: Any = None, high: Any = None) -> Array:
    low, high = (node("min"), node("max")) if node.version < 11 else (low, high)
    found = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return found if high is None else np.minimum(found, np.asarray(high, x.dtype))


@operator("Softmax", "LogSoftmax", "Hardmax")
def _softmax(node: Node, x: Array) -> Array:
    axis = node("axis", -1 if node.version >= 13 else 1)
    axis = axis % x.ndim if x.ndim else 0
    if node.version < 13:
        rows = x.reshape(math.prod(x.shape[:axis]), -1)
    else:
        rows = np.moveaxis(x, axis, -1)
    if node.kind == "Hardmax":
        found = (np.arange(rows.shape[-1]) == rows.argmax(axis=-1)[..., None]).astype(x.dtype)
    else:
        function = ops.softmax if node.kind == "Softmax" else ops.log_softmax
        found = np.asarray(function(_kernel(rows))).astype(x.dtype)
    return found.reshape(x.shape) if node.version < 13 else np.moveaxis(found, -1, axis)


# Reductions.
def _axes(node: Node, x: Array, axes: Any) -> tuple[int, ...] | None:
    """Axes of an attribute or an input; None for an operator that does nothing."""
    found = node("axes") if axes is None else np.asarray(axes).ravel().tolist()
    if not found:
        return None if node("noop_with_empty_axes", 0) else tuple(range(x.ndim))
    return tuple(int(a) % x.ndim for a in found)


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    most = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    most = np.where(np.isfinite(most), most, 0)
    found = np.log(np.sum(np.exp(x - most), axis=axis, keepdims=True)) + most
    return found if keepdims else np.squeeze(found, axis)


def _extreme(function: Any, sign: int) -> Callable[..., Any]:
    def run(x: Array, axis: Any, keepdims: bool) -> Any:
        if x.dtype.kind == "b":
            return function(x, axis=axis, keepdims=keepdims, initial=bool(sign))
        bounds = (-np.inf, np.inf) if x.dtype.kind not in "iu" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        return function(x, axis=axis, keepdims=keepdims, initial=bounds[sign])

    return run


_REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any] | None]] = {
    "Sum": (np.sum, None), "Mean": (np.mean, None), "Prod": (np.prod, None), "Max": (_extreme(np.max, 0), None),
    "Min": (_extreme(np.min, 1), None), "L1": (lambda x, **o: np.sum(abs(x), **o), abs),
    "L2": (lambda x, **o: np.sqrt(np.sum(np.square(x.astype(np.float64)), **o)), abs),
    "SumSquare": (lambda x, **o: np.sum(np.square(x), **o), np.square),
    "LogSum": (lambda x, **o: np.log(np.sum(x, **o)), np.log), "LogSumExp": (_log_sum_exp, None),
}  # fmt: skip


def _reduction(name: str) -> Callable[..., Any]:
    function, alone = _REDUCTIONS[name]

    def run(node: Node, x: Array, axes: Any = None) -> Array:
        chosen = _axes(node, x, axes)
        if chosen is None:
            return x if alone is None else np.asarray(alone(x)).astype(x.dtype)
        found = function(x, axis=chosen, keepdims=bool(node("keepdims", 1)))
        return np.asarray(found).astype(x.dtype)

    return run


OPERATORS |= {f"Reduce{name}": _reduction(name) for name in _REDUCTIONS}


@operator("ArgMax", "ArgMin")
def _arg(node: Node, x: Array) -> Array:
    axis, function = node("axis", 0), np.argmax if node.kind == "ArgMax" else np.argmin
    if node("select_last_index", 0):
        found = x.shape[axis] - 1 - function(np.flip(x, axis), axis=axis)
    else:
        found = function(x, axis=axis)
    return (np.expand_dims(found, axis) if node("keepdims", 1) else np.asarray(found)).astype(np.int64)


@operator("TopK")
def _top_k(node: Node, x: Array, count: Any = None) -> tuple[Array, Array]:
    count, axis = int(np.ravel(node("k") if count is None else count)[0]), node("axis", -1)
    keys = x if not node("largest", 1) else -x.astype(object) if x.dtype.kind == "u" else -x
    order = np.argsort(keys, axis=axis, kind="stable")
    order = np.take(order, np.arange(count), axis=axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int64)


@operator("CumSum", "CumProd")
def _cumulative(node: Node, x: Array, axis: Array) -> Array:
    function, start = (np.cumsum, 0) if node.kind == "CumSum" else (np.cumprod, 1)
    along = int(axis)
    rows = np.moveaxis(x, along, 0)
    rows = rows[::-1] if node("reverse", 0) else rows
    found = function(rows, axis=0, dtype=x.dtype)
    if node("exclusive", 0):
        found = np.concatenate([np.full_like(found[:1], start), found[:-1]])
    found = found[::-1] if node("reverse", 0) else found
    return np.ascontiguousarray(np.moveaxis(found, 0, along))


# Shapes.
@operator("Reshape")
def _reshape(node: Node, x: Array, shape: Any = None) -> Array:
    lengths = list(node("shape") if shape is None else shape)
    if not node("allowzero", 0):
        lengths = [x.shape[i] if n == 0 else n for i, n in enumerate(lengths)]
    return x.reshape([int(n) for n in lengths])


@operator("Flatten")
def _flatten(node: Node, x: Array) -> Array:
    axis = node("axis", 1)
    return x.reshape(math.prod(x.shape[: axis % x.ndim if axis < 0 else axis]), -1)


@operator("Squeeze")
def _squeeze(node: Node, x: Array, axes: Any = None) -> Array:
    axes = node("axes") if axes is None else axes.tolist()
    return np.squeeze(x, None if axes is None else tuple(axes))


@operator("Unsqueeze")
def _unsqueeze(node: Node, x: Array, axes: Any = None) -> Array:
    axes = node("axes") if axes is None else np.ravel(axes).tolist()
    return np.expand_dims(x, tuple(axes))


@operator("Concat")
def _concat(node: Node, *xs: Array) -> Array:
    return np.concatenate(xs, axis=node("axis", 1))


@operator("Split")
def _split(node: Node, x: Array, split: Any = None) -> tuple[Array, ...]:
    axis, lengths = node("axis", 0), node("split") if split is None else split.tolist()
    if lengths is None:
        count = node("num_outputs", node.outputs)
        size = -(-x.shape[axis] // count)
        lengths = [size] * (count - 1)
        lengths.append(x.shape[axis] - sum(lengths))
    return tuple(np.split(x, np.cumsum(lengths)[:-1], axis=axis))


@operator("Slice")
def _slice(node: Node, x: Array, *given: Any) -> Array:
    if node.version < 10:
        given = (node("starts"), node("ends"), node("axes"))
    starts, ends, axes, steps = (None if v is None else np.ravel(v).tolist() for v in (*given, None, None)[:4])
    axes = range(len(starts)) if axes is None else axes  # type: ignore[arg-type]
    where = [slice(None)] * x.ndim
    for i, axis in enumerate(axes):
        step, length = 1 if steps is None else steps[i], x.shape[axis]
        start, stop = starts[i], ends[i]  # type: ignore[index]
        if step < 0 and stop < -length:
            stop = None  # through the first one
        where[axis] = slice(start, stop, step)
    return x[tuple(where)]


@operator("Gather")
def _gather(node: Node, x: Array, index: Array) -> Array:
    return np.take(x, index, axis=node("axis", 0))


@operator("GatherElements")
def _gather_elements(node: Node, x: Array, index: Array) -> Array:
    return np.take_along_axis(x, index, node("axis", 0))


def _nd(node: Node, x: Array, index: Array, batch: int) -> tuple[Any, ...]:
    """Positions as NumPy's advanced indexing takes them."""
    lead = index.shape[:-1]
    places = [np.broadcast_to(np.arange(lead[i]).reshape([-1] + [1] * (len(lead) - i - 1)), lead) for i in range(batch)]
    return (*places, *np.moveaxis(index, -1, 0))


@operator("GatherND")
def _gather_nd(node: Node, x: Array, index: Array) -> Array:
    return x[_nd(node, x, index, node("batch_dims", 0))]


_SCATTER: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _scattered(node: Node, x: Array, places: tuple[Any, ...], updates: Array) -> Array:
    found, how = x.copy(), node("reduction", "none")
    if how == "none":
        found[places] = updates
    else:
        _SCATTER[how].at(found, places, updates)
    return found


@operator("ScatterND")
def _scatter_nd(node: Node, x: Array, index: Array, updates: Array) -> Array:
    return _scattered(node, x, _nd(node, x, index, 0), updates)


@operator("ScatterElements", "Scatter")
def _scatter_elements(node: Node, x: Array, index: Array, updates: Array) -> Array:
    places: list[Any] = list(np.indices(index.shape))
    places[node("axis", 0)] = index
    return _scattered(node, x, tuple(places), updates)


@operator("TensorScatter")
def _tensor_scatter(node: Node, x: Array, updates: Array, start: Any = None) -> Array:
    axis = node("axis", -2) % x.ndim
    found, count = x.copy(), updates.shape[axis]
    begins = np.zeros(len(x), np.int64) if start is None else start
    for row, begin in enumerate(begins):
        index = begin + np.arange(count)
        index = index % x.shape[axis] if node("mode", "linear") == "circular" else index
        np.moveaxis(found[row], axis - 1, 0)[index] = np.moveaxis(updates[row], axis - 1, 0)
    return found


@operator("Tile")
def _tile(node: Node, x: Array, repeats: Array) -> Array:
    return np.tile(x, repeats)


@operator("Pad")
def _pad(node: Node, x: Array, pads: Any = None, value: Any = None, axes: Any = None) -> Array:
    if node.version < 11:
        pads, value = node("pads", node("paddings")), node("value", 0.0)
    pads, chosen = np.ravel(pads).tolist(), range(x.ndim) if axes is None else [int(a) % x.ndim for a in axes]
    widths, mode, count = [[0, 0] for _ in range(x.ndim)], node("mode", "constant"), len(pads) // 2
    for i, axis in enumerate(chosen):
        widths[axis] = [pads[i], pads[i + count]]
    cut = tuple(slice(-min(a, 0), n + min(b, 0)) for (a, b), n in zip(widths, x.shape, strict=True))
    grown = [(max(a, 0), max(b, 0)) for a, b in widths]
    if mode == "constant":
        fill = np.zeros((), x.dtype) if value is None else np.asarray(value, x.dtype).reshape(())
        return np.pad(x[cut], grown, constant_values=fill)
    return np.pad(x[cut], grown, mode=mode)


@operator("DepthToSpace")
def _depth_to_space(node: Node, x: Array) -> Array:
    (n, c, h, w), b = x.shape, node("blocksize")
    if node("mode", "DCR") == "DCR":
        return x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


@operator("SpaceToDepth")
def _space_to_depth(node: Node, x: Array) -> Array:
    (n, c, h, w), b = x.shape, node("blocksize")
    order = (0, 3, 5, 1, 2, 4) if node("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return x.reshape(n, c, h // b, b, w // b, b).transpose(order).reshape(n, c * b**2, h // b, w // b)


@operator("ReverseSequence")
def _reverse_sequence(node: Node, x: Array, lengths: Array) -> Array:
    time, batch = node("time_axis", 0), node("batch_axis", 1)
    rows = np.moveaxis(x, (batch, time), (0, 1)).copy()
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return np.moveaxis(rows, (0, 1), (batch, time))


@operator("Compress")
def _compress(node: Node, x: Array, condition: Array) -> Array:
    return np.compress(condition, x, axis=node("axis"))


@operator("Trilu")
def _trilu(node: Node, x: Array, k: Any = 0) -> Array:
    return (np.triu if node("upper", 1) else np.tril)(x, int(k if k is not None else 0))


@operator("OneHot")
def _one_hot(node: Node, index: Array, depth: Array, values: Array) -> Array:
    count, axis = int(np.ravel(depth)[0]), node("axis", -1)
    found = np.where((index.astype(np.int64) % count)[..., None] == np.arange(count), values[1], values[0])
    inside = (index >= -count) & (index < count)
    found = np.where(inside[..., None], found, values[0])
    return np.moveaxis(found, -1, axis).astype(values.dtype)


@operator("Unique")
def _unique(node: Node, x: Array) -> tuple[Array, ...]:
    axis = node("axis")
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not node("sorted", 1):
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        values, first, counts = np.take(values, order, axis=0 if axis is None else axis), first[order], counts[order]
        inverse = place[inverse]
    return values, *(v.astype(np.int64) for v in (first, inverse, counts))


@operator("EyeLike")
def _eye_like(node: Node, x: Array) -> Array:
    dtype = x.dtype if node("dtype") is None else _dtype(node("dtype"))
    return np.eye(x.shape[0], x.shape[1], k=node("k", 0), dtype=dtype)


@operator("Range")
def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array:
    start, limit, delta = (v.reshape(()) for v in (start, limit, delta))
    count = max(0, math.ceil((limit - start) / delta))
    return (start + np.arange(count) * delta).astype(start.dtype)


@operator("Constant")
def _constant(node: Node) -> Any:
    for name, dtype in (("value", None), ("value_float", np.float32), ("value_floats", np.float32),
                        ("value_int", np.int64), ("value_ints", np.int64), ("value_string", object),
                        ("value_strings", object)):  # fmt: skip
        if name in node.attributes:
            return np.asarray(node(name), dtype)
    raise Unsupported(f"the attributes {', '.join(node.attributes)}")


@operator("ConstantOfShape")
def _constant_of_shape(node: Node, shape: Array) -> Array:
    value = node("value")
    value = np.zeros(1, np.float32) if value is None else value
    return np.full(shape.tolist(), value[0], value.dtype)


def _dtype(code: int) -> Any:
    from onnx.helper import tensor_dtype_to_np_dtype

    return tensor_dtype_to_np_dtype(code)


_SATURATED = ("float8_", "float4_", "float6_")  # ONNX's rules of rounding to these are not NumPy's


def _cast(x: Array, dtype: Any) -> Array:
    if dtype.kind == "O" or (x.dtype.kind in "OUST" and dtype.kind not in "f"):
        raise Unsupported(f"a cast from {x.dtype} to {dtype}")
    if x.dtype.kind in "OUST":
        return x.astype(str).astype(dtype)
    if dtype.name.startswith(_SATURATED) and dtype != x.dtype:
        raise Unsupported(f"a cast from {x.dtype} to {dtype}")
    if dtype.name in ("int4", "uint4", "int2", "uint2"):  # towards zero, then the lowest bits
        return x.astype(np.int32).astype(dtype)
    return x.astype(dtype)


@operator("Cast")
def _cast_to(node: Node, x: Array) -> Array:
    return _cast(x, np.dtype(_dtype(node("to"))))


@operator("CastLike")
def _cast_like(node: Node, x: Array, like: Array) -> Array:
    return _cast(x, like.dtype)


# Products.
@operator("MatMul")
def _matmul(node: Node, a: Array, b: Array) -> Array:
    if a.dtype.kind in "iub" or a.ndim < 2 or b.ndim < 2:
        return np.asarray(np.matmul(a, b))
    left, right = _kernel(a), _kernel(b)
    if right.ndim == 2:
        found = ops.matmul(left.reshape(-1, left.shape[-1]), right).reshape(*left.shape[:-1], right.shape[-1])
        return np.asarray(found).astype(a.dtype, copy=False)
    lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, (*lead, *left.shape[-2:])).reshape(-1, *left.shape[-2:])
    right = np.broadcast_to(right, (*lead, *right.shape[-2:])).reshape(-1, *right.shape[-2:])
    shape = (*lead, left.shape[-2], right.shape[-1])
    found = np.array([ops.matmul(x, y) for x, y in zip(left, right, strict=True)], left.dtype)
    return found.reshape(shape).astype(a.dtype, copy=False)


@operator("Gemm")
def _gemm(node: Node, a: Array, b: Array, c: Any = None) -> Array:
    a, b = a.T if node("transA", 0) else a, b.T if node("transB", 0) else b
    if a.dtype.kind in "iu":
        found: Any = a @ b
    else:
        found = ops.matmul(_kernel(a), _kernel(b))
    found = found * np.asarray(node("alpha", 1.0), found.dtype)
    return np.asarray(found if c is None else found + c * np.asarray(node("beta", 1.0), found.dtype)).astype(a.dtype)


@operator("Einsum")
def _einsum(node: Node, *xs: Array) -> Array:
    return np.asarray(np.einsum(node("equation"), *map(_wide, xs))).astype(xs[0].dtype, copy=False)


@operator("MatMulInteger")
def _matmul_integer(node: Node, a: Array, b: Array, zero_a: Any = None, zero_b: Any = None) -> Array:
    left, right = a.astype(np.int32), b.astype(np.int32)
    if zero_a is not None:
        left = left - (
            zero_a.astype(np.int32)[:, None] if zero_a.ndim == 1 and zero_a.size > 1 else zero_a.astype(np.int32)
        )
    right = right if zero_b is None else right - zero_b.astype(np.int32)
    return left @ right


# Convolutions and pools, through arrays with channels last.
def _last(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(_kernel(x), 1, -1))


def _first(y: Any, dtype: Any) -> Array:
    return np.ascontiguousarray(np.moveaxis(np.asarray(y), -1, 1)).astype(dtype, copy=False)


def _padding(node: Node, sizes: Sequence[int], lengths: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Padding before and after each axis, for kernels of these sizes (dilated)."""
    auto, dims = node("auto_pad", "NOTSET"), len(sizes)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for size, length, stride in zip(sizes, lengths, strides, strict=True):
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if auto == "SAME_UPPER" else (more, less))
        return found
    pads = node("pads") or [0] * (2 * dims)
    return list(zip(pads[:dims], pads[dims:], strict=True))


def _dims(node: Node, x: Array) -> tuple[int, list[int], list[int]]:
    dims = x.ndim - 2
    if not 1 <= dims <= 3:
        raise Unsupported(f"{dims} dimensions beside batch and channels")
    return dims, node("strides") or [1] * dims, node("dilations") or [1] * dims


@operator("Conv")
def _conv(node: Node, x: Array, w: Array, b: Any = None) -> Array:
    dims, strides, dilations = _dims(node, x)
    sizes = [(n - 1) * d + 1 for n, d in zip(w.shape[2:], dilations, strict=True)]
    pads = _padding(node, sizes, x.shape[2:], strides)
    rows = np.pad(_last(x), [(0, 0), *pads, (0, 0)])
    kernel = np.ascontiguousarray(np.transpose(_kernel(w), (*range(2, dims + 2), 1, 0)))
    function = getattr(ops, f"conv{dims}d")
    y = function(
        rows, kernel, None if b is None else _kernel(b), stride=tuple(strides), padding="valid", dilation=tuple(dilations),
        groups=node("group", 1), exact=True,
    )  # fmt: skip
    return _first(y, x.dtype)


@operator("ConvTranspose")
def _conv_transpose(node: Node, x: Array, w: Array, b: Any = None) -> Array:
    dims, strides, dilations = _dims(node, x)
    sizes = [(n - 1) * d + 1 for n, d in zip(w.shape[2:], dilations, strict=True)]
    extra = node("output_padding") or [0] * dims
    pads, auto, wanted = node("pads"), node("auto_pad", "NOTSET"), node("output_shape")
    full = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, sizes, strict=True)]
    if wanted is None and auto.startswith("SAME"):
        wanted = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if wanted is not None:
        wanted = wanted[-dims:]
        total = [f + e - n for f, e, n in zip(full, extra, wanted, strict=True)]
        halves = [(t // 2, t - t // 2) for t in total]
        cuts = [h[::-1] if auto == "SAME_LOWER" else h for h in halves]
    else:
        pads = pads or [0] * (2 * dims)
        cuts = list(zip(pads[:dims], pads[dims:], strict=True))
    kernel = np.ascontiguousarray(np.transpose(_kernel(w), (*range(2, dims + 2), 1, 0)))
    y = getattr(ops, f"conv_transpose{dims}d")(
        _last(x), kernel, None, stride=tuple(strides), padding="valid", dilation=tuple(dilations), groups=node("group", 1),
        exact=True,
    )  # fmt: skip
    more = [(0, max(0, f + e - n)) for f, e, n in zip(full, extra, y.shape[1:-1], strict=True)]
    y = np.pad(np.asarray(y), [(0, 0), *more, (0, 0)])
    where = []
    for (before, after), f, e in zip(cuts, full, extra, strict=True):
        if before < 0 or after < 0:
            raise Unsupported("an output_shape beyond the output")
        where.append(slice(before, f + e - after))
    y = y[(slice(None), *where)]
    return _first(y if b is None else y + b, x.dtype)


def _windows(node: Node, x: Array, fill: float) -> tuple[Array, Array, list[tuple[int, int]]]:
    """Windows (N, C, *outputs, *kernel) of a padded array, and the flat positions of their values in the input, -1 outside."""
    dims = x.ndim - 2
    size = node("kernel_shape")
    strides, dilations = node("strides") or [1] * dims, node("dilations") or [1] * dims
    wide = [(n - 1) * d + 1 for n, d in zip(size, dilations, strict=True)]
    pads = _padding(node, wide, x.shape[2:], strides)
    lengths = []
    for (a, b), n, k, s in zip(pads, x.shape[2:], wide, strides, strict=True):
        count = (n + a + b - k) / s
        outputs = (math.ceil(count) if node("ceil_mode", 0) else math.floor(count)) + 1
        if node("ceil_mode", 0) and (outputs - 1) * s >= n + a:
            outputs -= 1  # a window that starts in the padding at the end
        lengths.append(outputs)
    places = np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:])
    grown, index = [], []
    for (a, _), n, k, s, d, count in zip(pads, x.shape[2:], size, strides, dilations, lengths, strict=True):
        position = np.arange(count)[:, None] * s + np.arange(k) * d - a
        grown.append(position)
        index.append((position >= 0) & (position < n))
    shape_of = [[1] * (2 * dims) for _ in range(dims)]
    inside: Any = True
    where = []
    for i, (position, there) in enumerate(zip(grown, index, strict=True)):
        shape_of[i][i], shape_of[i][dims + i] = position.shape
        inside = inside & there.reshape(shape_of[i])
        where.append(np.clip(position, 0, x.shape[2 + i] - 1).reshape(shape_of[i]))
    values = np.where(inside, x[(slice(None), slice(None), *where)], np.asarray(fill, x.dtype))
    return values, np.where(inside, places[tuple(where)], -1), pads


@operator("MaxPool")
def _max_pool(node: Node, x: Array) -> Any:
    low = -np.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    values, places, _ = _windows(node, x, low)
    dims = x.ndim - 2
    flat = values.reshape(*values.shape[: 2 + dims], -1)
    best = flat.argmax(axis=-1)
    found = np.take_along_axis(flat, best[..., None], -1)[..., 0]
    if node.outputs == 1:
        return found
    at = np.broadcast_to(places.reshape(*places.shape[:dims], -1), flat.shape)
    index = np.take_along_axis(at, best[..., None], -1)[..., 0]
    if node("storage_order", 0):
        index = np.ravel_multi_index(np.unravel_index(index, x.shape[2:]), x.shape[2:], order="F")
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2] + (1,) * dims) * math.prod(x.shape[2:])
    return found, (index + planes).astype(np.int64)


@operator("AveragePool", "LpPool")
def _average_pool(node: Node, x: Array) -> Array:
    dims = x.ndim - 2
    wide = x.astype(np.float64)
    values, places, pads = _windows(node, wide, 0.0)
    kernel = tuple(range(2 + dims, 2 + 2 * dims))
    if node.kind == "LpPool":
        power = node("p", 2)
        return ((abs(values) ** power).sum(axis=kernel) ** (1 / power)).astype(x.dtype)
    if node("count_include_pad", 0):  # what lies beyond the padding does not count
        ones = np.pad(np.ones((1, 1, *x.shape[2:])), [(0, 0), (0, 0), *pads], constant_values=1)
        beyond = Node(node.kind, {**node.attributes, "pads": [0] * 2 * dims, "auto_pad": "NOTSET"}, 1, 1, node.subgraph)
        counts = (_windows(beyond, ones, 0.0)[1] >= 0).sum(axis=tuple(range(dims, 2 * dims)))
        counts = counts[tuple(slice(0, n) for n in values.shape[2 : 2 + dims])]
    else:
        counts = (places >= 0).sum(axis=tuple(range(dims, 2 * dims)))
    return (values.sum(axis=kernel) / counts).astype(x.dtype)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(node: Node, x: Array) -> Array:
    axes = tuple(range(2, x.ndim))
    if node.kind == "GlobalLpPool":
        power = node("p", 2)
        return ((abs(x) ** power).sum(axis=axes, keepdims=True) ** (1 / power)).astype(x.dtype)
    return np.asarray((np.max if node.kind == "GlobalMaxPool" else np.mean)(x, axis=axes, keepdims=True)).astype(
        x.dtype
    )


@operator("MaxUnpool")
def _max_unpool(node: Node, x: Array, index: Array, shape: Any = None) -> Array:
    dims = x.ndim - 2
    strides, pads = node("strides") or [1] * dims, node("pads") or [0] * 2 * dims
    own = [
        (n - 1) * s + k - pads[i] - pads[i + dims]
        for i, (n, s, k) in enumerate(zip(x.shape[2:], strides, node("kernel_shape"), strict=True))
    ]
    small = np.zeros(x.shape[0] * x.shape[1] * math.prod(own), x.dtype)
    small[index.ravel()] = x.ravel()
    small = small.reshape(*x.shape[:2], *own)
    if shape is None:
        return small
    lengths = shape.tolist()
    if any(n < m for n, m in zip(lengths, small.shape, strict=True)):
        raise Unsupported("an output_shape below the output")
    return np.pad(small, [(0, n - m) for n, m in zip(lengths, small.shape, strict=True)])


# Normalizations.
@operator("BatchNormalization")
def _batch_norm(node: Node, x: Array, scale: Array, bias: Array, mean: Array, var: Array) -> Any:
    shape = (-1, *[1] * (x.ndim - 2))
    eps, training = node("epsilon", 1e-5), bool(node("training_mode", 0))
    if node.version < 9 and not node("spatial", 1):
        raise Unsupported("spatial=0")
    if node.version < 7 and not node("is_test", 0):
        raise Unsupported("is_test=0")
    used = mean, var
    if training:
        axes = (0, *range(2, x.ndim))
        used = x.mean(axis=axes, dtype=np.float64), x.var(axis=axes, dtype=np.float64)
    wide = x.astype(np.float64)
    y = (wide - used[0].reshape(shape)) / np.sqrt(used[1].astype(np.float64) + eps).reshape(shape)
    y = (y * scale.reshape(shape) + bias.reshape(shape)).astype(x.dtype)
    if not training:
        return y
    keep = node("momentum", 0.9)
    return y, *((old * keep + new * (1 - keep)).astype(old.dtype) for old, new in zip((mean, var), used, strict=True))


@operator("InstanceNormalization")
def _instance_norm(node: Node, x: Array, scale: Array, bias: Array) -> Array:
    axes, shape = tuple(range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
    wide = x.astype(np.float64)
    y = (wide - wide.mean(axis=axes, keepdims=True)) / np.sqrt(
        wide.var(axis=axes, keepdims=True) + node("epsilon", 1e-5)
    )
    return (y * scale.reshape(shape) + bias.reshape(shape)).astype(x.dtype)


@operator("LayerNormalization")
def _layer_norm(node: Node, x: Array, scale: Array, bias: Any = None) -> tuple[Array, ...]:
    axes = tuple(range(node("axis", -1) % x.ndim, x.ndim))
    wide = x.astype(np.float64)
    mean = wide.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(wide.var(axis=axes, keepdims=True) + node("epsilon", 1e-5))
    if len(axes) == 1 and x.dtype in (np.float32, np.float64) and scale.shape == x.shape[-1:]:
        rows = np.ascontiguousarray(x)
        y: Any = ops.layer_norm(rows, scale, bias, eps=node("epsilon", 1e-5))
        y = y[0] if isinstance(y, tuple) else y
    else:
        y = (wide - mean) * inverse * scale
        y = (y if bias is None else y + bias).astype(x.dtype)
    return y, mean.astype(np.float32), inverse.astype(np.float32)


@operator("LRN")
def _lrn(node: Node, x: Array) -> Array:
    size, squares = node("size"), np.square(x.astype(np.float64))
    before = (size - 1) // 2
    padded = np.pad(squares, [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    sums = sum(padded[:, i : i + x.shape[1]] for i in range(size))
    return (x / (node("bias", 1.0) + node("alpha", 1e-4) / size * sums) ** node("beta", 0.75)).astype(x.dtype)


@operator("LpNormalization")
def _lp_norm(node: Node, x: Array) -> Array:
    norm = np.linalg.norm(x.astype(np.float64), ord=node("p", 2), axis=node("axis", -1), keepdims=True)
    return np.where(norm == 0, 0, x / np.where(norm == 0, 1, norm)).astype(x.dtype)


@operator("Dropout")
def _dropout(node: Node, x: Array, ratio: Any = None, training: Any = None) -> Any:
    if training is not None and bool(training) and not (ratio is not None and float(ratio) == 0):
        raise Unsupported("training mode, whose values are random")
    return (x, np.ones(x.shape, bool if node.version >= 10 else x.dtype)) if node.outputs > 1 else x


# Recurrent cells.
def _flags(node: Node, kind: str, count: int) -> None:
    usual = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[kind]
    if node("activations", usual * count) != usual * count or node("clip") or node("input_forget", 0):
        raise Unsupported("other activations, clip and input_forget")


@operator("LSTM", "GRU", "RNN")
def _recurrent(
    node: Node,
    x: Array,
    w: Array,
    r: Array,
    b: Any = None,
    lengths: Any = None,
    h: Any = None,
    c: Any = None,
    p: Any = None,
) -> tuple[Array, ...]:
    kind, ways, hidden = node.kind, len(w), r.shape[2]
    _flags(node, kind, ways)
    order = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}[kind]  # to our gates
    gates = len(order)
    rows = x if node("layout", 0) else x.transpose(1, 0, 2)
    rows = np.ascontiguousarray(_kernel(rows))
    lengths = None if lengths is None or (lengths == rows.shape[1]).all() else lengths.astype(np.int64)

    def ordered(array: Array) -> Array:
        return array.reshape(gates, hidden, *array.shape[1:])[list(order)].reshape(array.shape)

    outputs, last = [], []
    for way in range(ways):
        back = node("direction", "forward") == "reverse" or way == 1
        starts = [
            None if s is None else (s[:, way] if node("layout", 0) else s[way]) for s in (h, c)[: 1 + (kind == "LSTM")]
        ]
        both = np.zeros((2, gates * hidden), rows.dtype) if b is None else b[way].reshape(2, -1)
        both = np.stack([ordered(part) for part in both])
        w_x, w_h = (np.ascontiguousarray(ordered(part[way]).T) for part in (w, r))
        starts = [None if s is None else np.ascontiguousarray(s) for s in starts]
        if p is not None or (kind == "GRU" and not node("linear_before_reset", 0)):
            y, *ends = _steps(
                kind, rows, w_x, w_h, both, starts, lengths, back, None if p is None else p[way].reshape(3, -1)
            )
        else:
            bias = both if kind == "GRU" else both.sum(axis=0)
            y, *ends = getattr(ops, kind.lower())(
                rows, w_x, w_h, np.ascontiguousarray(bias), *starts, lengths=lengths, reverse=back
            )  # fmt: skip
        outputs.append(np.asarray(y))
        last.append(ends)
    if node("layout", 0):
        y = np.stack(outputs, axis=2)  # (N, T, ways, H)
        states = [np.stack([e[i] for e in last], axis=1) for i in range(len(last[0]))]
    else:
        y = np.stack([o.transpose(1, 0, 2) for o in outputs], axis=1)
        states = [np.stack([e[i] for e in last]) for i in range(len(last[0]))]
    return y, *states


def _sigmoid(x: Array) -> Array:
    return np.asarray(ops.sigmoid(np.ascontiguousarray(x)))


def _steps(
    kind: str,
    x: Array,
    w_x: Array,
    w_h: Array,
    both: Array,
    starts: list[Any],
    lengths: Any,
    back: bool,
    peepholes: Any,
) -> tuple[Array, ...]:
    """Step by step what the kernels lack: peepholes (i o f), and a GRU whose reset gate comes before the product."""
    n, steps, _ = x.shape
    hidden = w_h.shape[0]
    h, c = (np.zeros((n, hidden), x.dtype) if s is None else s.copy() for s in (*starts, None)[:2])
    y, lengths = np.zeros((n, steps, hidden), x.dtype), np.full(n, steps) if lengths is None else lengths
    for step in range(steps):
        at = np.where(back, lengths - 1 - step, step)
        there = (step < lengths)[:, None]
        fed = ops.matmul(np.ascontiguousarray(x[np.arange(n), np.maximum(at, 0)]), w_x)
        if kind == "LSTM":
            i, f, g, o = np.split(fed + ops.matmul(h, w_h) + both.sum(axis=0), 4, axis=1)
            p_i, p_o, p_f = peepholes
            cell = _sigmoid(f + p_f * c) * c + _sigmoid(i + p_i * c) * np.tanh(g)
            state = _sigmoid(o + p_o * cell) * np.tanh(cell)
            c = np.where(there, cell, c)
        else:
            gates = (
                fed[:, : 2 * hidden]
                + ops.matmul(h, np.ascontiguousarray(w_h[:, : 2 * hidden]))
                + both.sum(axis=0)[: 2 * hidden]
            )
            r, z = np.split(_sigmoid(gates), 2, axis=1)
            kept = ops.matmul(np.ascontiguousarray(r * h), np.ascontiguousarray(w_h[:, 2 * hidden :]))
            new = np.tanh(fed[:, 2 * hidden :] + kept + both.sum(axis=0)[2 * hidden :])
            state = (1 - z) * new + z * h
        h = np.ascontiguousarray(np.where(there, state, h))
        rows = np.flatnonzero(there)
        y[rows, at[rows]] = h[rows]
    return (y, h, c) if kind == "LSTM" else (y, h)


# Losses.
@operator("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def _losses(node: Node, x: Array, y: Array, weight: Any = None) -> Any:
    chances = x
    if node.kind == "SoftmaxCrossEntropyLoss":
        rows = _kernel(np.moveaxis(x, 1, -1))
        chances = np.moveaxis(np.asarray(ops.log_softmax(rows)), -1, 1).astype(x.dtype)
    ignored = node("ignore_index")
    there = np.ones(y.shape, bool) if ignored is None else y != ignored
    safe = np.where(there, y, 0)
    found = -np.take_along_axis(chances, safe[:, None], axis=1)[:, 0]
    weights = (np.ones(y.shape, x.dtype) if weight is None else weight[safe]) * there
    found, how = found * weights, node("reduction", "mean")
    if how != "none":
        found = found.sum() if how == "sum" else found.sum() / weights.sum()
    found = np.asarray(found).astype(x.dtype)
    return (found, chances) if node.kind == "SoftmaxCrossEntropyLoss" and node.outputs > 1 else found


# Quantization.
def _along(array: Any, x: Array, axis: int, block: int) -> Any:
    """Scales or zero points in a shape that fits x."""
    if array is None or array.ndim == 0 or (array.size == 1 and array.ndim <= 1):
        return None if array is None else array.reshape(())
    if block:
        return np.repeat(array, block, axis=axis)[tuple(slice(0, n) for n in x.shape)]
    return array.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


@operator("QuantizeLinear")
def _quantize(node: Node, x: Array, scale: Array, zero: Any = None) -> Array:
    dtype = (
        zero.dtype
        if zero is not None
        else np.dtype(_dtype(node("output_dtype")))
        if node("output_dtype")
        else np.dtype(np.uint8)
    )
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        raise Unsupported(f"the type {dtype}")
    axis, block = node("axis", 1), node("block_size", 0)
    found = np.rint(x / _along(scale, x, axis, block).astype(x.dtype))
    shift = 0 if zero is None else _along(zero, x, axis, block).astype(np.int32)
    return np.clip(found + shift, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


@operator("DequantizeLinear")
def _dequantize(node: Node, x: Array, scale: Array, zero: Any = None) -> Array:
    if x.dtype.kind not in "iu":
        raise Unsupported(f"the type {x.dtype}")
    axis, block = node("axis", 1), node("block_size", 0)
    shift = 0 if zero is None else _along(zero, x, axis, block).astype(np.int32)
    return ((x.astype(np.int32) - shift) * _along(scale, x, axis, block)).astype(scale.dtype)


@operator("DynamicQuantizeLinear")
def _dynamic_quantize(node: Node, x: Array) -> tuple[Array, ...]:
    low, high = min(0.0, float(x.min(initial=0))), max(0.0, float(x.max(initial=0)))
    scale = np.float32((np.float32(high) - np.float32(low)) / 255)
    zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255)) if scale else np.uint8(0)
    found = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)
    return found, np.array(scale), np.array(zero)


@operator("QLinearMatMul")
def _q_matmul(
    node: Node,
    a: Array,
    scale_a: Array,
    zero_a: Array,
    b: Array,
    scale_b: Array,
    zero_b: Array,
    scale: Array,
    zero: Array,
) -> Array:
    product = (a.astype(np.int32) - zero_a.astype(np.int32)) @ (b.astype(np.int32) - zero_b.astype(np.int32))
    found = np.rint(product * (scale_a.astype(np.float64) * scale_b.astype(np.float64) / scale.astype(np.float64)))
    bounds = np.iinfo(zero.dtype)
    return np.clip(found + zero.astype(np.int32), bounds.min, bounds.max).astype(zero.dtype)


@operator("ConvInteger", "QLinearConv")
def _conv_integer(node: Node, x: Array, *rest: Any) -> Array:
    if node.kind == "ConvInteger":
        w, zero_x, zero_w = (*rest, None, None)[:3]
    else:
        scale_x, zero_x, w, scale_w, zero_w, scale, zero, b = (*rest, None)[:8]
    shape = (-1, *[1] * (w.ndim - 1))
    left = x.astype(np.float64) - (0 if zero_x is None else zero_x.astype(np.float64))
    right = w.astype(np.float64) - (
        0 if zero_w is None else np.reshape(zero_w.astype(np.float64), shape if zero_w.size > 1 else ())
    )
    y = _conv(node, left, right)
    if node.kind == "ConvInteger":
        return np.rint(y).astype(np.int32)
    out = (1, -1, *[1] * (y.ndim - 2))
    y = y if b is None else y + b.reshape(out)
    factor = scale_x * (scale_w.reshape(out) if scale_w.size > 1 else scale_w.reshape(())) / scale
    bounds = np.iinfo(zero.dtype)
    return np.clip(np.rint(y * factor) + zero.astype(np.int32), bounds.min, bounds.max).astype(zero.dtype)


# Control flow, sequences and optional values.
@operator("If")
def _if(node: Node, condition: Array) -> tuple[Any, ...]:
    return node.subgraph(node("then_branch") if bool(condition) else node("else_branch"))


@operator("Loop")
def _loop(node: Node, most: Any, condition: Any, *carried: Any) -> tuple[Any, ...]:
    body, going, step = node("body"), condition is None or bool(condition), 0
    count, scanned = len(carried), [[] for _ in range(node.outputs - len(carried))]  # type: ignore[var-annotated]
    while going and (most is None or step < int(most)):
        going, *found = node.subgraph(body, [np.array(step, np.int64), np.array(going), *carried])
        going, carried = bool(going), tuple(found[:count])
        for kept, value in zip(scanned, found[count:], strict=True):
            kept.append(value)
        step += 1
    return *carried, *(np.stack(kept) if kept else np.zeros(0, np.float32) for kept in scanned)


@operator("Scan")
def _scan(node: Node, *given: Any) -> tuple[Any, ...]:
    if node.version < 9:
        raise Unsupported("version 8")
    body, count = node("body"), node("num_scan_inputs")
    states, read = list(given[: len(given) - count]), given[len(given) - count :]
    outputs = len(body.output) - len(states)
    axes, back = node("scan_input_axes", [0] * count), node("scan_input_directions", [0] * count)
    rows = [np.moveaxis(x, a, 0)[:: -1 if b else 1] for x, a, b in zip(read, axes, back, strict=True)]
    scanned: list[list[Any]] = [[] for _ in range(outputs)]
    for step in range(len(rows[0])):
        found = node.subgraph(body, [*states, *(x[step] for x in rows)])
        states = list(found[: len(states)])
        for kept, value in zip(scanned, found[len(states) :], strict=True):
            kept.append(value)
    axes, back = node("scan_output_axes", [0] * outputs), node("scan_output_directions", [0] * outputs)
    whole = [np.moveaxis(np.stack(k[:: -1 if b else 1]), 0, a) for k, a, b in zip(scanned, axes, back, strict=True)]
    return *states, *whole


OPERATORS |= {
    "SequenceEmpty": lambda node: [], "SequenceConstruct": lambda node, *xs: list(xs),
    "SequenceAt": lambda node, xs, i: xs[int(np.ravel(i)[0])], "SequenceLength": lambda node, xs: np.array(len(xs), np.int64),
    "Optional": lambda node, x=None: x, "OptionalHasElement": lambda node, x=None: np.array(x is not None),
    "OptionalGetElement": lambda node, x: x,
}  # fmt: skip


@operator("SequenceInsert")
def _sequence_insert(node: Node, xs: list[Any], x: Any, place: Any = None) -> list[Any]:
    at = len(xs) if place is None else int(np.ravel(place)[0])
    at = at + len(xs) if at < 0 else at
    return [*xs[:at], x, *xs[at:]]


@operator("SequenceErase")
def _sequence_erase(node: Node, xs: list[Any], place: Any = None) -> list[Any]:
    at = (-1 if place is None else int(np.ravel(place)[0])) % len(xs)
    return [*xs[:at], *xs[at + 1 :]]


@operator("ConcatFromSequence")
def _concat_from_sequence(node: Node, xs: list[Any]) -> Array:
    return (np.stack if node("new_axis", 0) else np.concatenate)(xs, axis=node("axis"))


@operator("SplitToSequence")
def _split_to_sequence(node: Node, x: Array, split: Any = None) -> list[Any]:
    axis = node("axis", 0)
    if split is None:
        parts = np.split(x, x.shape[axis], axis=axis)
        return parts if node("keepdims", 1) else [np.squeeze(p, axis) for p in parts]
    ends = np.cumsum(split)[:-1] if split.ndim else np.arange(int(split), x.shape[axis], int(split))
    return np.split(x, ends, axis=axis)


# Images.
@operator("Resize", "Upsample")
def _resize(node: Node, x: Array, *given: Any) -> Array:
    roi = sizes = None
    if node.kind == "Upsample" or node.version < 11:
        scales = given[0] if given else np.array(node("scales"), np.float32)
        how = "asymmetric"
    else:
        roi, scales, sizes = (*given, None, None, None)[:3]
        how = node("coordinate_transformation_mode", "half_pixel")
    axes = node("axes") or list(range(x.ndim))
    axes = [a % x.ndim for a in axes]
    mode, keep = node("mode", "nearest"), node("keep_aspect_ratio_policy", "stretch")
    if sizes is not None and sizes.size:
        ratios = [int(n) / x.shape[a] for n, a in zip(sizes, axes, strict=True)]
        lengths = [int(n) for n in sizes]
        if keep != "stretch":
            ratio = (min if keep == "not_larger" else max)(ratios)
            ratios = [ratio] * len(axes)
            lengths = [math.floor(ratio * x.shape[a] + 0.5) for a in axes]
    else:
        ratios = [float(s) for s in scales]
        lengths = [math.floor(x.shape[a] * r) for a, r in zip(axes, ratios, strict=True)]
    y, outside = x.astype(np.float64) if mode != "nearest" else x, None
    for i, (axis, ratio, length) in enumerate(zip(axes, ratios, lengths, strict=True)):
        if ratio == 1 and length == x.shape[axis] and how != "tf_crop_and_resize":
            continue
        n, at = x.shape[axis], np.arange(length, dtype=np.float64)
        if how == "asymmetric":
            place = at / ratio
        elif how == "align_corners":
            place = at * (n - 1) / max(ratio * n - 1, 1)
        elif how == "half_pixel":
            place = (at + 0.5) / ratio - 0.5
        elif how == "pytorch_half_pixel":
            place = (at + 0.5) / ratio - 0.5 if length > 1 else np.zeros(1)
        elif how == "half_pixel_symmetric":
            adjusted = length / (ratio * n)
            place = n / 2 * (1 - adjusted) + (at + 0.5) / ratio - 0.5
        elif how == "tf_crop_and_resize":
            start, end = float(roi[i]), float(roi[len(axes) + i])  # type: ignore[index]
            place = (
                start * (n - 1) + at * (end - start) * (n - 1) / (length - 1)
                if length > 1
                else np.array([0.5 * (start + end) * (n - 1)])
            )
            beyond = ((place < 0) | (place > n - 1)).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
            outside = beyond if outside is None else outside | beyond
        else:
            raise Unsupported(f"coordinate_transformation_mode={how!r}")
        y = _resized(y, axis, place, ratio, node, mode)
    if outside is not None:
        y = np.where(outside, node("extrapolation_value", 0.0), y)
    if x.dtype.kind in "iu" and mode != "nearest":
        y = np.clip(np.rint(y), np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return y.astype(x.dtype)


def _resized(y: Array, axis: int, place: Array, ratio: float, node: Node, mode: str) -> Array:
    """One axis at new places."""
    n = y.shape[axis]
    if mode == "nearest":
        how = node("nearest_mode", "round_prefer_floor") if node.version >= 11 else "floor"
        index = {
            "round_prefer_floor": np.ceil(place - 0.5), "round_prefer_ceil": np.floor(place + 0.5),
            "floor": np.floor(place), "ceil": np.ceil(place),
        }[how]  # fmt: skip
        return np.take(y, np.clip(index, 0, n - 1).astype(np.int64), axis=axis)
    shrink = min(ratio, 1.0) if node("antialias", 0) else 1.0
    a = node("cubic_coeff_a", -0.75)
    support = (1 if mode == "linear" else 2) / shrink
    first = (
        np.floor(place - support).astype(np.int64) + 1
        if shrink < 1
        else np.floor(place).astype(np.int64) - (0 if mode == "linear" else 1)
    )
    count = math.ceil(2 * support) + 1 if shrink < 1 else (2 if mode == "linear" else 4)
    index = first[:, None] + np.arange(count)
    distance = abs(place[:, None] - index) * shrink
    if mode == "linear":
        weight = np.clip(1 - distance, 0, None)
    else:
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    if node("exclude_outside", 0) or shrink < 1:
        inside = (index >= 0) & (index < n) if node("exclude_outside", 0) else np.ones_like(index, bool)
        weight = weight * inside
        weight = weight / weight.sum(axis=1, keepdims=True)
    taken = np.take(y, np.clip(index, 0, n - 1), axis=axis)
    return (taken * weight.reshape([1] * axis + list(weight.shape) + [1] * (y.ndim - axis - 1))).sum(axis=axis + 1)


@operator("CenterCropPad")
def _center_crop_pad(node: Node, x: Array, shape: Array) -> Array:
    axes = node("axes") or list(range(x.ndim))
    for axis, length in zip(axes, shape.tolist(), strict=True):
        n = x.shape[axis]
        if length <= n:
            start = (n - length) // 2
            x = np.take(x, np.arange(start, start + length), axis=axis)
        else:
            before = (length - n) // 2
            widths = [(0, 0)] * x.ndim
            widths[axis % x.ndim] = (before, length - n - before)
            x = np.pad(x, widths)
    return x


@operator("Col2Im")
def _col2im(node: Node, x: Array, shape: Array, block: Array) -> Array:
    dims = len(shape)
    strides, dilations = node("strides") or [1] * dims, node("dilations") or [1] * dims
    pads, size = node("pads") or [0] * 2 * dims, block.tolist()
    full = [int(n) + pads[i] + pads[i + dims] for i, n in enumerate(shape)]
    counts = [(f - d * (k - 1) - 1) // s + 1 for f, d, k, s in zip(full, dilations, size, strides, strict=True)]
    columns: Any = x.reshape(x.shape[0], -1, *size, *counts)
    found: Any = np.zeros((*columns.shape[:2], *full), x.dtype)
    for place in itertools.product(*map(range, size)):
        where = tuple(
            slice(p * d, p * d + (c - 1) * s + 1, s)
            for p, d, c, s in zip(place, dilations, counts, strides, strict=True)
        )
        found[(..., *where)] += columns[:, :, *place]
    cut = tuple(slice(pads[i], f - pads[i + dims]) for i, f in enumerate(full))
    return np.asarray(found[(..., *cut)])


# Texts.
@operator("StringConcat")
def _string_concat(node: Node, a: Array, b: Array) -> Array:
    return np.asarray(np.add(a.astype(object), b.astype(object)), object)
