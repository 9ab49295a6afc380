"""Layers with parameters: convolutions, `Dense`, `BatchNorm` and recurrent layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ... import nn
from ..._internal.numbers import flag, fraction, number
from ..._internal.registry import Bool, Float, Int
from ...autograd import Tensor
from ...nn.onnx import Graph, Value
from .layer import (
    ACTIVATION,
    INITIALIZER,
    PADDING,
    SIZES,
    Layer,
    Shape,
    activation_name,
    count,
    each,
    initializer,
    initializer_name,
    padding_name,
    saved,
    sizes,
)

_MODULES: dict[str, Any] = {
    "Conv1D": nn.Conv1D,
    "Conv2D": nn.Conv2D,
    "Conv3D": nn.Conv3D,
    "Conv2DTranspose": nn.ConvTranspose2D,
    "Conv3DTranspose": nn.ConvTranspose3D,
}


def _convolution(layer: Any, dims: int, shape: Shape, filters: int, **options: Any) -> nn.Module:
    if len(shape) not in (dims + 1, dims + 2):
        axes = ("length",), ("height", "width"), ("depth", "height", "width")
        raise ValueError(
            f"takes (rows, {', '.join(axes[dims - 1])}, channels), the channels may be missing where there is one; got "
            f"rows of shape {shape[1:]}; put a Reshape before it"
        )
    channels = shape[-1] if len(shape) == dims + 2 else 1
    return _MODULES[type(layer).__name__](channels, filters, each(layer.kernel_size), **options)


def _with_channels(x: Tensor, dims: int) -> Tensor:
    return x.reshape(*x.shape, 1) if x.ndim == dims + 1 else x


def _exported(graph: Graph, module: nn.Module, x: Value, dims: int) -> Value:
    """A convolution in a graph of ONNX; a last axis of one channel may be left out."""
    x = graph.op("Unsqueeze", x, np.array([-1]), rank=dims + 2) if x.rank == dims + 1 else x
    y: Value = graph.layer(module, x)
    return y


@saved(
    filters=Int(1), kernel_size=SIZES, strides=SIZES, padding=PADDING, dilation_rate=SIZES, activation=ACTIVATION,
    use_bias=Bool(), kernel_initializer=INITIALIZER, bias_initializer=INITIALIZER,
)  # fmt: skip
class Conv1D(Layer):
    """Convolution of sequences (N, L, C).

    Parameters
    ----------
    filters, kernel_size : int
    strides, dilation_rate : int
    padding : {"valid", "same"}
        The default is "valid", as in DeepChem (and Keras).
    activation : str, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str
        One of "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "variance_scaling", "zeros", "ones".
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: str = "glorot_uniform",
        bias_initializer: str = "zeros",
        in_layers: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_layers, name)
        self.filters = count("Conv1D", "filters", filters)
        self.kernel_size = sizes("Conv1D", "kernel_size", kernel_size, 1)
        self.strides = sizes("Conv1D", "strides", strides, 1)
        self.dilation_rate = sizes("Conv1D", "dilation_rate", dilation_rate, 1)
        self.padding = padding_name("Conv1D", padding)
        self.activation = activation_name("Conv1D", activation)
        self.use_bias = flag("Conv1D", "use_bias", use_bias)
        self.kernel_initializer = initializer_name("Conv1D", "kernel_initializer", kernel_initializer)
        self.bias_initializer = initializer_name("Conv1D", "bias_initializer", bias_initializer)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        return _convolution(
            self, 1, shapes[0], self.filters, stride=each(self.strides), padding=self.padding,
            dilation=each(self.dilation_rate), activation=self.activation, bias=self.use_bias,
            weight_init=initializer(self.kernel_initializer, rng), bias_init=initializer(self.bias_initializer, rng),
            rng=rng,
        )  # fmt: skip

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        return module(_with_channels(inputs[0], 1))

    def exported(self, graph: Graph, module: nn.Module, inputs: list[Value]) -> Value:
        return _exported(graph, module, inputs[0], 1)


