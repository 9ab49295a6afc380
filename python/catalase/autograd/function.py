"""Functions of tensors with a gradient: ``forward`` on plain arrays, ``backward`` from gradients to gradients."""

from __future__ import annotations

from typing import Any

from .tape import RECORDING, Node, Operation, put_on_tape
from .tensor import Tensor


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
            output = Tensor(found)
            if function.recorded:
                put_on_tape(function, inputs, (output,))
            return output
        outputs = tuple([Tensor(array) for array in found])
        if function.recorded:
            put_on_tape(function, inputs, outputs)
        return outputs
