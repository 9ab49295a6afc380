"""Parameters: tensors that an optimizer changes, and the one flat buffer that a model's parameters live in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, shown
from ..autograd import Tensor
from ..backends import assign, backend_named, backend_of, to_device
from ..ops.linear import DeferredMatmul
from .layout import LINE, aligned, padded, round_up, view

if TYPE_CHECKING:
    from .module import Module


class Parameter(Tensor):
    """A tensor that an optimizer changes.

    Parameters
    ----------
    array : array_like
        Start values, float32 or float64.
    decay : bool
        Whether penalties and weight decay touch it: True for weights, False for biases.

    Notes
    -----
    The array is copied, to the layout that is fastest (rows of matrices padded). Once its module is flattened
    (`flatten_parameters`), values and gradient are views of the flat buffer. The first gradient of a step is written,
    later ones are added, so clearing costs nothing. An array that you put in place of ``.data`` is copied into the
    buffer at the next optimizer step.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Parameter(np.zeros((2, 3), np.float32)).shape
    (2, 3)
    """

    __slots__ = ("_grad_view", "_has_grad", "_pending", "decay", "name", "version")

    def __init__(self, array: Any, decay: bool = True, name: str = "") -> None:
        self._grad_view: NDArray[Any] | None = None
        self._has_grad = False
        self._pending: DeferredMatmul | None = None
        decay = flag("Parameter", "decay", decay)
        if not isinstance(name, str):
            raise TypeError(f"Parameter: name must be a string, got {shown(name)}")
        super().__init__(array, requires_grad=True)
        self.data = aligned(self.data, self.device)
        self.decay = decay
        self.name = name
        self.version = 0  # counts changes by optimizers and load_state_dict, so that the tape notices a stale graph

    def _parts(self) -> dict[str, Any]:
        return {**super()._parts(), "decay": self.decay, "name": self.name, "version": self.version}

    def __setstate__(self, parts: dict[str, Any]) -> None:
        self._grad_view, self._pending = None, None
        super().__setstate__(parts)
        self.data = aligned(self.data, self.device)

    @property
    def grad(self) -> NDArray[Any] | None:
        """The gradient of the last backward pass (a view of the flat buffer), or None.

        A dense layer leaves it as a product to be computed; looking at it computes it, with the same bits.
        """
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.array(self._grad_view)
        return self._grad_view if self._has_grad else None

    @grad.setter
    def grad(self, value: NDArray[Any] | None) -> None:
        self.zero_grad()
        if value is None:
            return
        shape = value.shape if hasattr(value, "shape") else np.shape(value)
        if shape != self.shape:
            raise ValueError(f"Parameter: grad must have shape {self.shape}, got {shape}")
        self._accumulate(value)

    def move(self, device: str) -> None:
        """Take values and gradient to a device, "cpu" or "cuda"; an optimizer over them follows at its next step."""
        if self.device == device:
            return
        gradient = self.grad
        self.zero_grad()
        self._grad_view = None
        self.data = aligned(self.data, device)
        self.version += 1
        if gradient is not None:
            self._accumulate(to_device(gradient, device))

    def _grad_target(self) -> NDArray[Any] | None:
        """Return the array into which a kernel may write the first gradient of this step, or None."""
        return None if self._has_grad else self._grad_view

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._has_grad = False
        self._pending = None

    def _accumulate(self, grad: NDArray[Any] | DeferredMatmul) -> None:
        """Add to the gradient. The first weight gradient of a step is kept as two factors until it is asked for."""
        view = self._grad_view
        if isinstance(grad, DeferredMatmul):
            if grad.transpose_a and view is not None and not self._has_grad:
                self._pending, self._has_grad = grad.kept(), True
                return
            grad = grad.array()
        if self._has_grad:
            view = self.grad
            backend_of(view).add(view, grad, out=view)
        elif view is None:
            self._grad_view = backend_of(grad).copy(grad)
        elif grad is not view:  # a kernel that wrote into _grad_target() gives the view itself
            assign(view, grad)
        self._has_grad = True


# Start and stop in the flat buffer, whether penalties apply, and the parameter if its gradient is deferred.
Piece = tuple[int, int, bool, "Parameter | None"]


class ParameterBuffer:
    """All parameters of a module in one flat array, their gradients in another of the same layout.

    Attributes
    ----------
    data, grad : ndarray, shape (P,)
        float32 (or float64 where the parameters are), aligned to 64 bytes.
    parameters : dict of str to Parameter
        By name, in the module's order; in memory weights come first, biases after.
    segments : list of (start, stop, decay)
        Runs of the flat array that are treated alike by penalties and decay.
    device : str
        Where they live: "cpu" or "cuda".

    Notes
    -----
    Each parameter starts on a cache line. Rows of matrices longer than a line are padded to an odd number of lines,
    so that rows gathered one after another do not fall into the same cache sets. Pads are zero, stay zero under every
    optimizer, and are never visible.
    """

    def __init__(self, module: Module) -> None:
        self._build(_parameters_of("ParameterBuffer", module))

    def _build(self, parameters: dict[str, Parameter]) -> None:
        if not parameters:
            raise ValueError(
                "flatten_parameters: the module must have parameters, got one without; add a layer such as Linear"
            )
        self.parameters = parameters
        self._decays = [p.decay for p in parameters.values()]
        dtypes = {p.dtype for p in self.parameters.values()}
        if len(dtypes) > 1:
            raise TypeError(f"flatten_parameters: all parameters must have one dtype, got {sorted(map(str, dtypes))}")
        dtype = dtypes.pop()
        self.device = _one_device(parameters)
        layout: list[tuple[Parameter, int, int]] = []  # parameter, offset, row length in elements
        self.segments: list[tuple[int, int, bool]] = []
        total = 0
        for parameter in self._in_layout_order():
            rows, row = padded(parameter.shape, dtype.itemsize)
            layout.append((parameter, total, row))
            stop = round_up(total + rows * row, LINE // dtype.itemsize)
            if self.segments and self.segments[-1][2] == parameter.decay:
                self.segments[-1] = (self.segments[-1][0], stop, parameter.decay)
            else:
                self.segments.append((total, stop, parameter.decay))
            total = stop
        self.data, self.grad = (backend_named(self.device).full((total,), 0.0, dtype) for _ in range(2))
        stops = [offset for _, offset, _ in layout[1:]] + [total]
        self._ranges = [(offset, stop) for (_, offset, _), stop in zip(layout, stops, strict=True)]
        self._views = [
            (p, view(self.data, offset, row, p.shape), view(self.grad, offset, row, p.shape))
            for p, offset, row in layout
        ]
        self._pieces: dict[tuple[bool, ...], list[Piece]] = {}
        for name, parameter in parameters.items():
            parameter.name = parameter.name or name
        self.sync()

    def sync(self) -> None:
        """Take back parameters whose array was replaced, or moved to another buffer or device, since the last call."""
        for parameter, values, gradient in self._views:
            if parameter.data is not values:
                if parameter.device != self.device:
                    self._build(self.parameters)  # on the device to which all of them have gone
                    return
                if parameter.shape != values.shape or parameter.dtype != values.dtype:
                    raise ValueError(
                        f"ParameterBuffer: {parameter.name} must stay {values.dtype} {values.shape}, but its data was "
                        f"replaced by {parameter.dtype} {parameter.shape}; make a new optimizer"
                    )
                assign(values, parameter.data)
                parameter.data = values
                if parameter._grad_view is gradient:  # it lived here before: graphs hold this very array
                    parameter.version += 1
            if parameter._grad_view is not gradient:
                known = parameter.grad
                parameter.zero_grad()
                parameter._grad_view = gradient
                if known is not None:
                    parameter._accumulate(known)

    def zeros(self) -> NDArray[Any]:
        """Return zeros of this layout and alignment, for an optimizer's moments."""
        return backend_named(self.device).full((self.data.size,), 0.0, self.data.dtype)

    def changed(self) -> None:
        """Count a change of the values: the tape refuses operations that were recorded before it."""
        for parameter in self.parameters.values():
            parameter.version += 1

    def __deepcopy__(self, memo: dict[int, Any]) -> ParameterBuffer:
        copied = object.__new__(ParameterBuffer)
        memo[id(self)] = copied
        copied._build(copy.deepcopy(self.parameters, memo))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {"parameters": self.parameters}  # the arrays are made anew, and the parameters their views

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._build(state["parameters"])

    def zero_grad(self) -> None:
        """Forget all gradients; costs nothing."""
        for parameter in self.parameters.values():
            parameter._has_grad, parameter._pending = False, None

    def ready_grad(self) -> NDArray[Any]:
        """Return the flat gradient with every deferred product multiplied out, and zeros where a parameter has no gradient."""
        for parameter, _, _ in self._views:
            if parameter.grad is None:
                backend_of(parameter._grad_view).copyto(parameter._grad_view, 0.0)
        return self.grad

    def pieces(self) -> list[Piece]:
        """Return (start, stop, decay, parameter): a parameter whose gradient is deferred, or None and a run of others.

        Gradients that this step left none of are set to zero. On a device none is left a product.
        """
        if self.device != "cpu":
            self.ready_grad()
        waiting = []
        for parameter, _, gradient in self._views:
            if not parameter._has_grad:
                backend_of(gradient).copyto(gradient, 0.0)
            waiting.append(parameter._pending is not None)
        pending = tuple(waiting)
        known = self._pieces.get(pending)
        if known is None:
            known = self._pieces[pending] = list(self._cut(pending))
        return known

    def pieces_of_each(self) -> list[Piece]:
        """Return (start, stop, decay, None) of each parameter; gradients must be ready."""
        return [
            (start, stop, parameter.decay, None)
            for (parameter, _, _), (start, stop) in zip(self._views, self._ranges, strict=True)
        ]

    def _cut(self, pending: tuple[bool, ...]) -> Iterator[Piece]:
        run = 0
        for waits, (parameter, _, _), (start, stop) in zip(pending, self._views, self._ranges, strict=True):
            if waits:
                yield from self._run(run, start)
                yield start, stop, parameter.decay, parameter
                run = stop
        yield from self._run(run, self.data.size)

    def _run(self, start: int, stop: int) -> Iterator[Piece]:
        for first, last, decay in self.segments:
            if max(first, start) < min(last, stop):
                yield max(first, start), min(last, stop), decay, None

    def owns(self, module: Module) -> bool:
        """Return whether the module's parameters are still the ones of this buffer, with the penalties on the same ones."""
        current = dict(module.named_parameters())
        same = current.keys() == self.parameters.keys() and all(current[n] is p for n, p in self.parameters.items())
        return same and self._decays == [p.decay for p in current.values()]

    def arrays(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Cut an array of this layout (an optimizer's moments, say) into views by parameter name."""
        views, total = {}, 0
        for parameter in self._in_layout_order():
            rows, row = padded(parameter.shape, self.data.itemsize)
            views[id(parameter)] = view(flat, total, row, parameter.shape)
            total = round_up(total + rows * row, LINE // self.data.itemsize)
        return {name: views[id(parameter)] for name, parameter in self.parameters.items()}

    def matrix_view(self, flat: NDArray[Any], parameter: Parameter) -> NDArray[Any]:
        """Return the part of an array of this layout that belongs to a parameter, in its shape."""
        for (known, values, _), (start, _) in zip(self._views, self._ranges, strict=True):
            if known is parameter:
                return view(flat, start, padded(values.shape, flat.itemsize)[1], values.shape)
        raise ValueError(f"ParameterBuffer: {parameter.name} is not one of this buffer's parameters")

    def _in_layout_order(self) -> list[Parameter]:
        """Return weights before biases: an optimizer with penalties then makes two calls for any number of layers."""
        return sorted(self.parameters.values(), key=lambda parameter: not parameter.decay)


def flatten_parameters(module: Module) -> ParameterBuffer:
    """Move all parameters of a module into one flat buffer; a module that is flat already keeps its buffer.

    Examples
    --------
    >>> import catalase as ct
    >>> layer = ct.nn.Linear(3, 20)
    >>> ct.nn.flatten_parameters(layer).data.size  # 3 rows of 3 cache lines, and a bias of 2
    176
    """
    _parameters_of("flatten_parameters", module)
    known = module.__dict__.get("_parameter_buffer")
    if isinstance(known, ParameterBuffer) and known.owns(module):
        known.sync()
        return known
    buffer = ParameterBuffer(module)
    module.__dict__["_parameter_buffer"] = buffer
    return buffer


def _parameters_of(function: str, module: Any) -> dict[str, Parameter]:
    named = getattr(type(module), "named_parameters", None)
    parameters = {} if named is None else dict(named(module))
    if named is None or not all(isinstance(parameter, Parameter) for parameter in parameters.values()):
        raise TypeError(f"{function}: module must be a Module, got {shown(module)}")
    return parameters


def _one_device(parameters: dict[str, Parameter]) -> str:
    """Return the device on which all parameters live."""
    found = {parameter.device: name for name, parameter in parameters.items()}
    if len(found) > 1:
        listing = ", ".join(f"{name} on {device}" for device, name in found.items())
        raise ValueError(
            f"ParameterBuffer: parameters must be on one device, got {listing}; move the whole net with to"
        )
    return next(iter(found))
