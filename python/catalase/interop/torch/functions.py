"""Functions on this library's tape as functions on PyTorch's: tensors are shared, and gradients go from one to the other."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..._internal.numbers import flag, shown
from ...autograd import Function, Tensor, no_grad
from ...backends.cuda import require_cuda
from ...nn import Module, functional
from ...ops.linear import DeferredMatmul

_FLOATS = (torch.float32, torch.float64)


def function(op: str | Callable[..., Any], *, keeps_output: bool = True) -> Callable[..., Any]:
    """Return a function of `catalase.nn.functional`, or one of your own on `catalase.Tensor`, for PyTorch's tensors.

    Parameters
    ----------
    op : str or callable
        The name of a function in `catalase.nn.functional`, such as ``"linear"``, ``"conv2d"``, ``"lstm"``,
        ``"message_passing"`` or ``"softmax_cross_entropy"``; or a callable that takes tensors of Catalase and returns one
        or a tuple of them: one of `catalase.nn.losses`, or your own.
    keeps_output : bool
        Whether the backward pass reads the output, which must then stay as it is: PyTorch refuses to go back if it was
        changed in place. Give False for a function that does not, such as ``"linear"`` without an activation.

    Returns
    -------
    callable
        It takes the arguments of ``op``. Tensors of float32 and float64 may be anywhere among the arguments, in tuples,
        lists and dictionaries too, and have gradients; others, such as lengths and indices, become arrays. What ``op``
        reads as an array, such as the labels and weights of a loss, has no gradient. Layouts and arguments are Catalase's:
        channels last, weights (in, out).

    Raises
    ------
    TypeError
        For an ``op`` that is neither, and for layers of Catalase, whose parameters PyTorch's optimizers would not see.
    ValueError
        For an unknown name.

    Notes
    -----
    Memory is shared both ways, on the CPU as through CuPy on a GPU, where the kernels run on PyTorch's current stream; what
    a kernel cannot read as it lies, such as transposed weights of a recurrent cell, the function copies as it always does.
    The first backward pass walks Catalase's tape; a second one over the same graph (``retain_graph=True``) runs ``op``
    again. Gradients of gradients (``create_graph=True``)
    are refused.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> x, w = torch.ones(2, 3, requires_grad=True), torch.ones(3, 4)
    >>> y = ct.interop.torch.function("linear")(x, w, activation="tanh")
    >>> y.sum().backward()
    >>> y.shape, x.grad.shape
    (torch.Size([2, 4]), torch.Size([2, 3]))
    """
    keeps_output = flag("interop.torch.function", "keeps_output", keeps_output)
    if isinstance(op, str):
        if op not in functional.__all__:
            raise ValueError(
                f"interop.torch.function: op must be the name of a function in catalase.nn.functional, got {shown(op)}"
            )
        op = getattr(functional, op)
    if isinstance(op, Module):
        raise TypeError(
            "interop.torch.function: op must be a function, got a layer, whose parameters PyTorch's optimizers would not "
            "see; use the layers of catalase.interop.torch, or to_torch"
        )
    if not callable(op) or isinstance(op, type):
        raise TypeError(f"interop.torch.function: op must be the name of a function or a function, got {shown(op)}")

    run: Callable[..., Any] = op

    def call(*args: Any, **options: Any) -> Any:
        tensors: list[Any] = []
        form = _taken((args, options), tensors)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return _Bridge.apply(run, form, keeps_output, *tensors)
        with _on_device(tensors), no_grad():
            outputs = _run(run, form, [Tensor(array_of(tensor)) for tensor in tensors])
            return _like(outputs, [_tensor_of(output.data, tensors) for output in _listed(outputs)])

    call.__name__ = call.__qualname__ = getattr(run, "__name__", type(run).__name__)
    call.__doc__ = getattr(run, "__doc__", None)
    return call


class _Bridge(torch.autograd.Function):
    """One call: its tape is walked in the first backward pass, and made again for every later one."""

    @staticmethod
    def forward(ctx: Any, op: Any, form: Any, keeps_output: bool, *tensors: Any) -> Any:
        ctx.op, ctx.form = op, form
        with _on_device(tensors):
            outputs, ctx.leaves = _recorded(ctx, tensors)
            given = [_tensor_of(output.data, tensors) for output in _listed(outputs)]
        ctx.outputs = _listed(outputs)
        ctx.save_for_backward(*tensors, *(given if keeps_output else ()))
        ctx.count = len(tensors)
        ctx.set_materialize_grads(False)
        return _like(outputs, given)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "interop.torch: gradients of gradients (create_graph=True) are not supported; use PyTorch's own layer there"
            )
        tensors = ctx.saved_tensors[: ctx.count]  # PyTorch refuses here if one was changed in place
        with _on_device(tensors):
            if ctx.outputs is None:
                outputs, ctx.leaves = _recorded(ctx, tensors)
                ctx.outputs = _listed(outputs)
            outputs, leaves, ctx.outputs, ctx.leaves = ctx.outputs, ctx.leaves, None, None
            given = [None if gradient is None else array_of(gradient) for gradient in gradients]
            _walk(outputs, given)
            known, found = [array for array in given if array is not None], []
            for leaf in leaves:
                grad = leaf.grad
                if grad is not None:
                    # PyTorch may keep a gradient as it is, and add to it in place.
                    if any(_may_share(grad, other) for other in known):
                        grad = grad.copy()
                    known.append(grad)
                found.append(None if grad is None else _tensor_of(grad, tensors))
        return None, None, None, *found


class _Leaf(Tensor):
    """An argument, whose first gradient is kept as it comes, not copied."""

    __slots__ = ()

    def _accumulate(self, grad: Any) -> None:
        if self.grad is None:
            self.grad = grad.array() if isinstance(grad, DeferredMatmul) else grad
        else:
            super()._accumulate(grad)


class _Ends(Function):
    """Joins outputs, so that the tape is walked once from all of them."""

    def forward(self, *arrays: Any, gradients: Any) -> Any:
        self.gradients = gradients
        return np.zeros((), np.float32)

    def backward(self, dy: Any) -> tuple[Any, ...]:
        return tuple(self.gradients)


def _walk(outputs: list[Any], gradients: list[Any]) -> None:
    """Leave the gradients of the leaves, given those of the outputs."""
    ends = _Ends.apply(*outputs, gradients=gradients)
    if ends.requires_grad:
        ends.backward()


def _recorded(ctx: Any, tensors: Any) -> tuple[Any, list[Any]]:
    """Run the function on the tape, over leaves that share the tensors' memory."""
    needs = ctx.needs_input_grad[3:]
    leaves = [_Leaf(array_of(tensor), requires_grad=need) for tensor, need in zip(tensors, needs, strict=True)]
    return _run(ctx.op, ctx.form, leaves), leaves


