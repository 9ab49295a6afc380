"""The tape: values that remember where they came from, and the walk back that leaves gradients.

Every operation on tensors that need a gradient leaves a node: the tensors it came from, and a function from the gradient
at its output to the gradients at its inputs. ``backward`` walks the nodes once, in reverse, and forgets them.
"""

from __future__ import annotations

import functools
import itertools
import operator
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import flag
from ..backends import backend_of, device_of, is_device_array, to_device_of, to_host

Array = NDArray[Any]
Backward = Callable[[Array], "tuple[Array | None, ...]"]


class _Recording(threading.local):
    on = True


_recording = _Recording()


class no_grad:
    """Record nothing inside: a context manager, and a decorator. Per thread.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = ct.Tensor(np.ones(2), requires_grad=True)
    >>> with ct.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self) -> None:
        self._before: list[bool] = []  # a stack: one object may be entered twice

    def __enter__(self) -> None:
        self._before.append(_recording.on)
        _recording.on = False

    def __exit__(self, *_: object) -> None:
        _recording.on = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def quiet(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return function(*args, **kwargs)

        return quiet


def is_recording() -> bool:
    """Return whether operations are recorded on this thread."""
    return _recording.on


def _spent(_: Array) -> tuple[Array | None, ...]:
    raise RuntimeError(
        "backward: the graph of this tensor has been walked already and is gone; run the forward pass again"
    )


_counter = itertools.count(1)
_made = operator.attrgetter("_made")


_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


class Node:
    """What a tensor is, without what it can compute: an array, its gradient, and its place on the tape."""

    __slots__ = ("__weakref__", "_backward", "_made", "_parents", "_versions", "data", "grad", "requires_grad")

    version = 0  # of the array; parameters count their changes

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        if type(array) is not np.ndarray or (array.dtype is not _F32 and array.dtype is not _F64):
            array = _as_array(array)
        self.data: Array = array
        self.grad: Array | None = None
        if requires_grad is not False and requires_grad is not True:
            requires_grad = flag("Tensor", "requires_grad", requires_grad)
        self.requires_grad = requires_grad
        self._parents: tuple[Node, ...] = ()
        self._versions: list[int] = []  # of the parents, when the operation ran
        self._backward: Backward | None = None
        self._made = 0

    # What it is.
    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.data!r}{', requires_grad=True' if self.requires_grad else ''})"

    @property
    def device(self) -> str:
        """Where the array lives: "cpu" or "cuda"."""
        return device_of(self.data)

    def __bool__(self) -> bool:
        return bool(to_host(self.data))

    def __float__(self) -> float:
        return self.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        data = self.numpy()
        array = data if dtype is None else data.astype(dtype, copy=False)
        return array.copy() if copy else array

    def numpy(self) -> Array:
        """Return the array itself, not a copy; a copy of what is on a device."""
        data = self.data
        return data if type(data) is np.ndarray else to_host(data)

    def item(self) -> float:
        """Return the value of a tensor that holds one number."""
        return float(self.numpy().item())

    # Gradients.
    def backward(self, grad: Any = None) -> None:
        """Add the gradient of this tensor to ``.grad`` of every tensor it came from that asks for one.

        Parameters
        ----------
        grad : array_like, optional
            Gradient at this tensor, of its shape; may be left out for a tensor of one number.

        Raises
        ------
        RuntimeError
            If nothing here needs a gradient, the graph was walked before, or a parameter in it was changed since (by an
            optimizer's step, say): the gradients would be wrong. None is written then.
        ValueError
            If ``grad`` is needed or does not fit.
        """
        if not self.requires_grad:
            raise RuntimeError("backward: this tensor needs no gradient; make its inputs with requires_grad=True")
        if grad is None:
            if self.data.size != 1:
                raise ValueError(
                    f"backward: a tensor of shape {self.shape} needs grad=...; only one number goes without"
                )
            grad = backend_of(self.data).full(self.shape, 1.0, self.data.dtype)
        grad = grad.data if isinstance(grad, Node) else grad
        if not is_device_array(self.data):
            grad = numbers("backward", "grad", grad, self.dtype)
        elif not is_device_array(grad):
            grad = to_device_of(numbers("backward", "grad", grad, self.dtype), self.data)
        if grad.shape != self.shape:
            raise ValueError(f"backward: grad must have shape {self.shape}, got {grad.shape}")
        if self._backward is None:
            self._accumulate(grad)
            return
        gradients: dict[int, Array] = {id(self): grad}
        for node in _newest_first(self):
            at = gradients.pop(id(node), None)
            backward, parents = node._backward, node._parents
            node._parents, node._versions, node._backward = (), [], _spent
            if at is None or backward is None:
                continue
            for parent, value in zip(parents, backward(at), strict=True):
                if value is None or not parent.requires_grad:
                    continue
                if parent._backward is None:
                    # At once, before another node asks where to write: a parameter may be used twice.
                    parent._accumulate(value)
                    continue
                known = gradients.get(id(parent))
                gradients[id(parent)] = value if known is None else backend_of(known, value).add(known, value)

    def _accumulate(self, grad: Array) -> None:
        if self.grad is None:
            self.grad = backend_of(grad).copy(grad)  # its own: the array may be a view, or shared with another leaf
        else:
            self.grad = backend_of(self.grad, grad).add(self.grad, grad)


def _as_array(values: Any) -> Array:
    """The array of a tensor to be: float32 and float64 as they are, numbers and lists as float32."""
    if isinstance(values, Node):
        values = values.data
    if type(values) is not np.ndarray and is_device_array(values):
        if values.dtype != np.float32:
            raise TypeError(f"Tensor: an array on a device must be float32, got {values.dtype}; use .astype('float32')")
        return values
    if type(values) is not np.ndarray:
        exact = isinstance(values, (np.ndarray, np.float32, np.float64))
        values = numbers("Tensor", "the array", values, None if exact else np.float32)
    if values.dtype != np.float32 and values.dtype != np.float64:
        raise TypeError(f"Tensor: the array must be float32 or float64, got {values.dtype}; use .astype(np.float32)")
    return values


def _newest_first(root: Node) -> list[Node]:
    """The nodes of a graph, each before those it came from. No recursion: graphs may be deep.

    A node is younger than its parents, so that the order in which they were made is all that is needed.
    """
    found = {id(root): root}
    stack = [root]
    while stack:
        node = stack.pop()
        if node._backward is _spent:  # this and the versions are looked at before any gradient is written
            _spent(node.data)
        for parent, version in zip(node._parents, node._versions, strict=True):
            if parent.version != version:
                raise RuntimeError(_changed(parent))
            if parent._backward is not None and id(parent) not in found:
                found[id(parent)] = parent
                stack.append(parent)
    return sorted(found.values(), key=_made, reverse=True)


def _changed(parameter: Node) -> str:
    name = getattr(parameter, "name", "") or f"of shape {parameter.shape}"
    return (
        f"backward: the parameter {name} was changed after the forward pass (by an optimizer's step, load_state_dict or to), "
        "so gradients from this graph would be wrong; call backward first, or run the forward pass again"
    )


def put_on_tape(node: Node, parents: tuple[Node, ...], backward: Backward) -> None:
    """Make a value the result of an operation, where a gradient is wanted."""
    if not _recording.on:
        return
    for parent in parents:
        if parent.requires_grad:
            node.requires_grad = True
            node._parents = parents
            node._versions = [parent.version for parent in parents]
            node._backward = backward
            node._made = next(_counter)
            return
