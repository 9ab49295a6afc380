"""Message passing on the tape: rows by number, and reductions over lists of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import ops
from ..._internal.numbers import shown
from ...autograd import Function, Tensor, is_recording, record
from ...autograd.tensor import activated, as_tensor
from ...backends import backend_of
from ...ops.checks import DERIVED_FROM_INPUT, floats
from ...ops.graph import check_transposed
from ...ops.linear import DeferredMatmul, before_activation

Input = Tensor | NDArray[Any]
Lists = tuple[ArrayLike, ArrayLike]


def gather_rows(values: Input, index: ArrayLike) -> Tensor:
    """Return ``values[index]``; see `catalase.ops.gather_rows`."""
    x, numbers = as_tensor("gather_rows", "values", values), _kept(index)
    y = ops.gather_rows(x.data, numbers)
    return record(y, (x,), lambda dy: (ops.gather_rows_backward(dy, numbers, len(x)),))


def gather_sum(
    values: Input,
    index: ArrayLike,
    offsets: ArrayLike,
    *,
    z: Input | None = None,
    kind: ArrayLike | None = None,
    relu: bool = False,
    transposed: Lists | None = None,
    kinds: Lists | None = None,
) -> Tensor:
    """Return the sum of the rows that each list names, plus ``z[kind]``; see `catalase.ops.gather_sum`.

    ``transposed`` and ``kinds`` are what `catalase.ops.transpose_index` returns for these lists, and for those of one entry
    that ``kind`` makes. Give them where they are known already; else the backward pass computes them.
    """
    function = "gather_sum"
    x, added = as_tensor(function, "values", values), None if z is None else as_tensor(function, "z", z)
    numbers: Any = _kept(index)
    starts, own = _kept(offsets), _kept(kind)
    y = ops.gather_sum(x.data, numbers, starts, z=None if added is None else added.data, kind=own, relu=relu)
    if transposed is not None:
        transposed = check_transposed(function, backend_of(y), "transposed", transposed, len(x), len(y), len(numbers))
    kinds = _checked_kinds(function, kinds, own, added, y)

    def backward(dy: NDArray[Any]) -> tuple[Any, ...]:
        dy = ops.activation_backward(dy, y, "relu") if relu else dy
        if transposed is not None:
            dx = ops.gather_sum(dy, *transposed)
        else:
            dx = ops.gather_sum_backward(dy, numbers, starts, len(x))
        return (dx,) if added is None else (dx, _gradient_of_kinds(dy, own, kinds, len(added)))

    return record(y, (x,) if added is None else (x, added), backward)


def _checked_kinds(function: str, kinds: Any, kind: Any, z: Any, y: NDArray[Any]) -> Any:
    if kinds is None:
        return None
    if kind is None:
        raise ValueError(f"{function}: kinds are the transposed lists of kind, but kind is None; leave kinds out")
    return check_transposed(function, backend_of(y), "kinds", kinds, len(z), len(y), len(y))


def _gradient_of_kinds(dz: NDArray[Any], kind: Any, kinds: Lists | None, rows: int) -> NDArray[Any]:
    """Return the gradient at z, given that of each list, which added row ``kind`` of z."""
    if kind is None:
        return dz
    if kinds is not None:
        return ops.gather_sum(dz, *kinds)
    return ops.gather_sum_backward(dz, kind, np.arange(len(dz) + 1), rows)


def gather_max(values: Input, index: ArrayLike, offsets: ArrayLike) -> Tensor:
    """Return the largest value among the rows that each list names; see `catalase.ops.gather_max`."""
    x, numbers, starts = as_tensor("gather_max", "values", values), _kept(index), _kept(offsets)
    y = ops.gather_max(x.data, numbers, starts)
    return record(y, (x,), lambda dy: (ops.gather_max_backward(dy, x.data, numbers, starts),))


class MessageUpdate(Function):
    """``activation(sum over lists of h @ w + b + z[kind])``; the gradient of ``w`` is deferred."""

    def forward(
        self, h: NDArray[Any], w: NDArray[Any], z: Any, b: Any, *, lists: tuple[Any, Any], kind: Any, activation: str | None,
        transposed: Lists | None, kinds: Lists | None,
    ) -> NDArray[Any]:  # fmt: skip
        index, offsets = lists
        more: dict[str, Any] = {"z": z, "kind": kind, "b": b, "activation": activation}
        if self.recorded:
            y, self.m = ops.message_update_forward(h, w, index, offsets, **more)
        else:
            y = ops.message_update(h, w, index, offsets, **more)
        function, backend = "message_update", backend_of(y)
        if transposed is not None:
            transposed = check_transposed(function, backend, "transposed", transposed, len(h), len(y), len(index))
        kinds = _checked_kinds(function, kinds, kind, z, y)
        if self.recorded:
            self.w, self.y, self.activation, self.has_bias = w, y, activation, b is not None
            self.lists, self.transposed, self.rows = lists, transposed, len(h)
            self.kind, self.kinds, self.z_rows = kind, kinds, 0 if z is None else len(z)
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        out, db = self.gradient_out(3) if self.has_bias else None, None
        if self.has_bias:
            dz, db = before_activation("message_update", dy, self.y, self.activation, out, own_out=out is not None)
        else:
            dz = dy if self.activation is None else ops.activation_backward(dy, self.y, self.activation)
        dh = dz0 = None
        if self.needs[0]:
            dm = ops.matmul(dz, self.w, transpose_b=True)
            if self.transposed is not None:
                dh = ops.gather_sum(dm, *self.transposed)
            else:
                dh = ops.gather_sum_backward(dm, *self.lists, self.rows)
        if self.needs[2]:
            dz0 = _gradient_of_kinds(dz, self.kind, self.kinds, self.z_rows)
        return dh, DeferredMatmul(self.m, dz, transpose_a=True), dz0, db


def message_update(
    h: Input,
    w: Input,
    index: ArrayLike,
    offsets: ArrayLike,
    *,
    z: Input | None = None,
    kind: ArrayLike | None = None,
    b: Input | None = None,
    activation: str | None = "relu",
    transposed: Lists | None = None,
    kinds: Lists | None = None,
) -> Tensor:
    """Return ``activation(gather_sum(h, index, offsets) @ w + b + z[kind])``; see `catalase.ops.message_update`.

    One operation on the tape, or two with an activation whose derivative is computed from its input, such as "gelu".
    ``transposed`` and ``kinds`` are the transposed lists of ``h`` and of ``z``, as `catalase.ops.RowLists` has them; the
    backward pass computes them where they are not given.
    """
    function = "message_update"
    if isinstance(activation, str) and activation in DERIVED_FROM_INPUT and is_recording():
        y = message_update(
            h, w, index, offsets, z=z, kind=kind, b=b, activation=None, transposed=transposed, kinds=kinds
        )
        return activated(y, activation)
    h, w = as_tensor(function, "h", h), as_tensor(function, "w", w)
    z = None if z is None else as_tensor(function, "z", z)
    return MessageUpdate.apply(
        h,
        w,
        z,
        None if b is None else as_tensor(function, "b", b),
        lists=(_kept(index), _kept(offsets)),
        kind=_kept(kind),
        activation=activation,
        transposed=transposed,
        kinds=kinds,
    )


class MessagePassing(Function):
    """ReLU of ``z``, and updates of messages that add ``z`` again; products are taken before the sums."""

    def forward(
        self, z: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, *, depths: tuple[ops.RowLists, ...]
    ) -> NDArray[Any]:
        backend, z, w, b = floats("message_passing", optional=("b",), z=z, w=w, b=b)
        if b is not None and b.shape != w.shape[1:]:
            raise ValueError(f"message_passing: b must have shape {tuple(w.shape[1:])}, got {tuple(b.shape)}")
        hidden = [ops.relu(z)]
        added = z if b is None else backend.add(z, b)
        for lists in depths:
            product = ops.matmul(hidden[-1], w)
            h = ops.gather_sum(product, lists.index, lists.offsets, z=added, kind=lists.kind, relu=True)
            hidden = [*hidden, h] if self.recorded else [h]
        if self.recorded:
            self.w, self.hidden, self.depths, self.has_bias = w, hidden, depths, b is not None
        return hidden[-1]

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        backend, w = backend_of(dy), self.w
        dz = ops.activation_backward(dy, self.hidden[-1], "relu")
        dz0 = dw = db = None
        for lists, below in zip(self.depths[::-1], self.hidden[-2::-1], strict=True):
            own = ops.gather_sum(dz, *lists.kinds) if lists.kinds is not None else dz
            dz0 = own if dz0 is None else backend.add(dz0, own)
            if self.has_bias:
                own = ops.linear_backward_bias(dz, dz)[1]
                db = own if db is None else backend.add(db, own)
            turned = lists.transposed or ops.transpose_index(lists.index, lists.offsets, len(below))
            dproduct = ops.gather_sum(dz, *turned)
            dw = ops.matmul(below, dproduct, transpose_a=True, add=dw)
            dz = ops.matmul(dproduct, w, transpose_b=True, keep=below)
        return dz if dz0 is None else backend.add(dz0, dz), dw, db


def message_passing(z: Input, w: Input, depths: Sequence[ops.RowLists], b: Input | None = None) -> Tensor:
    """Return the last hidden vectors of messages along bonds, all depths in one operation on the tape.

    The first are ``h = relu(z)``; each depth then computes ``h = relu(gather_sum(h @ w) + b + z[kind])``, which is what
    `message_update` computes but for rounding. The product is taken before the sum, since of equal environments fewer are
    distinct the smaller they are: of 64 molecules of Lipophilicity, 79 at depth 0, 465 at depth 1 and 1,403 at depth 2.

    Parameters
    ----------
    z : Tensor, shape (kinds, H)
        The products of the first layer.
    w : Tensor, shape (H, H)
    depths : sequence of RowLists
        What each depth sums, with ``kind``, such as the ``bonds`` of a `catalase.ops.EnvironmentBatch`.
    b : Tensor, shape (H,), optional

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np, catalase as ct
    >>> pair = SimpleNamespace(  # two atoms and a bond
    ...     atom_offsets=np.array([0, 2]), bond_offsets=np.array([0, 2]), bond_codes=np.zeros((2, 1), np.uint8),
    ...     atom_codes=np.array([[0], [1]], np.uint8), atom_floats=np.zeros((2, 0), np.float32),
    ...     source=np.array([0, 1], np.int32), target=np.array([1, 0], np.int32))
    >>> batch = ct.ops.environments(pair, 2).batch()
    >>> ct.nn.functional.message_passing(ct.Tensor(np.array([[1.0], [-1.0]])), np.eye(1), batch.bonds).numpy()
    array([[1.], [0.]])
    """
    function = "message_passing"
    z, w = as_tensor(function, "z", z), as_tensor(function, "w", w)
    b = None if b is None else as_tensor(function, "b", b)
    if not isinstance(depths, (list, tuple)) or not all(isinstance(lists, ops.RowLists) for lists in depths):
        raise TypeError(f"{function}: depths must be a list of RowLists, such as batch.bonds, got {shown(depths)}")
    if z.ndim != 2 or w.shape != (z.shape[1], z.shape[1]):
        raise ValueError(f"{function}: z must be (kinds, H) and w (H, H), got z {z.shape} and w {w.shape}")
    return MessagePassing.apply(z, w, b, depths=tuple(depths))


class GroupedLinear(Function):
    """``activation(x @ w[g] + b[g])`` for the rows of each group."""

    def forward(
        self, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, *, offsets: Any, activation: str | None
    ) -> NDArray[Any]:
        y = ops.grouped_linear(x, w, offsets, b, activation=activation)
        if self.recorded:
            self.x, self.w, self.y, self.offsets, self.activation = x, w, y, offsets, activation
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.grouped_linear_backward(dy, self.x, self.w, self.y, self.offsets, activation=self.activation)


def grouped_linear(
    x: Input, w: Input, offsets: ArrayLike, b: Input | None = None, *, activation: str | None = None
) -> Tensor:
    """Return ``activation(x @ w[g] + b[g])`` for the rows of each group; see `catalase.ops.grouped_linear`.

    One operation on the tape, or two with an activation whose derivative is computed from its input, such as "gelu".
    """
    function = "grouped_linear"
    if isinstance(activation, str) and activation in DERIVED_FROM_INPUT and is_recording():
        return activated(grouped_linear(x, w, offsets, b), activation)
    x, w = as_tensor(function, "x", x), as_tensor(function, "w", w)
    b = None if b is None else as_tensor(function, "b", b)
    return GroupedLinear.apply(x, w, b, offsets=_kept(offsets), activation=activation)


def segment_sum(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the sum of each segment of rows; see `catalase.ops.segment_sum`."""
    x, starts = as_tensor("segment_sum", "values", values), _kept(offsets)
    y = ops.segment_sum(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_sum_backward(dy, starts, len(x)),))


def segment_mean(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the mean of each segment of rows; see `catalase.ops.segment_mean`."""
    x, starts = as_tensor("segment_mean", "values", values), _kept(offsets)
    y = ops.segment_mean(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_mean_backward(dy, starts, len(x)),))


def segment_max(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the largest value of each segment of rows; see `catalase.ops.segment_max`."""
    x, starts = as_tensor("segment_max", "values", values), _kept(offsets)
    y = ops.segment_max(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_max_backward(dy, x.data, starts),))


def segment_softmax(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the softmax within each segment of rows; see `catalase.ops.segment_softmax`."""
    x, starts = as_tensor("segment_softmax", "values", values), _kept(offsets)
    y = ops.segment_softmax(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_softmax_backward(dy, y, starts),))


def _kept(numbers: Any) -> Any:
    """Return numbers as they are now: the caller may change an array of the host before the backward pass."""
    return numbers.copy() if type(numbers) in (np.ndarray, list) else numbers