def _run(op: Any, form: Any, leaves: list[Any]) -> Any:
    args, options = _put_back(form, leaves)
    outputs = op(*args, **options)
    for output in _listed(outputs):
        if not isinstance(output, Tensor):
            raise TypeError(
                f"interop.torch.function: op must return a catalase.Tensor or a tuple of them, got {shown(output)}"
            )
    return outputs


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def _like(outputs: Any, given: list[Any]) -> Any:
    return tuple(given) if isinstance(outputs, tuple) else given[0]


class _Place(int):
    """Where an argument stands among the tensors of a call."""


def _taken(value: Any, tensors: list[Any]) -> Any:
    """Return arguments with places for the floating tensors, which are appended to a list, and arrays for others."""
    if isinstance(value, torch.Tensor):
        if not value.is_floating_point():
            return array_of(value)
        tensors.append(value)
        return _Place(len(tensors) - 1)
    if type(value) in (tuple, list):
        return type(value)(_taken(one, tensors) for one in value)
    if type(value) is dict:
        return {key: _taken(one, tensors) for key, one in value.items()}
    return value


def _put_back(form: Any, tensors: list[Any]) -> Any:
    if type(form) is _Place:
        return tensors[form]
    if type(form) in (tuple, list):
        return type(form)(_put_back(one, tensors) for one in form)
    if type(form) is dict:
        return {key: _put_back(one, tensors) for key, one in form.items()}
    return form


def array_of(tensor: Any) -> Any:
    """Return the array of NumPy, or of CuPy, over a tensor's memory."""
    if tensor.is_floating_point() and tensor.dtype not in _FLOATS:
        raise TypeError(f"interop.torch: tensors must be float32 or float64, got {tensor.dtype}; call .float() first")
    if tensor.layout != torch.strided:
        raise TypeError(f"interop.torch: tensors must be dense, got {tensor.layout}; SparseLinear takes sparse ones")
    if tensor.device.type == "cpu":
        return tensor.detach().numpy()
    if tensor.device.type == "cuda":
        return _cupy().from_dlpack(tensor.detach())
    raise TypeError(f"interop.torch: tensors must be on the CPU or a CUDA device, got {tensor.device}")


def check_input(layer: Any, x: Any) -> None:
    """Refuse an input that is no tensor, or not of the dtype of a layer's weights."""
    name, dtype = type(layer).__name__, next(layer.parameters()).dtype
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name}: input must be a torch.Tensor, got {shown(x)}")
    if x.dtype != dtype:
        raise TypeError(f"{name}: input must be {dtype}, as the weights are, got {x.dtype}; convert one of them")


def _tensor_of(array: Any, inputs: Any) -> Any:
    """Return the tensor over an array's memory; a copy where the array lies in an input, or as PyTorch has none."""
    if type(array) is not np.ndarray:
        return torch.from_dlpack(array) if hasattr(array, "__dlpack__") else torch.as_tensor(array)
    awkward = not array.flags.writeable or any(stride < 0 for stride in array.strides)
    if awkward or any(_may_share(array, tensor.detach().numpy()) for tensor in inputs):
        array = array.copy()
    return torch.from_numpy(array)


@functools.cache
def _cupy() -> Any:
    return require_cuda("interop.torch")


def _may_share(a: Any, b: Any) -> bool:
    return a is b or (type(a) is np.ndarray and type(b) is np.ndarray and np.may_share_memory(a, b))


def _on_device(tensors: Any) -> Any:
    """A context in which kernels are launched on PyTorch's current stream."""
    place = next((tensor.device for tensor in tensors if tensor.device.type == "cuda"), None)
    if place is None:
        return contextlib.nullcontext()
    cupy = _cupy()
    stack = contextlib.ExitStack()
    stack.enter_context(cupy.cuda.Device(place.index))
    stack.enter_context(cupy.cuda.ExternalStream(torch.cuda.current_stream(place).cuda_stream))
    return stack