class _Conv(Layer):
    dims: ClassVar[int]

    def __init__(
        self,
        num_outputs: int,
        kernel_size: Any = 5,
        stride: Any = 1,
        padding: str = "SAME",
        activation_fn: Any = "relu",
        biases_initializer: str | None = "zeros",
        weights_initializer: str = "xavier",
        in_layers: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_layers, name)
        kind = type(self).__name__
        self.num_outputs = count(kind, "num_outputs", num_outputs)
        self.kernel_size = sizes(kind, "kernel_size", kernel_size, self.dims)
        self.stride = sizes(kind, "stride", stride, self.dims)
        self.padding = padding_name(kind, padding)
        self.activation_fn = activation_name(kind, activation_fn)
        self.biases_initializer = (
            None if biases_initializer is None else initializer_name(kind, "biases_initializer", biases_initializer)
        )
        self.weights_initializer = initializer_name(kind, "weights_initializer", weights_initializer)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        return _convolution(
            self, self.dims, shapes[0], self.num_outputs, stride=each(self.stride), padding=self.padding,
            activation=self.activation_fn, bias=self.biases_initializer is not None,
            weight_init=initializer(self.weights_initializer, rng),
            bias_init=initializer(self.biases_initializer or "zeros", rng), rng=rng,
        )  # fmt: skip

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        return module(_with_channels(inputs[0], self.dims))

    def exported(self, graph: Graph, module: nn.Module, inputs: list[Value]) -> Value:
        return _exported(graph, module, inputs[0], self.dims)


_BIASES = type(INITIALIZER)(choices=INITIALIZER.choices, none=True)
_CONV = {
    "num_outputs": Int(1),
    "kernel_size": SIZES,
    "stride": SIZES,
    "padding": PADDING,
    "activation_fn": ACTIVATION,
    "biases_initializer": _BIASES,
    "weights_initializer": INITIALIZER,
}


@saved(**_CONV)
class Conv2D(_Conv):
    """Convolution of images (N, H, W, C), or (N, H, W) where there is one channel.

    Parameters
    ----------
    num_outputs : int
        The number of channels of the output.
    kernel_size, stride : int, or one for each dimension
        The defaults are 5 and 1.
    padding : {"SAME", "VALID"}
    activation_fn : str, optional
        The default is "relu"; None means no activation.
    biases_initializer : str or None
        None means no biases.
    weights_initializer : str
        As in `Conv1D`; "xavier", the default, is another name for "glorot_uniform".
    """

    dims = 2


@saved(**_CONV)
class Conv3D(_Conv):
    """Convolution of volumes (N, D, H, W, C), or (N, D, H, W); parameters as `Conv2D`."""

    dims = 3


@saved(**_CONV)
class Conv2DTranspose(_Conv):
    """Transposed convolution of images, which makes them larger by ``stride``; parameters as `Conv2D`."""

    dims = 2


@saved(**_CONV)
class Conv3DTranspose(_Conv):
    """Transposed convolution of volumes, which makes them larger by ``stride``; parameters as `Conv2D`."""

    dims = 3


