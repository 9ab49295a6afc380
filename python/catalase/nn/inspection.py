"""Inspection of a net: a table of its layers, and the share of dead ReLU units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import shown
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..backends import is_device_array, to_device, to_host
from .activations import ReLU
from .layer_table import run_watched, table_of_layers
from .module import Module


def summary(module: Module, input_shape: tuple[Any, ...] | None = None) -> str:
    """Return a table of the layers: output shapes, numbers of parameters, and where parameters are shared.

    Parameters
    ----------
    module : Module
    input_shape : tuple of int, or of tuples, optional
        Shape of one row, without the batch, or a tuple of shapes if the net takes several inputs. The net is run once on
        a row of zeros, in inference mode, and the table shows the output shape of each layer, where N is the batch.
        Without it shapes are not known.

    Returns
    -------
    str
        The table. A convolution's note is the number of positions at which its weights are used; the number of parameters
        does not depend on the image's size. A layer or parameter that occurs again is marked, and counted once.

    Raises
    ------
    TypeError, ValueError
        If the net cannot take an input of that shape.

    Examples
    --------
    >>> import catalase as ct
    >>> net = ct.nn.Sequential(ct.nn.Linear(4, 8, "relu"), ct.nn.BatchNorm(8), ct.nn.Linear(8, 1))
    >>> print(net.summary((4,)))
    Layer               Output shape  Parameters  Note
    layers.0 Linear     (N, 8)                40
    layers.1 BatchNorm  (N, 8)                16  and 16 values that are not trained
    layers.2 Linear     (N, 1)                 9
    Total                                     65
    """
    if not isinstance(module, Module):
        raise TypeError(f"summary: module must be a Module, got {shown(module)}")
    return table_of_layers(module, input_shape)


def _input_of(module: Module, x: Any) -> Any:
    """Return a batch as the module's input, on the module's device; packed bits stay an array."""
    packed = getattr(x, "dtype", None) == np.uint8
    batch = x if packed else as_tensor("dead_relu", "x", x)
    if module.device == "cpu":
        return batch
    return to_device(batch, module.device) if packed else Tensor(to_device(batch.data, module.device))


def dead_relu(model: Any, x: NDArray[Any] | Tensor) -> dict[str, float]:
    """Return the share of dead units of each ReLU, whose output is zero for the whole batch.

    Parameters
    ----------
    model : Module, or a model of `catalase.models`
        `nn.ReLU` layers, and layers whose ``activation`` is "relu", are examined, by name.
    x : ndarray or Tensor, shape (N, ...)
        A batch that represents the data; with few rows, units may look dead that are not. It is moved to the net's device.

    Returns
    -------
    dict of str to float
        From 0 (no unit is dead) to 1, in the order of the layers. A unit is a channel (the last axis); it is alive if it is
        not zero for at least one row at one position. Layers that were not called are left out.

    Raises
    ------
    TypeError
        For a model that is not a net.
    ValueError
        For an empty batch.

    Notes
    -----
    Dead units get no gradient and stay dead. A lower learning rate, or smaller or less negative initial biases, avoid them.
    The net runs once in inference mode, and is not changed.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Linear(3, 4, "relu", weight_init=ct.nn.init.zeros(), bias_init=ct.nn.init.constant(-1.0))
    >>> ct.nn.dead_relu(ct.nn.Sequential(layer), np.ones((5, 3), np.float32))
    {'layers.0': 1.0}
    """
    module = model if isinstance(model, Module) else getattr(model, "module", None)
    if not isinstance(module, Module):
        raise TypeError(f"dead_relu: model must be a Module or a model that has one, got {shown(model)}")
    if isinstance(x, (list, tuple)):
        x = numbers("dead_relu", "x", x, np.float32)
    array = isinstance(x, (Tensor, np.ndarray)) or is_device_array(x)
    if not array or not x.ndim:
        raise TypeError(f"dead_relu: x must be a batch, an array or a Tensor, got {shown(x)}")
    if not len(x):
        raise ValueError("dead_relu: x is an empty batch; give it rows that stand for the data")
    names = {id(layer): name for name, layer in module.named_modules()}
    alive: dict[int, NDArray[Any]] = {}

    def note(layer: Module, output: Any) -> None:
        if not isinstance(output, Tensor) or not (
            isinstance(layer, ReLU) or getattr(layer, "activation", "") == "relu"
        ):
            return
        living = (output.numpy().reshape(-1, output.shape[-1]) != 0).any(axis=0)
        alive[id(layer)] = living | alive.get(id(layer), np.zeros_like(living))

    if isinstance(model, Module):
        batch = _input_of(module, x)
        run_watched(lambda: module(batch), note)
    else:
        run_watched(lambda: model._forward(module, model._net_input(model._on_scale(np.asarray(to_host(x))))), note)
    return {name: float(1 - alive[key].mean()) for key, name in names.items() if key in alive and alive[key].size}
