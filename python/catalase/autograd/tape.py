"""The tape: the functions that made a tensor, and the walk back through them that leaves gradients.

An operation on tensors that need a gradient is recorded: its inputs, the versions of the parameters among them, and a
``backward`` from the gradients at its outputs to those at its inputs. `Node.backward` walks the operations once, newest
first, and forgets them.
"""

from __future__ import annotations

import functools
import itertools
import operator
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import flag
from ..backends import backend_of, device_of, is_device_array, to_device_of, to_host
from ..ops.linear import DeferredMatmul

Array = NDArray[Any]


class _Recording(threading.local):
    on = True


RECORDING = _Recording()


class no_grad:
    """A context manager and decorator inside which this thread records no operations.

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
        self._before.append(RECORDING.on)
        RECORDING.on = False

    def __exit__(self, *_: object) -> None:
        RECORDING.on = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def quiet(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return function(*args, **kwargs)

        return quiet


def is_recording() -> bool:
    """Return whether operations are recorded on this thread."""
    return RECORDING.on


class Operation:
    """An operation on the tape. Subclasses write ``backward``, and keep the arrays that it needs in attributes.

    Attributes
    ----------
    inputs : tuple
        The tensors that the operation came from, and its other array arguments; empty once it has been walked.
    versions : list of int
        Of the inputs, when the operation ran: a parameter that has changed since would give wrong gradients.
    outputs : int
        How many tensors it made.
    takes_deferred : bool
        Whether ``backward`` takes a `catalase.ops.linear.DeferredMatmul` in place of the gradient at its output. Others
        get the product, multiplied out.
    """

    __slots__ = ("__weakref__", "inputs", "made", "outputs", "spent", "versions")
    inputs: tuple[Any, ...]
    versions: list[int]
    outputs: int
    made: int  # operations are numbered in the order in which they are recorded
    spent: bool  # whether the tape has been walked through it
    takes_deferred = False

    def backward(self, *gradients: Any) -> tuple[Any, ...]:
        """Return the gradient at each input (or None), given that at each output (None where nothing came back)."""
        raise TypeError(f"{type(self).__name__} has no backward method")

    def gradient_out(self, place: int) -> Array | None:
        """Return the array into which a kernel may write the gradient of an input, or None; asked for in ``backward``."""
        given = self.inputs[place]
        return given._grad_target() if isinstance(given, Node) else None


_counter = itertools.count(1)
_made = operator.attrgetter("made")

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


class Node:
    """A tensor without its arithmetic: an array, its gradient, and the operation that made it."""

    __slots__ = ("__weakref__", "_operation", "_output", "data", "grad", "requires_grad")

    _tensor: ClassVar[type[Node]]  # the class of what functions return: Tensor (tensor.py), which has arithmetic
    version = 0  # of the array; parameters count their changes

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        if type(array) is not np.ndarray or (array.dtype is not _F32 and array.dtype is not _F64):
            array = _as_array(array)
        self.data: Array = array
        self.grad: Array | None = None
        if requires_grad is not False and requires_grad is not True:
            requires_grad = flag("Tensor", "requires_grad", requires_grad)
        self.requires_grad = requires_grad
        self._operation: Operation | None = None
        self._output = 0  # which of the operation's outputs

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

    def __dlpack__(self, **options: Any) -> Any:
        """Lend the array's memory to another library, off the tape; see `catalase.from_dlpack` for the way back."""
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    def numpy(self) -> Array:
        """Return the array itself, not a copy; an array on a device is copied to the host."""
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
            x = self.data
            if x.size != 1:
                raise ValueError(
                    f"backward: a tensor of shape {self.shape} needs grad=...; only one number goes without"
                )
            grad = np.ones(x.shape, x.dtype) if type(x) is np.ndarray else backend_of(x).full(x.shape, 1.0, x.dtype)
        else:
            grad = grad.data if isinstance(grad, Node) else grad
            if not is_device_array(self.data):
                grad = numbers("backward", "grad", grad, self.dtype)
            elif not is_device_array(grad):
                grad = to_device_of(numbers("backward", "grad", grad, self.dtype), self.data)
            if grad.shape != self.shape:
                raise ValueError(f"backward: grad must have shape {self.shape}, got {grad.shape}")
            grad = backend_of(grad).copy(grad)  # deferred products keep it
        if self._operation is None:
            self._accumulate(grad)
            return
        at = {self._operation: {self._output: grad}}
        for operation in _newest_first(self._operation):
            gradients = at.pop(operation, None)
            operation.spent = True
            if gradients is not None:
                values = operation.backward(*map(gradients.get, range(operation.outputs)))
                for tensor, value in zip(operation.inputs, values, strict=True):
                    if value is None or not (isinstance(tensor, Node) and tensor.requires_grad):
                        continue
                    before = tensor._operation
                    if before is None:
                        # At once, before another operation asks where to write: a parameter may be used twice.
                        tensor._accumulate(value)
                        continue
                    if type(value) is DeferredMatmul and not before.takes_deferred:
                        value = value.array()
                    known = at.setdefault(before, {})
                    place = tensor._output
                    known[place] = value if place not in known else _sum(known[place], value)
            operation.inputs = ()
            vars(operation).clear()  # what it kept for the way back

    def _grad_target(self) -> Array | None:
        """Return the array into which a kernel may write the first gradient of a step; only parameters have one."""
        return None

    def _accumulate(self, grad: Array | DeferredMatmul) -> None:
        """Add to the gradient."""
        if isinstance(grad, DeferredMatmul):
            grad = grad.array()
        if self.grad is None:
            self.grad = backend_of(grad).copy(grad)  # its own: the array may be a view, or shared with another leaf
        else:
            self.grad = _sum(self.grad, grad)


