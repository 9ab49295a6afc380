"""Whole nets from this library to PyTorch and back, with their weights, in the layout of each."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import torch

from ... import nn
from ..._internal.numbers import shown
from ...backends import to_host
from ...models import CNN, DMPNNModel
from ...models.net import NetModel
from .dmpnn import DMPNN

_ACTIVATIONS: dict[str, Any] = {
    "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "softplus": torch.nn.Softplus,
    "elu": torch.nn.ELU, "gelu": torch.nn.GELU, "silu": torch.nn.SiLU, "leaky_relu": torch.nn.LeakyReLU,
    "selu": torch.nn.SELU, "mish": torch.nn.Mish, "hard_sigmoid": torch.nn.Hardsigmoid, "hard_tanh": torch.nn.Hardtanh,
    "hard_swish": torch.nn.Hardswish, "gelu_tanh": functools.partial(torch.nn.GELU, approximate="tanh"),
}  # fmt: skip
_SETTINGS: dict[str, dict[str, Any]] = {  # that a layer of PyTorch must have where Catalase's has no choice
    "Softplus": {"beta": 1.0, "threshold": 20.0}, "ELU": {"alpha": 1.0}, "GELU": {"approximate": "none"},
    "LeakyReLU": {"negative_slope": 0.01}, "Hardtanh": {"min_val": -1.0, "max_val": 1.0},
}  # fmt: skip
_LAYERS = {name: kind for name, kind in vars(nn).items() if isinstance(kind, type) and issubclass(kind, nn.Module)}
_OURS: dict[Any, Any] = {
    kind: layer for layer in _LAYERS.values() for name, kind in _ACTIVATIONS.items() if vars(layer).get("name") == name
}
_CONVOLUTIONS: dict[Any, Any] = {getattr(nn, f"Conv{n}D"): getattr(torch.nn, f"Conv{n}d") for n in (1, 2, 3)}
_POOLS: dict[Any, Any] = {
    getattr(nn, f"{k}Pool{n}D"): getattr(torch.nn, f"{k}Pool{n}d") for n in (1, 2, 3) for k in ("Max", "Avg")
}
_NORMS = {0: torch.nn.BatchNorm1d, 1: torch.nn.BatchNorm1d, 2: torch.nn.BatchNorm2d, 3: torch.nn.BatchNorm3d}
_RECURRENT: dict[Any, Any] = {nn.RNN: torch.nn.RNN, nn.GRU: torch.nn.GRU, nn.LSTM: torch.nn.LSTM}


def to_torch(model: Any) -> Any:
    """Return a net of PyTorch with the weights of a model or a net of Catalase.

    Parameters
    ----------
    model : NetModel or nn.Module
        A dense model (`MultitaskClassifier`, `MultitaskRegressor`), a `CNN`, a `DMPNNModel`, another `NetModel` whose net is a
        `Sequential`; or a net: `Sequential`, or one layer, recurrent ones too.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, with weights of its own. It takes PyTorch's layout (channels first; pixels divided by the model's
        ``pixel_scale``), a D-MPNN the batches that `DMPNN` takes, and answers the output of the net: logits of classes, and
        numbers on the scale of the labels before transformers are undone. Layers are `torch.nn`'s own, but for the message
        passing.

    Raises
    ------
    TypeError
        For layers without a counterpart, which the sentence names.
    ValueError
        For settings without a counterpart.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> ct.interop.torch.to_torch(ct.nn.Sequential(ct.nn.Linear(3, 4, "relu"), ct.nn.Linear(4, 1)))
    Sequential(
      (0): Linear(in_features=3, out_features=4, bias=True)
      (1): ReLU()
      (2): Linear(in_features=4, out_features=1, bias=True)
    )
    """
    net = model
    if isinstance(model, NetModel):
        net = getattr(model, "module", None)
        if net is None:
            raise ValueError("to_torch: the model has no net yet; fit it first")
    if not isinstance(net, nn.Module):
        raise TypeError(
            f"to_torch: model must be a model of catalase.models with a net, or a catalase.nn.Module, got {shown(model)}"
        )
    if isinstance(model, DMPNNModel):
        found: Any = _Molecules(model)
    elif isinstance(model, CNN):
        layers: Any = model.module
        found = _Out().sequence(layers.layers, layers.shape if len(layers.shape) > 1 else None)
    elif isinstance(net, nn.Sequential):
        found = _Out().sequence(net.layers, net.output_shape)
    else:
        layer = _Out().layers(net)
        found = layer[0] if len(layer) == 1 else torch.nn.Sequential(*layer)
    return found.eval()


class _Out:
    """Layers of PyTorch for those of Catalase, one after another.

    ``dims`` axes lie between batch and channels; ``channels`` is their number where a Flatten has merged them with positions.
    """

    def __init__(self) -> None:
        self.dims, self.channels, self.width = 0, 0, 0

    def sequence(self, layers: Any, output_shape: Any = None) -> Any:
        found = list(itertools.chain.from_iterable(map(self.layers, layers)))
        if output_shape is not None:
            found.append(torch.nn.Unflatten(-1, tuple(output_shape)))
        return torch.nn.Sequential(*found)

    def layers(self, layer: Any) -> list[Any]:
        kind = type(layer)
        if kind is nn.Sequential:
            return [self.sequence(layer.layers, layer.output_shape)]
        if kind is nn.Linear:
            if self.dims:
                raise ValueError(f"to_torch: {layer!r} after a convolution needs a Flatten or a global pool before it")
            return [self._linear(layer), *_activation(layer.activation)]
        if kind in _CONVOLUTIONS:
            return [self._convolution(layer), *_activation(layer.activation)]
        if kind in _POOLS:
            self.dims = layer.dims
            return [_POOLS[kind](layer.size, layer.stride, **_pool_padding(layer))]
        if kind is nn.Flatten:
            self.channels, self.dims = self.width if self.dims else 0, 0
            return [torch.nn.Flatten()]
        if kind in (nn.GlobalMaxPool, nn.GlobalAvgPool):
            name = f"Adaptive{'Max' if kind is nn.GlobalMaxPool else 'Avg'}Pool{self.dims or 1}d"
            self.dims = 0
            return [getattr(torch.nn, name)(1), torch.nn.Flatten()]
        if kind is nn.Dropout:
            return [torch.nn.Dropout(layer.rate)]
        if kind is nn.Softmax and not self.dims:
            return [torch.nn.Softmax(-1)]
        if kind is nn.BatchNorm and not self.channels:
            made = _NORMS[self.dims](layer.gamma.shape[0], eps=layer.eps, momentum=layer.momentum)
            _set(made, layer.gamma, layer.beta)
            _fill(made.running_mean, layer.running_mean)
            _fill(made.running_var, layer.running_var)
            return [made, *_activation(layer.activation)]
        if kind is nn.LayerNorm and not self.dims and not self.channels:
            flags = (layer.gamma is not None, layer.beta is not None)
            norm = torch.nn.LayerNorm(layer.normalized_shape, layer.eps, *flags)
            if layer.gamma is not None:
                _set(norm, layer.gamma, layer.beta)
            return [norm]
        if kind in _RECURRENT:
            return [_recurrent(layer)]
        named = getattr(layer, "name", None) or getattr(layer, "activation", None)
        if isinstance(named, str) and not layer.parameters() and (named in _ACTIVATIONS or named == "identity"):
            return _activation(named)
        raise TypeError(
            f"to_torch: {layer!r} has no counterpart here; convert the layers around it, and write it in PyTorch"
        )

    def _linear(self, layer: Any) -> Any:
        inputs, outputs = layer.w.shape
        w = to_host(layer.w.data)
        if (
            self.channels
        ):  # our rows hold the channels of each position together, PyTorch's the positions of each channel
            w = w.reshape(-1, self.channels, outputs).swapaxes(0, 1).reshape(inputs, outputs)
            self.channels = 0
        made = torch.nn.Linear(inputs, outputs, layer.b is not None)
        return _set(made, w.T, layer.b)

    def _convolution(self, layer: Any) -> Any:
        where = f"to_torch: {layer!r}"
        if layer.flip_kernel:
            raise ValueError(f"{where} turns its kernel (flip_kernel), which PyTorch does not")
        padding, strides = layer.padding, layer.stride
        if isinstance(padding, str):
            padding = padding.lower()
            if padding == "same" and max(strides) > 1:
                raise ValueError(f"{where} pads by the size of its input; give padding as numbers for strides above 1")
        elif not isinstance(padding, int):
            pairs = [(p, p) if isinstance(p, int) else tuple(p) for p in padding]
            if any(before != after for before, after in pairs):
                raise ValueError(f"{where} pads its two ends differently, which PyTorch does not")
            padding = tuple(before for before, _ in pairs)
        self.dims, self.width = layer.dims, layer.w.shape[-1]
        made = _CONVOLUTIONS[type(layer)](
            layer.w.shape[-2] * layer.groups, self.width, layer.kernel_size, strides, padding, layer.dilation, layer.groups,
            layer.b is not None,
        )  # fmt: skip
        return _set(made, np.moveaxis(to_host(layer.w.data), (-1, -2), (0, 1)), layer.b)


class _Molecules(torch.nn.Module):
    """The net of a `DMPNNModel`: messages, readout, a dense net, and the scale of the labels."""

    def __init__(self, model: DMPNNModel) -> None:
        super().__init__()
        net: Any = model.module
        if model.aggregation == "attention" or model.n_extra_features:
            raise ValueError(
                "to_torch: a D-MPNN with the readout 'attention' or extra features has no counterpart here"
            )
        self.messages = _messages(net.messages)
        self.aggregation, self.aggregation_norm = model.aggregation, model.aggregation_norm
        out = _Out()
        self.norm = torch.nn.Identity() if net.norm is None else out.layers(net.norm)[0]
        self.layers = out.sequence(net.layers.layers, net.layers.output_shape)
        regression = model.mode == "regression"
        for name, start in (("label_mean", 0.0), ("label_scale", 1.0)):
            value = np.array(getattr(net, name).numpy()) if regression else np.float32(start)
            self.register_buffer(name, torch.as_tensor(value))

    def forward(self, bmg: Any) -> Any:
        """Return a row for each molecule."""
        rows = self.messages(bmg)
        graphs = getattr(bmg, "graphs", bmg)
        if hasattr(graphs, "atom_counts"):
            counts = graphs.atom_counts[bmg.rows] if graphs is not bmg else graphs.atom_counts
            molecule = torch.from_numpy(np.repeat(np.arange(len(counts)), counts)).to(rows.device)
            number = len(counts)
        else:
            molecule, number = bmg.batch, len(bmg) if hasattr(bmg, "__len__") else int(bmg.batch.max()) + 1
        sums = rows.new_zeros(number, rows.shape[1]).index_add(0, molecule, rows)
        if self.aggregation == "mean":
            sums = sums / torch.bincount(molecule, minlength=number).clamp(min=1)[:, None]
        elif self.aggregation == "norm":
            sums = sums / self.aggregation_norm
        return self.layers(self.norm(sums)) * self.label_scale + self.label_mean


def _messages(layer: nn.DirectedMessagePassing) -> DMPNN:
    dropout = layer.dropout.rate if layer.dropout is not None else 0.0
    sizes = layer.atom_features, layer.bond_features, layer.hidden
    made = DMPNN(*sizes, bias=layer.bias, depth=layer.depth, dropout=dropout, activation=layer.activation)
    _set(made.W_i, to_host(layer.w_input.data).T, layer.b_input)
    _set(made.W_h, to_host(layer.w_message.data).T, layer.b_message)
    _set(made.W_o, np.concatenate([to_host(layer.w_atom.data), to_host(layer.w_output.data)]).T, layer.b_output)
    return made


def _recurrent(layer: Any) -> Any:
    if layer.reverse:
        raise ValueError(f"to_torch: {layer!r} runs from the last step to the first, which PyTorch does not")
    options: dict[str, Any] = {"nonlinearity": layer.activation} if isinstance(layer, nn.RNN) else {}
    dropout = layer.between[0].rate if layer.num_layers > 1 else 0.0
    made = _RECURRENT[type(layer)](
        layer.input_size, layer.hidden_size, layer.num_layers, batch_first=True, dropout=dropout,
        bidirectional=layer.bidirectional, **options,
    )  # fmt: skip
    made.load_state_dict({name: torch.from_numpy(value) for name, value in nn.recurrent_to_torch(layer).items()})
    return made


def _pool_padding(layer: Any) -> dict[str, Any]:
    """Padding "same" is that of PyTorch's ``ceil_mode`` where at most one position is added, at the end."""
    size, stride, padding = layer.size, layer.size if layer.stride is None else layer.stride, layer.padding
    more = {} if isinstance(layer, (nn.MaxPool1D, nn.MaxPool2D, nn.MaxPool3D)) else {"count_include_pad": False}
    if isinstance(padding, str) and padding.lower() == "valid":
        return {}
    if isinstance(padding, str) and {*np.ravel(size).tolist(), *np.ravel(stride).tolist()} <= {1, 2} and size == stride:
        return {"ceil_mode": True, **more}
    if isinstance(padding, int):
        return {"padding": padding, **more}
    raise ValueError(f"to_torch: {layer!r} pads in a way that PyTorch does not; give padding as one number")


