"""Tensors and the tape: the only place that knows about gradients flowing.

Every operation on tensors that need a gradient leaves a node: the tensors it came from, and a function from the gradient
at its output to the gradients at its inputs. ``backward`` walks the nodes once, in reverse, and forgets them.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import ops

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


def _spent(_: Array) -> tuple[Array | None, ...]:
    raise RuntimeError(
        "backward: the graph of this tensor has been walked already and is gone; run the forward pass again"
    )


class Tensor:
    """An array that remembers where it came from.

    Parameters
    ----------
    array : array_like
        float32 or float64 arrays are taken without a copy; Python numbers and lists become float32.
    requires_grad : bool
        Whether `backward` should leave a gradient in ``.grad``.

    Raises
    ------
    TypeError
        For arrays of another dtype (integers, booleans, objects): convert them first.

    Notes
    -----
    Mixed float32 and float64 arithmetic is refused; Python numbers take the tensor's dtype. NaN and infinity propagate.
    The array is shared, so changing ``.data`` in place between the forward and the backward pass changes the gradient
    (of parameters, `nn.functional.linear` notices). ``x += y`` makes a new tensor and is refused where ``x`` is one that
    you made with a gradient, since that one would be lost. ``==`` and the other comparisons give boolean arrays.
    ``numpy.asarray(tensor)`` gives the array, off the tape.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = ct.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_backward", "_parents", "data", "grad", "requires_grad")
    __array_priority__ = 1000
    __array_ufunc__ = None  # ndarray + Tensor is a Tensor, made by __radd__

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        if isinstance(array, Tensor):
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
        self._parents: tuple[Tensor, ...] = ()
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

    @property
    def T(self) -> Tensor:
        return self.transpose()

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"Tensor({self.data!r}{', requires_grad=True' if self.requires_grad else ''})"

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

    def detach(self) -> Tensor:
        """Return a tensor of the same array that remembers nothing."""
        return Tensor(self.data)

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
        grad = np.asarray(grad.data if isinstance(grad, Tensor) else grad, dtype=self.dtype)
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

    # Arithmetic.
    def __add__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        return record(a.data + b.data, (a, b), lambda g: (_fit(g, a), _fit(g, b)))

    def __sub__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        return record(a.data - b.data, (a, b), lambda g: (_fit(g, a), _fit(-g, b)))

    def __mul__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        return record(
            a.data * b.data,
            (a, b),
            lambda g: (
                _fit(g * b.data, a) if a.requires_grad else None,
                _fit(g * a.data, b) if b.requires_grad else None,
            ),
        )

    def __truediv__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        y = a.data / b.data
        return record(
            y,
            (a, b),
            lambda g: (
                _fit(g / b.data, a) if a.requires_grad else None,
                _fit(-g * y / b.data, b) if b.requires_grad else None,
            ),
        )

    def __pow__(self, other: Any) -> Tensor:
        a, b = self, _operand(other, self)
        y = a.data**b.data

        def backward(g: Array) -> tuple[Array | None, ...]:
            da = _fit(_power_slope(a.data, b.data) * g, a) if a.requires_grad else None
            if not b.requires_grad:
                return da, None
            safe = np.where(a.data > 0, a.data, 1)
            return da, _fit(g * y * np.log(safe), b)

        return record(y, (a, b), backward)

    def __neg__(self) -> Tensor:
        return record(-self.data, (self,), lambda g: (-g,))

    def __radd__(self, other: Any) -> Tensor:
        return self + other

    def __rmul__(self, other: Any) -> Tensor:
        return self * other

    def __rsub__(self, other: Any) -> Tensor:
        return _operand(other, self) - self

    def __rtruediv__(self, other: Any) -> Tensor:
        return _operand(other, self) / self

    def __rpow__(self, other: Any) -> Tensor:
        return _operand(other, self) ** self

    # In place: the tape could not undo it.
    def __iadd__(self, other: Any) -> Tensor:
        return self._not_a_leaf("+=") + other

    def __isub__(self, other: Any) -> Tensor:
        return self._not_a_leaf("-=") - other

    def __imul__(self, other: Any) -> Tensor:
        return self._not_a_leaf("*=") * other

    def __itruediv__(self, other: Any) -> Tensor:
        return self._not_a_leaf("/=") / other

    def _not_a_leaf(self, sign: str) -> Tensor:
        if self.requires_grad and self._backward is None:
            raise RuntimeError(
                f"Tensor: x {sign} ... would put a new tensor in the place of one whose gradient you asked for; give the "
                f"result another name, or change the array itself: x.data {sign} ..."
            )
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "Tensor: x[...] = ... is not recorded; build the result with autograd.where or autograd.concatenate, "
            "or change the array itself: x.data[...] = ..."
        )

    def __matmul__(self, other: Any) -> Tensor:
        """Multiply matrices, stacks of them, a stack by one matrix, and vectors (as NumPy does)."""
        a, b = self, _operand(other, self)
        if a.ndim == 1:
            y = a.reshape(1, a.size) @ b
            return y.reshape(y.shape[:-2] + y.shape[-1:] if b.ndim > 1 else y.shape[:-1])
        if b.ndim == 1:
            y = a @ b.reshape(b.size, 1)
            return y.reshape(y.shape[:-1])
        if a.ndim > 2 and b.ndim == 2:
            return (a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) @ b).reshape((*a.shape[:-1], b.shape[1]))
        return record(ops.matmul(a.data, b.data), (a, b), lambda g: ops.matmul_backward(g, a.data, b.data))

    def __rmatmul__(self, other: Any) -> Tensor:
        return _operand(other, self) @ self

    # Comparisons give plain boolean arrays.
    __hash__ = object.__hash__

    def __eq__(self, other: Any) -> Any:
        return self.data == _value(other)

    def __ne__(self, other: Any) -> Any:
        return self.data != _value(other)

    def __lt__(self, other: Any) -> Any:
        return self.data < _value(other)

    def __le__(self, other: Any) -> Any:
        return self.data <= _value(other)

    def __gt__(self, other: Any) -> Any:
        return self.data > _value(other)

    def __ge__(self, other: Any) -> Any:
        return self.data >= _value(other)

    # Functions of each value.
    def exp(self) -> Tensor:
        y = ops.exp(self.data)
        return record(y, (self,), lambda g: (g * y,))

    def log(self) -> Tensor:
        x = self.data
        return record(ops.log(x), (self,), lambda g: (g / x,))

    def sqrt(self) -> Tensor:
        y = np.sqrt(self.data)
        return record(y, (self,), lambda g: (g / (y + y),))

    def abs(self) -> Tensor:
        x = self.data
        return record(np.abs(x), (self,), lambda g: (g * np.sign(x),))

    def relu(self) -> Tensor:
        return self._activation("relu")

    def tanh(self) -> Tensor:
        return self._activation("tanh")

    def sigmoid(self) -> Tensor:
        return self._activation("sigmoid")

    def softplus(self) -> Tensor:
        return self._activation("softplus")

    def _activation(self, name: str) -> Tensor:
        y = ops.activation(self.data, name)
        return record(y, (self,), lambda g: (ops.activation_backward(g, y, name),))

    def softmax(self) -> Tensor:
        """Return the softmax over the last axis."""
        y = ops.softmax(self.data)
        return record(y, (self,), lambda g: (ops.softmax_backward(g, y),))

    def log_softmax(self) -> Tensor:
        """Return the logarithm of the softmax over the last axis."""
        y = ops.log_softmax(self.data)
        return record(y, (self,), lambda g: (ops.log_softmax_backward(g, y),))

    # Reductions.
    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        shape = self.shape
        y = np.asarray(self.data.sum(axis=axis, keepdims=keepdims))
        return record(y, (self,), lambda g: (np.broadcast_to(_keep(g, shape, axis, keepdims), shape),))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the mean; that of nothing is NaN."""
        shape = self.shape
        total = np.asarray(self.data.sum(axis=axis, keepdims=keepdims))
        count = self.dtype.type(max(1, self.size // max(1, total.size)))
        y = np.asarray(total / count) if self.size else np.full_like(total, np.nan)
        return record(y, (self,), lambda g: (np.broadcast_to(_keep(g / count, shape, axis, keepdims), shape),))

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the largest values; equal ones share the gradient evenly."""
        shape, x = self.shape, self.data
        y = np.asarray(x.max(axis=axis, keepdims=keepdims))

        def backward(g: Array) -> tuple[Array | None, ...]:
            hit = x == _keep(y, shape, axis, keepdims)
            return (hit * (_keep(g, shape, axis, keepdims) / hit.sum(axis=axis, keepdims=True, dtype=x.dtype)),)

        return record(y, (self,), backward)

    # Shapes.
    def reshape(self, *shape: Any) -> Tensor:
        before = self.shape
        y = self.data.reshape(*shape)
        return record(y, (self,), lambda g: (g.reshape(before),))

    def transpose(self, *axes: int) -> Tensor:
        order = tuple(axes) or tuple(reversed(range(self.ndim)))
        inverse = tuple(int(i) for i in np.argsort(order))
        return record(self.data.transpose(order), (self,), lambda g: (g.transpose(inverse),))

    def __getitem__(self, index: Any) -> Tensor:
        shape, dtype = self.shape, self.dtype
        y = np.asarray(self.data[index])
        parts = index if isinstance(index, tuple) else (index,)
        simple = all(isinstance(p, (int, slice, np.integer)) or p is None or p is Ellipsis for p in parts)

        def backward(g: Array) -> tuple[Array | None, ...]:
            dx = np.zeros(shape, dtype)
            if simple:
                dx[index] = g
            else:
                np.add.at(dx, index, g)  # an index array may name an element twice
            return (dx,)

        return record(y, (self,), backward)


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.concatenate([ct.Tensor(np.ones(2)), ct.Tensor(np.zeros(1))]).numpy()
    array([1., 1., 0.])
    """
    if not tensors:
        raise ValueError("concatenate: needs at least one tensor")
    parents = tuple(_operand(t, tensors[0]) if not isinstance(t, Tensor) else t for t in tensors)
    cuts = np.cumsum([t.shape[axis] for t in parents])[:-1]
    y = np.concatenate([t.data for t in parents], axis=axis)
    return record(y, parents, lambda g: tuple(np.split(g, cuts, axis=axis)))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return ``a`` where the condition holds and ``b`` elsewhere; the gradient goes to the one that was taken.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.where(np.array([True, False]), ct.Tensor(np.ones(2)), 0.0).numpy()
    array([1., 0.])
    """
    like = a if isinstance(a, Tensor) else b
    if not isinstance(like, Tensor):
        raise TypeError("where: a or b must be a Tensor; use np.where for plain arrays")
    a, b = _operand(a, like), _operand(b, like)
    mask = np.asarray(condition.data if isinstance(condition, Tensor) else condition, dtype=bool)
    zero = like.dtype.type(0)
    y = np.where(mask, a.data, b.data)
    return record(y, (a, b), lambda g: (_fit(np.where(mask, g, zero), a), _fit(np.where(mask, zero, g), b)))


