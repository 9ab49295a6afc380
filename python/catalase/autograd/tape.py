"""The tape: values that remember where they came from, and the walk back that leaves gradients.

Every operation on tensors that need a gradient leaves a node: the tensors it came from, and a function from the gradient
at its output to the gradients at its inputs. ``backward`` walks the nodes once, in reverse, and forgets them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


class Node:
    """What a tensor is, without what it can compute: an array, its gradient, and its place on the tape."""

    __slots__ = ("__weakref__", "_backward", "_parents", "data", "grad", "requires_grad")

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        if isinstance(array, Node):
            array = array.data
        if not isinstance(array, np.ndarray):
            if not isinstance(array, (np.float32, np.float64)):
                array = np.asarray(array, dtype=np.float32)
            array = np.asarray(array)
        if array.dtype != np.float32 and array.dtype != np.float64:
            raise TypeError(f"Tensor: the array must be float32 or float64, got {array.dtype}; use .astype(np.float32)")
        self.data: Array = array
        self.grad: Array | None = None
        self.requires_grad = bool(requires_grad)
        self._parents: tuple[Node, ...] = ()
        self._backward: Backward | None = None

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

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return self.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.data if dtype is None else self.data.astype(dtype, copy=False)
        return array.copy() if copy else array

    def numpy(self) -> Array:
        """Return the array itself, not a copy."""
        return self.data

    def item(self) -> float:
        """Return the value of a tensor that holds one number."""
        return float(self.data.item())

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
            If nothing here needs a gradient, or the graph was walked before.
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
            grad = np.ones(self.shape, self.dtype)
        grad = np.asarray(grad.data if isinstance(grad, Node) else grad, dtype=self.dtype)
        if grad.shape != self.shape:
            raise ValueError(f"backward: grad must have shape {self.shape}, got {grad.shape}")
        gradients: dict[int, Array] = {id(self): grad}
        order = _order(self)
        if any(tensor._backward is _spent for tensor in order):
            _spent(grad)  # before any gradient is written
        for tensor in reversed(order):
            at = gradients.pop(id(tensor), None)
            if at is None:
                continue
            if tensor._backward is None:
                tensor._accumulate(at)
                continue
            for parent, value in zip(tensor._parents, tensor._backward(at), strict=True):
                if value is None or not parent.requires_grad:
                    continue
                known = gradients.get(id(parent))
                gradients[id(parent)] = value if known is None else known + value
            tensor._parents, tensor._backward = (), _spent

    def _accumulate(self, grad: Array) -> None:
        if self.grad is None:
            self.grad = np.array(grad)  # a copy of its own: the array may be a view, or shared with another leaf
        else:
            self.grad = self.grad + grad


def _order(root: Node) -> list[Node]:
    """Every tensor that needs a gradient, each after those it came from. No recursion: graphs may be deep."""
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        tensor, done = stack.pop()
        if done:
            order.append(tensor)
            continue
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        stack.append((tensor, True))
        stack.extend((p, False) for p in tensor._parents if p.requires_grad and id(p) not in seen)
    return order
