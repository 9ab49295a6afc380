"""Dense layers on a device: the product of ``cuda/matmul.cu``, or rows of the weights gathered by ``cuda/gather.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._config import get_matmul_precision
from ._arrays import Runtime, float32, is_device_array, output, runtime_of
from .arithmetic import combine
from .elementwise import activation_backward
from .matmul import _GRID, _rows, _stride, column_sum, product


class GatheredBatch:
    """A batch on a device whose entries are mostly zero: what `catalase.ops.as_sparse` returns for one.

    It refers to the array it was made of: write into that only after the step. ``shape`` and ``dtype`` are those of the
    features, ``entries`` how many are not zero (None for packed bits, which are not counted).
    """

    def __init__(self, data: Any, entries: int | None = None) -> None:
        self.data, self.entries = data, entries
        self.is_bits = data.dtype == np.uint8
        self.shape: tuple[int, int] = (data.shape[0], data.shape[1] * (8 if self.is_bits else 1))
        self.dtype, self.ndim = np.dtype(np.float32), 2

    def __len__(self) -> int:
        return self.shape[0]


def as_sparse(x: Any) -> GatheredBatch | None:
    """`catalase.ops.as_sparse` for device arrays: floats are counted on the device, which the host waits for."""
    if isinstance(x, GatheredBatch):
        return x
    if x.ndim != 2:
        raise ValueError(f"as_sparse: x must be a matrix, got shape {x.shape}")
    runtime = runtime_of("as_sparse", x=x)
    if x.dtype == np.uint8:
        return GatheredBatch(_rows(runtime, x))
    float32("as_sparse", "x", x)
    if x.size < 4096:
        return None
    x = _rows(runtime, x)
    counts = runtime.empty((x.shape[0],), np.int64)
    runtime.launch("gather.count_rows_f32", (x.shape[0],), (128,), 0, (x, _stride(x, 0), x.shape[1], counts))
    entries = int(runtime.to_host(counts).sum())
    return GatheredBatch(x, entries) if 8 * entries <= x.size else None


def linear(x: Any, w: Any, b: Any, code: int) -> Any:
    """`catalase.ops.linear` for device arrays: bits and a `GatheredBatch` are gathered, other floats multiplied."""
    runtime, x = _operands("linear", x, w)
    if b is not None:
        runtime_of("linear", w=w, b=b)
        float32("linear", "b", b)
        if b.shape != (w.shape[1],):
            raise ValueError(f"linear: b must have shape ({w.shape[1]},) to match w {w.shape}, got {b.shape}")
        b = runtime.contiguous(b)
    y = runtime.empty((x.shape[0], w.shape[1]), np.float32)
    if isinstance(x, GatheredBatch):
        w = _rows(runtime, w)
        _gather(runtime, "linear", x, x.shape[0], (x.shape[1], w, _stride(w, 0), b, code, y, w.shape[1]))
    else:
        product(runtime, x, w, y, bias=b, activation=code, precision=get_matmul_precision())
    return y


def weight_gradient(x: Any, dz: Any, out: Any = None) -> Any:
    """``x.T @ dz`` for a device array or a `GatheredBatch`, in ``out`` where given."""
    name = "LinearGradient.array"
    gathered = isinstance(x, GatheredBatch)
    runtime = runtime_of(name, x=None if gathered else x, dz=dz, out=out)
    float32(name, "dz", dz)
    if not gathered:
        float32(name, "x", x)
    if len(x.shape) != 2 or dz.ndim != 2 or x.shape[0] != dz.shape[0]:
        raise ValueError(f"{name}: x and dz must have equally many rows, got x {x.shape} and dz {dz.shape}")
    shape = (x.shape[1], dz.shape[1])
    out = output(name, runtime, out, shape, np.float32, dz=dz, **({} if gathered else {"x": x}))
    if not gathered:
        product(runtime, x.T, dz, out, precision=get_matmul_precision())
        return out
    target = out if out.flags.c_contiguous else runtime.empty(shape, np.float32)
    dz = _rows(runtime, dz)
    _gather(runtime, "weight_gradient", x, shape[0], (x.shape[0], dz, _stride(dz, 0), target, shape[1]))
    if target is not out:
        out[...] = target
    return out


def backward(
    dy: Any, x: Any, w: Any, y: Any, code: int, need_dx: bool, out_dw: Any, out_db: Any
) -> tuple[Any, Any, Any]:  # fmt: skip
    """`catalase.ops.linear_backward` for device arrays."""
    runtime, x = _operands("linear_backward", x, w)
    shape = (x.shape[0], w.shape[1])
    if dy.shape != shape or y.shape != shape:
        raise ValueError(f"linear_backward: dy and y must have shape {shape}, got dy {dy.shape} and y {y.shape}")
    dz, db = backward_bias(dy, y, code, out_db)
    dw = weight_gradient(x, dz, out_dw)
    if not need_dx or isinstance(x, GatheredBatch):
        return None, dw, db
    dx = runtime.empty((shape[0], w.shape[0]), np.float32)
    product(runtime, dz, w.T, dx, precision=get_matmul_precision())
    return dx, dw, db


def backward_bias(dy: Any, y: Any, code: int, out_db: Any, scale: float = 1.0) -> tuple[Any, Any]:
    """The gradient before the activation, and its column sums. A scale is that of a dropout after a ReLU."""
    runtime = runtime_of("linear_backward", dy=dy, y=y, out_db=out_db)
    float32("linear_backward", "dy", dy)
    if scale != 1.0:
        dy, code = combine("multiply", dy, scale), 1
    dz = activation_backward(dy, y, code) if code else _rows(runtime, dy)
    db = output("linear_backward", runtime, out_db, (dz.shape[1],))
    if not db.flags.c_contiguous:
        raise ValueError(f"linear_backward: out_db must be contiguous, got strides {db.strides}")
    column_sum(runtime, dz, db)
    return dz, db


def _operands(function: str, x: Any, w: Any) -> tuple[Runtime, Any]:
    """The runtime, and x as a device array of floats or a `GatheredBatch`; shapes that fit."""
    float32(function, "w", w)
    runtime = runtime_of(function, x=x.data if isinstance(x, GatheredBatch) else x, w=w)
    if is_device_array(x) and x.dtype == np.uint8:
        if x.ndim != 2 or w.ndim != 2 or w.shape[0] != 8 * x.shape[1]:
            raise TypeError(
                f"{function}: x is uint8, which is taken as packed bits and needs w with 8 rows a byte, got x {x.shape} "
                f"and w {w.shape}; for numbers use x.astype('float32')"
            )
        x = as_sparse(x)
    if not isinstance(x, GatheredBatch):
        float32(function, "x", x)
    from ..ops.linear import _check_shapes

    _check_shapes(function, x, w)
    return runtime, x


def _gather(runtime: Runtime, kernel: str, x: GatheredBatch, lines: int, args: tuple[Any, ...]) -> None:
    """One block a line (a row of the batch, or a feature) and 128 columns."""
    columns = args[-1]
    if columns > 128 * _GRID:
        raise ValueError(f"linear: {columns} outputs are more than a grid takes; multiply them in pieces")
    if lines and columns:
        name = f"gather.{kernel}_{'bits' if x.is_bits else 'rows'}_f32"
        runtime.launch(name, (lines, -(-columns // 128)), (128,), 0, (x.data, _stride(x.data, 0), *args))