def record(data: Array, parents: tuple[Tensor, ...], backward: Backward) -> Tensor:
    """Make the tensor of an operation, and its node where a gradient is wanted.

    Parameters
    ----------
    data : ndarray
        The result.
    parents : tuple of Tensor
        What it came from.
    backward : callable
        From the gradient at the result to one gradient (or None) for each parent.
    """
    out = Tensor(data)
    if _recording.on and any(p.requires_grad for p in parents):
        out.requires_grad = True
        out._parents = parents
        out._backward = backward
    return out


def is_recording() -> bool:
    """Return whether operations are recorded on this thread."""
    return _recording.on


def _order(root: Tensor) -> list[Tensor]:
    """Every tensor that needs a gradient, each after those it came from. No recursion: graphs may be deep."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(root, False)]
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


def _value(other: Any) -> Any:
    return other.data if isinstance(other, Tensor) else other


def _operand(other: Any, like: Tensor) -> Tensor:
    """Return ``other`` as a tensor of the dtype of ``like``; arrays of another dtype are refused."""
    if not isinstance(other, Tensor):
        if isinstance(other, (int, float, np.number, np.bool_)) or (isinstance(other, np.ndarray) and not other.ndim):
            return Tensor(np.asarray(other, dtype=like.dtype))
        if not isinstance(other, np.ndarray):
            raise TypeError(f"Tensor: arithmetic needs a Tensor, an array or a number, got {type(other).__name__}")
        other = Tensor(other)
    if other.dtype != like.dtype:
        raise TypeError(f"Tensor: cannot mix {like.dtype} and {other.dtype}; convert one with .astype")
    return other


def _power_slope(base: Array, exponent: Array) -> Array:
    """The derivative of ``base ** exponent`` by its base; 0 where the exponent is 0, at base 0 too."""
    if exponent.ndim == 0 and exponent == 0:
        return np.zeros_like(base)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exponent == 0, base.dtype.type(0), exponent * base ** (exponent - 1))


def _fit(grad: Array, parent: Tensor) -> Array:
    """Sum a gradient over the axes along which the parent was broadcast."""
    shape = parent.shape
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1 and grad.shape[extra + i] != 1)
    return np.asarray(grad.sum(axis=axes)).reshape(shape)


def _keep(x: Array, shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """Give a reduced array its axes of length 1 back."""
    if keepdims or not shape:
        return x
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    gone = {a % len(shape) for a in axes}
    return x.reshape(tuple(1 if i in gone else n for i, n in enumerate(shape)))