def _activation(name: str | None) -> list[Any]:
    return [] if name in (None, "identity") else [_ACTIVATIONS[str(name)]()]


def _fill(tensor: Any, values: Any) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(to_host(getattr(values, "data", values)))))


def _set(made: Any, w: Any, b: Any) -> Any:
    """Fill weight and bias."""
    if isinstance(w, np.ndarray):
        w = np.ascontiguousarray(w)
        with torch.no_grad():
            made.weight.copy_(torch.from_numpy(w))
    else:
        _fill(made.weight, w)
    if b is not None:
        _fill(made.bias, b)
    return made


def from_torch(module: Any) -> Any:
    """Return a net of Catalase with the weights of one of PyTorch.

    Parameters
    ----------
    module : torch.nn.Module
        A ``Sequential`` of dense and convolutional layers, pooling, flattening, normalization, dropout and activations,
        which may hold others; or one such layer; or one ``RNN``, ``GRU`` or ``LSTM``.

    Returns
    -------
    nn.Module
        `Sequential`, or a recurrent layer. It takes Catalase's layout: channels last, and sequences (N, T, I).

    Raises
    ------
    TypeError
        For modules without a counterpart, which the sentence names.
    ValueError
        For settings without a counterpart.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> ct.interop.torch.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()))
    Sequential(layers.0=Linear(3, 4, activation=None), layers.1=ReLU())
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch: module must be a torch.nn.Module, got {shown(module)}")
    for ours, theirs in _RECURRENT.items():
        if isinstance(module, theirs):
            return _recurrent_back(ours, module)
    return nn.Sequential(*_Back().layers(module)).train(module.training)


class _Back:
    """Layers of Catalase for those of PyTorch, one after another; as `_Out`."""

    def __init__(self) -> None:
        self.dims, self.channels, self.width = 0, 0, 0

    def layers(self, layer: Any) -> list[Any]:
        kind: Any = type(layer)
        if kind is torch.nn.Sequential:
            return [made for one in layer for made in self.layers(one)]
        if isinstance(layer, torch.nn.Linear):
            if self.dims:
                raise ValueError(f"from_torch: {layer!r} after a convolution needs a Flatten before it")
            w = _array(layer.weight).T
            if self.channels:
                w = w.reshape(self.channels, -1, w.shape[1]).swapaxes(0, 1).reshape(w.shape)
                self.channels = 0
            return [_loaded(nn.Linear(w.shape[0], w.shape[1], bias=layer.bias is not None), w=w, b=layer.bias)]
        for ours, theirs in _CONVOLUTIONS.items():
            if isinstance(layer, theirs):
                return [self._convolution(ours, layer)]
        for ours, theirs in _POOLS.items():
            if kind is theirs:
                return [self._pool(ours, layer)]
        if kind is torch.nn.Flatten and layer.start_dim == 1 and layer.end_dim == -1:
            self.channels, self.dims = self.width if self.dims else 0, 0
            return [nn.Flatten()]
        if kind.__name__.startswith("Adaptive") and kind.__name__[8:-2] in ("MaxPool", "AvgPool"):
            if {*np.ravel(layer.output_size).tolist()} != {1}:
                raise ValueError(f"from_torch: {layer!r} must have the output size 1")
            self.dims, self.width = 0, 0  # a Flatten after it changes nothing
            return [nn.GlobalMaxPool() if "Max" in kind.__name__ else nn.GlobalAvgPool()]
        if kind in (torch.nn.Dropout, torch.nn.Identity):
            return [nn.Dropout(layer.p)] if kind is torch.nn.Dropout else []
        if kind in (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d) and not self.channels:
            return [_batch_norm(layer)]
        if kind is torch.nn.LayerNorm and not self.dims and not self.channels:
            made = nn.LayerNorm(layer.normalized_shape, layer.eps, layer.weight is not None, layer.bias is not None)
            return [_loaded(made, gamma=layer.weight, beta=layer.bias)]
        if kind is torch.nn.Softmax and layer.dim in (-1, 1) and not self.dims:
            return [nn.Softmax()]
        if kind is torch.nn.GELU and layer.approximate == "tanh":
            return [nn.GELUTanh()]
        if kind in _OURS:
            for name, value in _SETTINGS.get(kind.__name__, {}).items():
                if getattr(layer, name) != value:
                    raise ValueError(f"from_torch: {layer!r} must have {name}={value!r}, which is what Catalase has")
            return [_OURS[kind]()]
        raise TypeError(f"from_torch: {layer!r} has no counterpart here; from_torch takes a Sequential of known layers")

    def _convolution(self, ours: Any, layer: Any) -> Any:
        if layer.padding_mode != "zeros":
            raise ValueError(f"from_torch: {layer!r} must pad with zeros")
        self.dims, self.width = ours.dims, layer.out_channels
        padding = layer.padding if isinstance(layer.padding, str) else [(p, p) for p in layer.padding]
        made = ours(
            layer.in_channels, layer.out_channels, layer.kernel_size, stride=layer.stride, padding=padding,
            dilation=layer.dilation, groups=layer.groups, bias=layer.bias is not None,
        )  # fmt: skip
        return _loaded(made, w=np.moveaxis(_array(layer.weight), (0, 1), (-1, -2)), b=layer.bias)

    def _pool(self, ours: Any, layer: Any) -> Any:
        self.dims = ours.dims
        padded = {*np.ravel(layer.padding).tolist()} != {0}
        average = "Avg" in type(layer).__name__
        other = getattr(layer, "dilation", 1) not in (1, (1,) * ours.dims) or layer.ceil_mode
        if other or (average and ((padded and layer.count_include_pad) or getattr(layer, "divisor_override", None))):
            raise ValueError(
                f"from_torch: {layer!r} has settings (dilation, ceil_mode, counted padding) without a counterpart"
            )
        pads = [(p, p) for p in np.broadcast_to(np.ravel(layer.padding), (ours.dims,)).tolist()]
        return ours(layer.kernel_size, layer.stride, pads if padded else "valid")


def _batch_norm(layer: Any) -> Any:
    if not layer.affine or not layer.track_running_stats or layer.momentum is None:
        raise ValueError(f"from_torch: {layer!r} must have weights, running statistics and a momentum")
    made = nn.BatchNorm(layer.num_features, layer.momentum, layer.eps)
    statistics = {"running_mean": layer.running_mean, "running_var": layer.running_var}
    return _loaded(made, gamma=layer.weight, beta=layer.bias, **statistics)


def _recurrent_back(ours: Any, layer: Any) -> Any:
    options: dict[str, Any] = {"activation": layer.nonlinearity} if ours is nn.RNN else {}
    made = ours(
        layer.input_size, layer.hidden_size, num_layers=layer.num_layers, dropout=layer.dropout,
        bidirectional=layer.bidirectional, **options,
    )  # fmt: skip
    made.load_state_dict(nn.recurrent_from_torch({name: _array(value) for name, value in layer.state_dict().items()}))
    return made.train(layer.training)


def _array(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().astype(np.float32)


def _loaded(made: Any, **values: Any) -> Any:
    known = {name: value for name, value in values.items() if value is not None}
    made.load_state_dict(
        {name: np.ascontiguousarray(v if isinstance(v, np.ndarray) else _array(v)) for name, v in known.items()}
    )
    return made
