"""Parameters: tensors that an optimizer changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, shown
from ..autograd import Tensor
from ..backends import assign, backend_of, to_device
from ..ops.linear import DeferredMatmul
from .layout import aligned


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
        self.accumulate(value)

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
            self.accumulate(to_device(gradient, device))

    def grad_target(self) -> NDArray[Any] | None:
        """Return the array into which a kernel may write the first gradient of this step, or None."""
        return None if self._has_grad else self._grad_view

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._has_grad = False
        self._pending = None

    def accumulate(self, grad: NDArray[Any] | DeferredMatmul) -> None:
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
        elif grad is not view:  # a kernel that wrote into grad_target() gives the view itself
            assign(view, grad)
        self._has_grad = True