def _sum(a: Any, b: Any) -> Array:
    a, b = (x.array() if isinstance(x, DeferredMatmul) else x for x in (a, b))
    return backend_of(a, b).add(a, b)


def _as_array(values: Any) -> Array:
    """Return the array for a new tensor: float32 and float64 arrays as they are, numbers and lists as float32."""
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


def _newest_first(last: Operation) -> list[Operation]:
    """Return the operations that led to one, each before its predecessors, without recursion: tapes may be deep.

    Operations are numbered as they are recorded, so sorting by number is enough. All are checked before any gradient is
    written.
    """
    found = {last}
    stack = [last]
    while stack:
        operation = stack.pop()
        if operation.spent:
            raise RuntimeError(
                "backward: the graph of this tensor has been walked already and is gone; run the forward pass again"
            )
        for tensor, version in zip(operation.inputs, operation.versions, strict=True):
            if not isinstance(tensor, Node):
                continue
            if tensor.version != version:
                raise RuntimeError(_changed(tensor))
            before = tensor._operation
            if before is not None and before not in found:
                found.add(before)
                stack.append(before)
    return sorted(found, key=_made, reverse=True)


def _changed(parameter: Node) -> str:
    name = getattr(parameter, "name", "") or f"of shape {parameter.shape}"
    return (
        f"backward: the parameter {name} was changed after the forward pass (by an optimizer's step, load_state_dict or to), "
        "so gradients from this graph would be wrong; call backward first, or run the forward pass again"
    )


def put_on_tape(operation: Operation, inputs: tuple[Any, ...], outputs: tuple[Node, ...]) -> None:
    """Record an operation: its outputs need a gradient, and `Node.backward` walks back from them through it."""
    operation.inputs, operation.outputs, operation.spent = inputs, len(outputs), False
    versions = []
    for tensor in inputs:
        versions.append(tensor.version if isinstance(tensor, Node) else 0)
    operation.versions = versions
    operation.made = next(_counter)
    for place, tensor in enumerate(outputs):
        tensor.requires_grad, tensor._operation, tensor._output = True, operation, place


class Function(Operation):
    """A function of tensors: write ``forward`` and ``backward``, and call `apply`.

    An object of the class is one call: ``forward`` keeps in attributes what ``backward`` needs. The tape checks that no
    parameter among the inputs has changed in between, whatever the function, and forgets the object after the walk.

    Attributes
    ----------
    needs : tuple of bool
        For each input, whether its gradient is wanted; all False where nothing is recorded.
    recorded : bool
        Whether any is: ``forward`` need keep nothing where this is False.

    Notes
    -----
    ``backward`` may ask `gradient_out` for the array into which a kernel writes the first gradient of a parameter, and
    return that array. It may return a `catalase.ops.linear.DeferredMatmul`, which is multiplied out unless the receiver
    takes it: parameters do, and functions whose ``takes_deferred`` is True.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> class Scaled(ct.autograd.Function):
    ...     def forward(self, x, *, factor):
    ...         self.factor = x.dtype.type(factor)
    ...         return x * self.factor
    ...     def backward(self, dy):
    ...         return (dy * self.factor,)
    >>> x = ct.Tensor(np.ones(2), requires_grad=True)
    >>> Scaled.apply(x, factor=3.0).sum().backward()
    >>> x.grad
    array([3., 3.])
    """

    needs: tuple[bool, ...]
    recorded: bool

    def forward(self, *arrays: Any, **options: Any) -> Any:
        """Return the output array, or a tuple of several."""
        raise TypeError(f"{type(self).__name__} has no forward method")

    @classmethod
    def apply(cls, *inputs: Any, **options: Any) -> Any:
        """Call the function: tensors are handed to ``forward`` as arrays, other inputs as they are.

        Returns
        -------
        Tensor or tuple of Tensor
            As ``forward`` returns one array or several.
        """
        function, arrays, needs, recording = cls(), [], [], RECORDING.on
        for given in inputs:
            is_tensor = isinstance(given, Node)
            arrays.append(given.data if is_tensor else given)
            needs.append(recording and is_tensor and given.requires_grad)
        function.needs, function.recorded = tuple(needs), True in needs
        found = function.forward(*arrays, **options)
        if type(found) is not tuple:
            output = Node._tensor(found)
            if function.recorded:
                put_on_tape(function, inputs, (output,))
            return output
        outputs = tuple([Node._tensor(array) for array in found])
        if function.recorded:
            put_on_tape(function, inputs, outputs)
        return outputs
