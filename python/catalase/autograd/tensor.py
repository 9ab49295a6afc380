"""The tensor: arithmetic on the tape. Each operation is written next to its gradient."""

from __future__ import annotations

import copy
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import ops
from .._internal.arrays import refuse_masked
from .._internal.numbers import flag, is_list, number, shown, whole_number
from ..backends import CPU, backend_of, is_device_array, to_host
from ..backends.cuda import require_cuda
from ..ops.checks import DERIVED_FROM_INPUT, floating, numpy_array
from ..ops.elementwise import ActivationMethods
from .tape import RECORDING, Array, Node, Operation, put_on_tape

Backward = Callable[[Array], tuple[Array | None, ...]]


class Tensor(Node, ActivationMethods):
    """An array with a gradient, which remembers the operation that made it.

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
    (`backward` notices changes of parameters by an optimizer or `load_state_dict`). ``x += y`` makes a new tensor and is
    refused where ``x`` is one that you made with a gradient, since that one would be lost. ``==`` and the other
    comparisons give boolean arrays. ``numpy.asarray(tensor)`` gives the array, off the tape. ``copy.copy`` shares the
    array, ``copy.deepcopy`` copies it; ``pickle`` takes what is on a device to the host. The result of an operation must
    be detached first.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = ct.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ()
    __array_priority__ = 1000
    __array_ufunc__ = None  # ndarray + Tensor is a Tensor, made by __radd__

    @property
    def T(self) -> Tensor:
        return self.transpose()

    def _parts(self) -> dict[str, Any]:
        """Return the attributes of which a copy is made."""
        if self._operation is not None:
            raise TypeError(
                "Tensor: the result of an operation cannot be pickled or copied, since the graph behind it stays here; "
                "take tensor.detach() or tensor.numpy()"
            )
        return {
            "data": self.data,
            "grad": self.grad,
            "requires_grad": self.requires_grad,
            **getattr(self, "__dict__", {}),
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: to_host(x) if is_device_array(x) else x for name, x in self._parts().items()}

    def __setstate__(self, parts: dict[str, Any]) -> None:
        Node.__init__(self, parts["data"], parts["requires_grad"])
        for name, value in parts.items():
            setattr(self, name, value)

    def __copy__(self) -> Self:
        return self._again(self._parts())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._again(copy.deepcopy(self._parts(), memo))

    def _again(self, parts: dict[str, Any]) -> Self:
        copied = object.__new__(type(self))
        copied.__setstate__(parts)
        return copied

    def detach(self) -> Tensor:
        """Return a tensor of the same array without its history."""
        return Tensor(self.data)

    # Arithmetic.
    def __add__(self, other: Any) -> Tensor:
        a, b = self, operand(other, self)
        return record(_combined("+", "add", a, b), (a, b), lambda g: (fit_to(g, a), fit_to(g, b)))

    def __sub__(self, other: Any) -> Tensor:
        a, b = self, operand(other, self)

        def backward(g: Array) -> tuple[Array | None, ...]:
            return fit_to(g, a), fit_to(backend_of(g).negative(g), b) if b.requires_grad else None

        return record(_combined("-", "subtract", a, b), (a, b), backward)

    def __mul__(self, other: Any) -> Tensor:
        a, b = self, operand(other, self)
        return record(
            _combined("*", "multiply", a, b),
            (a, b),
            lambda g: (
                fit_to(backend_of(g, b.data).multiply(g, b.data), a) if a.requires_grad else None,
                fit_to(backend_of(g, a.data).multiply(g, a.data), b) if b.requires_grad else None,
            ),
        )

    def __truediv__(self, other: Any) -> Tensor:
        a, b = self, operand(other, self)
        xp, y = backend_of(a.data, b.data), _combined("/", "divide", a, b)

        def backward(g: Array) -> tuple[Array | None, ...]:
            da = fit_to(xp.divide(g, b.data), a) if a.requires_grad else None
            if not b.requires_grad:
                return da, None
            return da, fit_to(xp.divide(xp.multiply(xp.negative(g), y), b.data), b)

        return record(y, (a, b), backward)

    def __pow__(self, other: Any) -> Tensor:
        a, b = self, operand(other, self)
        xp, y = backend_of(a.data, b.data), _combined("**", "power", a, b)

        def backward(g: Array) -> tuple[Array | None, ...]:
            da = fit_to(xp.multiply(xp.power_slope(a.data, b.data), g), a) if a.requires_grad else None
            if not b.requires_grad:
                return da, None
            return da, fit_to(xp.multiply(xp.multiply(g, y), xp.log_or_zero(a.data)), b)

        return record(y, (a, b), backward)

    def __neg__(self) -> Tensor:
        return record(backend_of(self.data).negative(self.data), (self,), lambda g: (backend_of(g).negative(g),))

    def __radd__(self, other: Any) -> Tensor:
        return self + other

    def __rmul__(self, other: Any) -> Tensor:
        return self * other

    def __rsub__(self, other: Any) -> Tensor:
        return operand(other, self) - self

    def __rtruediv__(self, other: Any) -> Tensor:
        return operand(other, self) / self

    def __rpow__(self, other: Any) -> Tensor:
        return operand(other, self) ** self

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
        if self.requires_grad and self._operation is None:
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
        """Multiply vectors, matrices and stacks of matrices, which are broadcast, as ``numpy.matmul`` does."""
        a, b = self, operand(other, self)
        if a.ndim == 0 or b.ndim == 0:
            raise ValueError(
                f"Tensor: @ needs an axis or more on both sides, got {a.shape} @ {b.shape}; use * for a number"
            )
        if a.ndim == 1:
            y = a.reshape(1, a.size) @ b
            return y.reshape(y.shape[:-2] + y.shape[-1:] if b.ndim > 1 else y.shape[:-1])
        if b.ndim == 1:
            y = a @ b.reshape(b.size, 1)
            return y.reshape(y.shape[:-1])
        if a.ndim > 2 and b.ndim == 2:
            return (a.reshape(math.prod(a.shape[:-1]), a.shape[-1]) @ b).reshape((*a.shape[:-1], b.shape[1]))
        if a.shape[:-2] != b.shape[:-2]:
            try:
                stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            except ValueError:
                raise ValueError(f"Tensor: stacks of matrices {a.shape} @ {b.shape} do not broadcast") from None
            a, b = a._broadcast((*stack, *a.shape[-2:])), b._broadcast((*stack, *b.shape[-2:]))
        return record(ops.matmul(a.data, b.data), (a, b), lambda g: ops.matmul_backward(g, a.data, b.data))

    def _broadcast(self, shape: tuple[int, ...]) -> Tensor:
        return record(backend_of(self.data).broadcast_to(self.data, shape), (self,), lambda g: (fit_to(g, self),))

    def __rmatmul__(self, other: Any) -> Tensor:
        return operand(other, self) @ self

    # Comparisons give plain boolean arrays.
    __hash__ = object.__hash__

    def __eq__(self, other: Any) -> Any:
        return _compared(self, "==", operator.eq, other)

    def __ne__(self, other: Any) -> Any:
        return _compared(self, "!=", operator.ne, other)

    def __lt__(self, other: Any) -> Any:
        return _compared(self, "<", operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return _compared(self, "<=", operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return _compared(self, ">", operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return _compared(self, ">=", operator.ge, other)

    # Functions of each value.
    def exp(self) -> Tensor:
        y = ops.exp(self.data)
        return record(y, (self,), lambda g: (backend_of(g, y).multiply(g, y),))

    def log(self) -> Tensor:
        x = self.data
        return record(ops.log(x), (self,), lambda g: (backend_of(g, x).divide(g, x),))

    def sqrt(self) -> Tensor:
        xp = backend_of(self.data)
        y = xp.sqrt(self.data)
        return record(y, (self,), lambda g: (xp.divide(g, xp.add(y, y)),))

    def abs(self) -> Tensor:
        x, xp = self.data, backend_of(self.data)
        return record(xp.absolute(x), (self,), lambda g: (xp.multiply(g, xp.sign(x)),))

    def sin(self) -> Tensor:
        x, xp = self.data, backend_of(self.data)
        return record(xp.sin(x), (self,), lambda g: (xp.multiply(g, xp.cos(x)),))

    def cos(self) -> Tensor:
        x, xp = self.data, backend_of(self.data)
        return record(xp.cos(x), (self,), lambda g: (xp.negative(xp.multiply(g, xp.sin(x))),))

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:
        """Return the values, none below ``min`` nor above ``max`` (numbers, or None); the gradient of others is 0."""
        x, xp = self.data, backend_of(self.data)
        low = None if min is None else _value("clip", "min", min, self)
        high = None if max is None else _value("clip", "max", max, self)
        if low is not None and high is not None and low > high:
            raise ValueError(f"Tensor.clip: min must not be above max, got {shown(min)} and {shown(max)}")
        y = x if low is None else xp.maximum(x, low)
        y = y if high is None else xp.minimum(y, high)
        return record(xp.copy(x) if y is x else y, (self,), lambda g: (xp.multiply(g, xp.equal(x, y)),))

    def _activation(self, name: str) -> Tensor:
        return activated(self, name)

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
        shape, xp = self.shape, backend_of(self.data)
        axis, keepdims = _reduced("sum", self, axis, keepdims)
        y = xp.sum(self.data, axis, keepdims)
        return record(y, (self,), lambda g: (xp.broadcast_to(_keep(g, shape, axis, keepdims), shape),))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the mean; that of nothing is NaN."""
        x = self.data
        shape = x.shape
        if axis is None and keepdims is False and type(x) is np.ndarray and x.size:  # of a loss, in every training step
            divisor = x.dtype.type(x.size)
            y = np.asarray(CPU.sum(x) / divisor)
            return record(y, (self,), lambda g: (np.broadcast_to(g / divisor, shape),))
        xp = backend_of(x)
        axis, keepdims = _reduced("mean", self, axis, keepdims)
        total = xp.sum(self.data, axis, keepdims)
        count = self.dtype.type(max(1, self.size // max(1, total.size)))
        if not self.size:
            y = xp.full(total.shape, math.nan, total.dtype)
        else:
            y = np.asarray(total / count) if xp.is_host else xp.divide(total, count)
        if axis is None and xp.is_host:
            return record(y, (self,), lambda g: (np.full(shape, g.reshape(()) / count, g.dtype),))

        def backward(g: Array) -> tuple[Array | None, ...]:
            return (xp.broadcast_to(_keep(xp.divide(g, count), shape, axis, keepdims), shape),)

        return record(y, (self,), backward)

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the largest values; equal ones share the gradient evenly."""
        shape, x, xp = self.shape, self.data, backend_of(self.data)
        axis, keepdims = _reduced("max", self, axis, keepdims)
        y = xp.max(x, axis, keepdims)

        def backward(g: Array) -> tuple[Array | None, ...]:
            hit = xp.equal(x, _keep(y, shape, axis, keepdims))
            if xp.is_host:
                count = hit.sum(axis=axis, keepdims=True, dtype=x.dtype)
            else:
                count = xp.sum(hit, axis, keepdims=True)
            return (xp.multiply(hit, xp.divide(_keep(g, shape, axis, keepdims), count)),)

        return record(y, (self,), backward)

    def min(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the smallest values; equal ones share the gradient evenly."""
        axis, keepdims = _reduced("min", self, axis, keepdims)
        return -(-self).max(axis, keepdims)

    def argmax(self, axis: int | None = None) -> Any:
        """Return the places of the largest values along an axis, or in the flat array: whole numbers, of NumPy."""
        return np.argmax(to_host(self.data), _one_axis("argmax", self, axis))

    def argmin(self, axis: int | None = None) -> Any:
        """Return the places of the smallest values along an axis, or in the flat array: whole numbers, of NumPy."""
        return np.argmin(to_host(self.data), _one_axis("argmin", self, axis))

    def var(self, axis: int | tuple[int, ...] | None = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Return the mean squared difference from the mean; the divisor is the number of values less ``ddof``."""
        apart, count, axis, keepdims = self._apart("var", axis, ddof, keepdims)
        return (apart * apart).sum(axis, keepdims) / count

    def std(self, axis: int | tuple[int, ...] | None = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Return the root of `var`; where that is 0, so is the gradient."""
        apart, count, axis, keepdims = self._apart("std", axis, ddof, keepdims)
        return apart.norm(axis, keepdims) / math.sqrt(count)

    def _apart(self, function: str, axis: Any, ddof: Any, keepdims: Any) -> tuple[Tensor, int, Any, bool]:
        """Return the differences from the mean, and the divisor of their squares."""
        axis, keepdims = _reduced(function, self, axis, keepdims)
        chosen = range(self.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        count = math.prod(self.shape[i] for i in chosen)
        if not count:
            raise ValueError(f"Tensor.{function}: there is nothing along axis {shown(axis)} of shape {self.shape}")
        ddof = whole_number(f"Tensor.{function}", "ddof", ddof, 0, count - 1)
        return self - self.mean(axis, True), count - ddof, axis, keepdims

    def norm(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the Euclidean norm, the root of the sum of squares; where that is 0, so is the gradient."""
        shape, x, xp = self.shape, self.data, backend_of(self.data)
        axis, keepdims = _reduced("norm", self, axis, keepdims)
        with np.errstate(over="ignore"):  # the result shows infinity
            y = xp.sqrt(xp.sum(xp.multiply(x, x), axis, keepdims))

        def backward(g: Array) -> tuple[Array | None, ...]:
            length = _keep(y, shape, axis, keepdims)
            share = xp.divide(_keep(g, shape, axis, keepdims), xp.add(length, xp.equal(length, 0.0)))
            return (xp.multiply(x, share),)

        return record(np.asarray(y) if xp.is_host else y, (self,), backward)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Return running sums along an axis, or of the flat array."""
        if axis is None:
            return self.reshape(self.size).cumsum(0)
        axis = _one_axis("cumsum", self, axis)
        xp, back = backend_of(self.data), (*(slice(None),) * axis, slice(None, None, -1))
        return record(xp.cumsum(self.data, axis), (self,), lambda g: (xp.cumsum(g[back], axis)[back],))

    # Shapes.
    def squeeze(self, axis: int | tuple[int, ...] | None = None) -> Tensor:
        """Return the tensor without axes of length 1: those of ``axis``, or all."""
        chosen, _ = _reduced("squeeze", self, axis, False)
        gone = [i for i, n in enumerate(self.shape) if n == 1] if chosen is None else np.atleast_1d(chosen).tolist()
        if any(self.shape[i] != 1 for i in gone):
            raise ValueError(f"Tensor.squeeze: axis must name axes of length 1, got {shown(axis)} for {self.shape}")
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if i not in gone))

    def expand_dims(self, axis: int) -> Tensor:
        """Return the tensor with a new axis of length 1 at the place ``axis`` of the result."""
        place = whole_number("Tensor.expand_dims", "axis", axis, -self.ndim - 1, self.ndim) % (self.ndim + 1)
        return self.reshape((*self.shape[:place], 1, *self.shape[place:]))

    def split(self, sections: Any, axis: int = 0) -> list[Tensor]:
        """Return parts along an axis: ``sections`` equal ones, or those between the places that a list names."""
        axis = whole_number("Tensor.split", "axis", axis, -self.ndim, self.ndim - 1) % self.ndim
        length, before = self.shape[axis], (slice(None),) * axis
        if is_list(sections):
            stops = [whole_number("Tensor.split", "each of sections", n, 0, length) for n in sections]
            if stops != sorted(stops):
                raise ValueError(f"Tensor.split: sections must ascend, got {shown(sections)}")
        else:
            count = whole_number("Tensor.split", "sections", sections, 1)
            if length % count:
                raise ValueError(f"Tensor.split: sections must divide the length {length}, got {shown(sections)}")
            stops = list(range(length // count, length, length // count)) if length else [0] * (count - 1)
        places = itertools.pairwise([0, *stops, length])
        return [self[(*before, slice(start, stop))] for start, stop in places]

    def pad(self, pad_width: Any, value: float = 0.0) -> Tensor:
        """Return the tensor with ``value`` around it.

        Parameters
        ----------
        pad_width : int, (int, int), or one such pair for each axis
            How many values before and after, as ``numpy.pad`` takes them.
        value : float
        """
        x, xp = self.data, backend_of(self.data)
        around = _pad_width(pad_width, x.ndim)
        filled = float(_value("pad", "value", value, self))
        y = xp.full(tuple(n + a + b for n, (a, b) in zip(x.shape, around, strict=True)), filled, x.dtype)
        inner = tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, around, strict=True))
        xp.copyto(y[inner], x)
        return record(y, (self,), lambda g: (g[inner],))

    def reshape(self, *shape: Any) -> Tensor:
        x = self.data
        before = x.shape
        y = (CPU if type(x) is np.ndarray else backend_of(x)).reshape(x, _new_shape(shape, x.size))
        return record(y, (self,), lambda g: (backend_of(g).reshape(g, before),))

    def transpose(self, *axes: int) -> Tensor:
        order = _order(axes, self.ndim)
        inverse = tuple(int(i) for i in np.argsort(order))
        return record(self.data.transpose(order), (self,), lambda g: (g.transpose(inverse),))

    def __getitem__(self, index: Any) -> Tensor:
        x = self.data
        if isinstance(index, Tensor):
            raise IndexError(
                "Tensor: an index must be whole numbers, slices or booleans, got a Tensor, which holds floats"
            )
        for part in index if isinstance(index, tuple) else (index,):
            refuse_masked("Tensor", "the index", part)
        try:
            y, gradient = backend_of(x).index(x, index)
        except (IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
            if str(error).startswith("Tensor: "):
                raise
            raise IndexError(f"Tensor: the index {shown(index)} does not fit the shape {x.shape}: {error}") from None
        return record(y, (self,), lambda g: (gradient(g),))


Node._tensor = Tensor


def from_dlpack(x: Any) -> Tensor:
    """Return a tensor over the memory of another library's array, without a copy: of PyTorch, JAX, CuPy, NumPy and others.

    Parameters
    ----------
    x : object with ``__dlpack__`` and ``__dlpack_device__``
        float32 or float64, on the CPU or on a CUDA device (float32).

    Returns
    -------
    Tensor
        It needs no gradient.

    Raises
    ------
    TypeError
        For other objects and dtypes.
    ValueError
        Where the other library does not give its array away, as PyTorch does not one that needs a gradient, or on another
        device.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.ones(3)
    >>> y = ct.from_dlpack(x)
    >>> x[0] = 2
    >>> y.numpy()
    array([2., 1., 1.])
    """
    if isinstance(x, type) or not (hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")):
        raise TypeError(f"from_dlpack: x must be an array with __dlpack__ and __dlpack_device__, got {shown(x)}")
    refuse_masked("from_dlpack", "x", x)
    try:
        kind = int(x.__dlpack_device__()[0])
        if kind not in (_DLPACK_CPU, _DLPACK_CUDA):
            raise ValueError(f"x must be on the CPU or a CUDA device, got the DLPack device {kind}")
        array = np.from_dlpack(x) if kind == _DLPACK_CPU else require_cuda("from_dlpack").from_dlpack(x)
    except (BufferError, RuntimeError, ValueError) as error:
        raise ValueError(f"from_dlpack: x cannot be read where it is: {error}") from None
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"from_dlpack: x must be float32 or float64, got {array.dtype}; convert it first")
    return Tensor(array)


_DLPACK_CPU, _DLPACK_CUDA = 1, 2  # device types of DLPack
_LARGEST = {np.dtype(kind): float(np.finfo(kind).max) for kind in (np.float32, np.float64)}


def _reduced(function: str, x: Tensor, axis: Any, keepdims: Any) -> tuple[Any, bool]:
    """Return the axes of a reduction, in range, and whether they are kept."""
    if keepdims is not False and keepdims is not True:
        keepdims = flag(f"Tensor.{function}", "keepdims", keepdims)
    if axis is None:
        return None, keepdims
    several = isinstance(axis, (tuple, list))
    axes = tuple(
        whole_number(f"Tensor.{function}", "axis", one, -x.ndim, x.ndim - 1) % x.ndim
        for one in (axis if several else (axis,))
    )
    if len(set(axes)) != len(axes):
        raise ValueError(f"Tensor.{function}: axis names one twice, got {shown(axis)}")
    if function in ("max", "min") and math.prod(x.shape[i] for i in axes) == 0 and x.size == 0:
        raise ValueError(f"Tensor.{function}: there is nothing along axis {shown(axis)} of shape {x.shape}")
    return axes if several else axes[0], keepdims


def _value(function: str, name: str, given: Any, x: Tensor) -> Any:
    """Return a finite number in the dtype of a tensor."""
    most = _LARGEST[x.dtype]
    return x.dtype.type(number(f"Tensor.{function}", name, given, at_least=-most, at_most=most))


def _one_axis(function: str, x: Tensor, axis: Any) -> Any:
    """Return one axis, in range, or None."""
    if function.startswith("arg") and not x.size:
        raise ValueError(f"Tensor.{function}: there is nothing along axis {shown(axis)} of shape {x.shape}")
    if axis is None:
        return None
    return whole_number(f"Tensor.{function}", "axis", axis, -x.ndim, x.ndim - 1) % max(1, x.ndim)


def _pad_width(given: Any, ndim: int) -> list[tuple[int, int]]:
    """Return how many values `Tensor.pad` adds before and after each axis."""
    pairs = given if is_list(given) else (given, given)
    if not any(map(is_list, pairs)):
        pairs = [pairs] * ndim
    pairs = [one if is_list(one) else (one, one) for one in pairs]
    pairs = pairs * ndim if len(pairs) == 1 else pairs
    if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"Tensor.pad: pad_width must be one pair or one for each of {ndim} axes, got {shown(given)}")
    a, b = ([whole_number("Tensor.pad", "each of pad_width", pair[i], 0, 2**31 - 1) for pair in pairs] for i in (0, 1))
    return list(zip(a, b, strict=True))


def _new_shape(shape: tuple[Any, ...], size: int) -> tuple[int, ...]:
    """Return a shape of that size, with one length of -1 computed."""
    lengths = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    if {*map(type, lengths)} == {int} and min(lengths) >= 0 and math.prod(lengths) == size:
        return lengths
    lengths = tuple([whole_number("Tensor.reshape", "each length of shape", n, -1) for n in lengths])
    left = lengths.count(-1)
    known = math.prod(lengths) * (-1) ** left
    if not left and known == size:
        return lengths
    if left > 1 or (known * (size // known if left and known else 1) != size) or (left and not known):
        raise ValueError(f"Tensor.reshape: {size} values do not fit the shape {shown(lengths)}")
    return tuple(size // known if n == -1 else n for n in lengths)


def _order(axes: tuple[Any, ...], ndim: int) -> tuple[int, ...]:
    if not axes:
        return tuple(reversed(range(ndim)))
    given = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
    order = tuple(whole_number("Tensor.transpose", "each of axes", a, -ndim, ndim - 1) % max(1, ndim) for a in given)
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"Tensor.transpose: axes must name each of {ndim} axes once, got {shown(given)}")
    return order


class _Recorded(Operation):
    """An operation with one output, whose ``backward`` is a function that `record` was given."""


def record(data: Array, parents: tuple[Tensor, ...], backward: Backward) -> Tensor:
    """Make the tensor of an operation, and record the operation where a gradient is wanted.

    `Function` is the other way to write an operation: for those with several outputs, or with much to keep.

    Parameters
    ----------
    data : ndarray
        The result.
    parents : tuple of Tensor
        The tensors that it was computed from.
    backward : callable
        From the gradient at the result to one gradient (or None) for each parent.
    """
    out = Tensor(data)
    if type(parents) is not tuple or not callable(backward):
        raise TypeError(
            f"record: parents must be a tuple and backward a function, got {shown(parents)} and {shown(backward)}"
        )
    wanted = False
    try:
        for parent in parents:
            wanted |= parent.requires_grad
    except AttributeError:
        raise TypeError(f"record: parents must be a tuple of Tensors, got {shown(parents)}") from None
    if wanted and RECORDING.on:
        operation = _Recorded()
        operation.backward = backward  # type: ignore[method-assign]
        put_on_tape(operation, parents, (out,))
    return out


def activated(x: Tensor, name: str | None) -> Tensor:
    """Apply an activation by name; see `catalase.ops.activation`."""
    y = ops.activation(x.data, name)
    output, given = (None, x.data) if name in DERIVED_FROM_INPUT else (y, None)
    return record(y, (x,), lambda g: (ops.activation_backward(g, output, name, x=given),))


def _combined(sign: str, name: str, a: Tensor, b: Tensor) -> Array:
    try:
        return getattr(backend_of(a.data, b.data), name)(a.data, b.data)
    except ValueError:  # NumPy's, at no cost where shapes fit
        _check_broadcast(sign, a.shape, b.shape)
        raise


def _check_broadcast(sign: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise ValueError(f"Tensor: shapes {a} {sign} {b} do not broadcast in arithmetic or comparison") from None


def _compared(a: Tensor, sign: str, compare: Any, other: Any) -> Any:
    """Return a plain boolean array. Objects that are neither numbers nor arrays are never equal, and have no order."""
    if isinstance(other, Tensor):
        other = other.data
    elif isinstance(other, (list, tuple, range)):
        try:
            other = np.asarray(other)
        except (ValueError, OverflowError, RecursionError):
            other = np.asarray(None)
    if is_device_array(other):
        return compare(a.data, other)
    real = isinstance(other, (bool, int, float)) or (
        isinstance(other, (np.ndarray, np.generic)) and other.dtype.kind in "iufb"
    )
    if not real:
        if sign in ("==", "!="):
            return NotImplemented
        raise TypeError(f"Tensor: comparison {sign} needs a Tensor, an array or a number, got {shown(other)}")
    if isinstance(other, int) and abs(other) > _LARGEST[a.dtype]:
        other = math.copysign(math.inf, other)  # the same answer, and no overflow
    if isinstance(other, np.ndarray):
        _check_broadcast(sign, a.shape, other.shape)
    return compare(a.data, other)


def operand(other: Any, like: Tensor, function: str = "Tensor", name: str = "arithmetic") -> Tensor:
    """Return ``other`` as a tensor of the dtype of ``like``; arrays of another dtype are refused."""
    if not isinstance(other, Tensor):
        if isinstance(other, (int, float)):  # bool too
            if not -_LARGEST[like.dtype] <= other <= _LARGEST[like.dtype] and other == other and abs(other) != math.inf:
                raise ValueError(f"{function}: {name} with {shown(other)} is beyond the range of {like.dtype}")
            return Tensor(np.asarray(other, dtype=like.dtype))
        scalar = isinstance(other, np.generic) or (isinstance(other, np.ndarray) and not other.ndim)
        refuse_masked(function, name, other)
        if scalar and other.dtype.kind in "iufb":
            return operand(other.item() if other.dtype.itemsize <= 8 else float(other), like, function, name)
        if not is_device_array(other):
            if scalar or not isinstance(other, np.ndarray):
                raise TypeError(f"{function}: {name} needs a Tensor, an array or a number, got {shown(other)}")
            other = numpy_array(function, name, other)
            if other.dtype != like.dtype:
                raise TypeError(
                    f"{function}: {name} cannot mix {like.dtype} and {other.dtype}; convert one with .astype"
                )
        other = Tensor(other)
    if other.dtype != like.dtype:
        raise TypeError(f"{function}: {name} cannot mix {like.dtype} and {other.dtype}; convert one with .astype")
    return other


def as_tensor(function: str, name: str, x: Any) -> Tensor:
    """Return an argument of a function as a tensor; arrays become tensors that need no gradient."""
    if isinstance(x, Tensor):
        return x
    if not isinstance(x, np.ndarray) and not is_device_array(x):
        raise TypeError(f"{function}: {name} must be a Tensor or a NumPy array, got {shown(x)}")
    return Tensor(x if is_device_array(x) else floating(function, name, x))


def fit_to(grad: Array, parent: Tensor) -> Array | None:
    """Sum a gradient over the axes along which the input was broadcast; None if the input needs no gradient."""
    shape = parent.shape
    if grad.shape == shape:
        return grad
    if not parent.requires_grad:
        return None
    extra = grad.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1 and grad.shape[extra + i] != 1)
    return backend_of(grad).sum(grad, axes).reshape(shape)


def _keep(x: Array, shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """Return a reduced array with its axes of length 1 restored."""
    if keepdims or not shape:
        return x
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    gone = {a % len(shape) for a in axes}
    return backend_of(x).reshape(x, tuple(1 if i in gone else n for i, n in enumerate(shape)))