@saved(out_channels=Int(1), activation_fn=ACTIVATION, biases_initializer=_BIASES, weights_initializer=INITIALIZER)
class Dense(Layer):
    """A dense layer over the last axis.

    Parameters
    ----------
    out_channels : int
    activation_fn : str, optional
    biases_initializer : str or None
        None means no biases.
    weights_initializer : str
        As in `Conv1D`; the default is "variance_scaling".
    """

    def __init__(
        self,
        out_channels: int,
        activation_fn: Any = None,
        biases_initializer: str | None = "zeros",
        weights_initializer: str = "variance_scaling",
        in_layers: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_layers, name)
        self.out_channels = count("Dense", "out_channels", out_channels)
        self.activation_fn = activation_name("Dense", activation_fn)
        self.biases_initializer = (
            None if biases_initializer is None else initializer_name("Dense", "biases_initializer", biases_initializer)
        )
        self.weights_initializer = initializer_name("Dense", "weights_initializer", weights_initializer)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        if len(shapes[0]) < 2:
            raise ValueError(f"takes (rows, features), got shape {shapes[0]}")
        return nn.Linear(
            shapes[0][-1],
            self.out_channels,
            self.activation_fn,
            self.biases_initializer is not None,
            initializer(self.weights_initializer, rng),
            initializer(self.biases_initializer or "zeros", rng),
            rng,
        )


@saved(momentum=Float(low=0, high=1), epsilon=Float(low=0))
class BatchNorm(Layer):
    """Normalize each channel, the last axis: by the batch in training, by running statistics in prediction.

    Parameters
    ----------
    momentum : float
        The share of the running statistics that remains after a batch, as in TensorFlow.
    epsilon : float
        A number that is added to the variance.

    Notes
    -----
    DeepChem 2.1 never switched its layer to training, so that it normalized nothing. This layer does normalize.
    """

    def __init__(
        self, in_layers: Any = None, momentum: float = 0.99, epsilon: float = 1e-3, name: str | None = None
    ) -> None:
        super().__init__(in_layers, name)
        self.momentum = fraction("BatchNorm", "momentum", momentum)
        self.epsilon = number("BatchNorm", "epsilon", epsilon, above=0)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        if len(shapes[0]) < 2:
            raise ValueError(f"takes (rows, ..., channels), got shape {shapes[0]}")
        return nn.BatchNorm(shapes[0][-1], 1 - self.momentum, self.epsilon)


class _Recurrent(Layer):
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]]
    open_gates: ClassVar[tuple[int, int]]  # the range of gates whose biases start at 1

    def __init__(
        self, n_hidden: int, batch_size: int | None = None, in_layers: Any = None, name: str | None = None
    ) -> None:
        super().__init__(in_layers, name)
        kind = type(self).__name__
        self.n_hidden = count(kind, "n_hidden", n_hidden)
        self.batch_size = None if batch_size is None else count(kind, "batch_size", batch_size)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        if len(shapes[0]) != 3:
            raise ValueError(
                f"takes (rows, steps, channels), got rows of shape {shapes[0][1:]}; put a Reshape before it"
            )
        module = self.cell(shapes[0][-1], self.n_hidden, rng=0 if rng is None else rng)
        first, last = (gate * self.n_hidden for gate in self.open_gates)
        bias = module.b.data.reshape(-1, module.b.shape[-1])
        bias[...] = 0
        bias[0, first:last] = 1
        return module

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        return module(inputs[0])[0]

    def exported(self, graph: Graph, module: nn.Module, inputs: list[Value]) -> Value:
        y: Value = graph.layer(module, inputs[0])[0]
        return y


@saved(n_hidden=Int(1), batch_size=Int(1, none=True))
class GRU(_Recurrent):
    """Gated recurrent units over sequences: (rows, time steps, channels) to (rows, time steps, n_hidden).

    Parameters
    ----------
    n_hidden : int
    batch_size : int, optional
        Accepted as in DeepChem, and without effect: a batch may have any number of rows.

    Notes
    -----
    Every batch starts from a state of zeros. As in TensorFlow, the biases of the gates r and z start at 1, the others
    at 0. The reset gate comes after the product, as in `catalase.nn.GRU`.
    """

    cell = nn.GRU
    open_gates = (0, 2)


@saved(n_hidden=Int(1), batch_size=Int(1, none=True))
class LSTM(_Recurrent):
    """Long short-term memory over sequences; parameters as `GRU`. The bias of the forget gate starts at 1, the others at 0."""

    cell = nn.LSTM
    open_gates = (1, 2)
