"""Folding of batch normalization into the layer before it, for inference."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .._internal.numbers import shown
from .batch_norm import BatchNorm
from .layers import Sequential
from .module import Module
from .parameter import Parameter


def fold_batch_norm(sequential: Sequential) -> Sequential:
    """Return a copy for inference in which each `BatchNorm` is folded into the dense or convolution layer right before it.

    With ``s = gamma / sqrt(running_var + eps)``: ``w' = w * s`` along the outputs, ``b' = (b - running_mean) * s + beta``.

    Parameters
    ----------
    sequential : Sequential
        The net, which is not changed. Sequentials inside it are folded too.

    Returns
    -------
    Sequential
        A net in inference mode with copies of the parameters. It has fewer layers, so the names in its `state_dict` differ.

    Raises
    ------
    TypeError
        For anything but a Sequential.
    ValueError
        If the number of channels of a BatchNorm is not the number of outputs of the layer before it.

    Notes
    -----
    A BatchNorm is folded into a layer that has weights ``w`` or ``weight`` with the outputs on their last axis (the last but
    one if its attribute ``transposed`` is true), a bias ``b`` or ``bias`` or None, and no activation; the activation of the
    BatchNorm becomes the layer's. Every other BatchNorm stays, also after a transposed convolution in groups. Results
    differ from those of the original by rounding.

    Examples
    --------
    >>> import catalase as ct
    >>> net = ct.nn.Sequential(ct.nn.Linear(4, 8), ct.nn.BatchNorm(8, activation="relu"), ct.nn.Linear(8, 1))
    >>> ct.nn.fold_batch_norm(net)
    Sequential(layers.0=Linear(4, 8, activation='relu'), layers.1=Linear(8, 1, activation=None))
    """
    if not isinstance(sequential, Sequential):
        raise TypeError(f"fold_batch_norm: sequential must be a Sequential, got {shown(sequential)}")
    layers: list[Module] = []
    for layer in sequential:
        if isinstance(layer, Sequential):
            layers.append(fold_batch_norm(layer))
        elif isinstance(layer, BatchNorm) and layers and _takes(layers[-1]):
            _fold(layers[-1], layer)
        else:
            layers.append(copy.deepcopy(layer))
    folded = Sequential(*layers)
    folded.eval()
    return folded.to(sequential.device)


def _names(layer: Module) -> tuple[str, str] | None:
    for weight, bias in (("w", "b"), ("weight", "bias")):
        if isinstance(getattr(layer, weight, None), Parameter):
            return weight, bias
    return None


def _takes(layer: Module) -> bool:
    names = _names(layer)
    if (
        names is None
        or getattr(layer, names[0]).ndim < 2
        or getattr(layer, "activation", None) not in (None, "identity")
    ):
        return False
    if getattr(layer, "transposed", False) and getattr(layer, "groups", 1) != 1:
        return False  # its weights hold the outputs of one group only
    bias = getattr(layer, names[1], None)
    return hasattr(layer, names[1]) and (bias is None or isinstance(bias, Parameter))


def _fold(layer: Any, norm: BatchNorm) -> None:
    """Change ``layer``, a copy, so that it includes the effect of ``norm``."""
    weight_name, bias_name = _names(layer) or ("w", "b")
    weight, bias = getattr(layer, weight_name), getattr(layer, bias_name)
    axis = -2 if getattr(layer, "transposed", False) else -1
    outputs, channels = weight.shape[axis], norm.gamma.shape[0]
    if outputs != channels:
        raise ValueError(f"fold_batch_norm: {layer!r} has {outputs} outputs, but {norm!r} after it {channels} channels")
    scale = norm.gamma.numpy() / np.sqrt(norm.running_var.numpy().astype(np.float64) + norm.eps)
    shape = (channels, 1) if axis == -2 else (channels,)
    start = 0.0 if bias is None else bias.numpy().astype(np.float64)
    shift = (start - norm.running_mean.numpy()) * scale + norm.beta.numpy()
    setattr(layer, weight_name, Parameter((weight.numpy() * scale.reshape(shape)).astype(weight.dtype)))
    setattr(layer, bias_name, Parameter(shift.astype(weight.dtype), decay=False))
    if norm.activation is not None:
        layer.activation = norm.activation
