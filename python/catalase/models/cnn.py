"""CNN: convolutions, a global pool, a dense output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import nn, optim
from .._internal.registry import Bool, Float, Int, Str
from ..autograd import Tensor
from ..nn.onnx import Graph, Value, exporter
from .blocks import Activation, PreActivated
from .grids import CONV, GridModel, each
from .settings import EachActivation, EachKernel, EachLayer, Lower, Numbers, Settings, Share, declared


class _Net(nn.Module):
    """Layers one after the other, and an output of a given shape a row."""

    def __init__(self, layers: list[nn.Module], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers, self.shape = layers, shape

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x if len(self.shape) == 1 else x.reshape((x.shape[0], *self.shape))


@exporter(_Net)
def _net(graph: Graph, net: _Net, x: Value) -> Value:
    y: Value = graph.layers(net.layers, x)
    return y if len(net.shape) == 1 else graph.reshape(y, [0, *net.shape])


@declared
class CNN(GridModel):
    """A convolutional net for sequences, images or volumes: convolutions, a global pool, a dense output.

    Parameters
    ----------
    n_tasks : int
    n_features : int
        Channels of the input.
    dims : int
        1 for sequences (N, L, C), 2 for images (N, H, W, C), 3 for volumes (N, D, H, W, C). With one channel the last
        axis may be left out. Pixels of images and volumes are on the scale of the first fit, see ``pixel_scale``.
    layer_filters : list of int
        Output channels of each convolution.
    kernel_size, strides : int, tuple or list
        A number or a tuple (one number a dimension) for all convolutions, or a list with one of these for each.
    weight_init_stddevs, bias_init_consts : float or list of float
        Start values, one for each convolution and one for the dense layers; weights are cut at two deviations.
    weight_decay_penalty : float
        Of all weights but the output layer's: ``penalty * sum(w**2)`` ("l2"), which joins the gradient, or
        ``penalty * sum(|w|)`` ("l1"), whose proximal step gives exact zeros. The optimizer adds it; the loss that is
        reported is without it.
    weight_decay_penalty_type : {"l2", "l1"}
    dropouts : float or list of float
        After each convolution.
    activation_fns : str or list of str
        Names as for `catalase.ops.activation`.
    dense_layer_size : int, optional
        Width of a dense layer with ReLU between the pool and the output; none where left out.
    pool_type : {"max", "average"}
        Over all positions, so that the net takes grids of any size.
    mode : {"classification", "regression"}
    n_classes : int
        Of each task.
    residual : bool
        Pre-activated residual blocks, wherever a convolution has as many filters as the one before and stride 1.
    padding : {"valid", "same"}
    batch_norm : bool
        Normalize after each convolution (before its activation).
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`.

    Attributes
    ----------
    pixel_scale : float or None
        What pixels of images and volumes are multiplied with. The first fit decides: 1/255 for uint8, 1 for other number
        types; from then on the same pixels give the same predictions in every number type. Before it (None) uint8 is divided
        by 255, and nothing else. Saved with the model; it may be set before the first fit.

    Notes
    -----
    Pixels that cannot be of the model's scale are refused. Trained on uint8, it refuses fractions none of which is beyond 1
    (a black image is none), and values beyond 510. Trained on fractions from 0 to 1, it divides uint8 by 255, and refuses
    whole numbers beyond 1 of other types. A `data.AugmentedDataset` of uint8 images counts as uint8.
    Labels, weights and outputs are as in `MultitaskClassifier` and `MultitaskRegressor`: class numbers (N, n_tasks), or
    one-hot (N, n_classes) for one task, give (N, n_tasks, n_classes); numbers give (N, n_tasks). Names and defaults are
    DeepChem's, but for ``dense_layer_size``, which DeepChem 2.1 took and did not use, and ``batch_norm``, which is ours.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((20, 12, 12), np.float32)
    >>> model = ct.models.CNN(1, 1, 2, layer_filters=[4, 8], kernel_size=3, seed=0)
    >>> _ = model.fit(ct.data.NumpyDataset(X, (X.mean(axis=(1, 2)) > 0.5) * 1.0), nb_epoch=1)
    >>> model.predict(X).shape
    (20, 1, 2)
    """

    settings = GridModel.settings | Settings(
        kernel_size=EachKernel("layer_filters"),
        strides=EachKernel("layer_filters"),
        weight_init_stddevs=EachLayer(Float(low=0), "layer_filters", output="last", counts_output=True),
        bias_init_consts=EachLayer(Float(), "layer_filters", output=0.0, counts_output=True),
        dropouts=EachLayer(Share(), "layer_filters"),
        activation_fns=EachActivation("layer_filters"),
        dense_layer_size=Int(1, 10_000_000, none=True),
        pool_type=Str(choices=["max", "average"]),
        mode=Str(choices=["classification", "regression"]),
        residual=Bool(),
        padding=Lower(choices=["valid", "same"]),
        batch_norm=Bool(),
    )
    kernel_size: list[int | list[int]]
    strides: list[int | list[int]]
    weight_init_stddevs: list[float]
    bias_init_consts: list[float]
    dropouts: list[float]
    activation_fns: list[str]
    dense_layer_size: int | None
    pool_type: str
    residual: bool
    padding: str
    batch_norm: bool

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        dims: int,
        layer_filters: Sequence[int] = (100,),
        kernel_size: Any = 5,
        strides: Any = 1,
        weight_init_stddevs: Numbers = 0.02,
        bias_init_consts: Numbers = 1.0,
        weight_decay_penalty: float = 0.0,
        weight_decay_penalty_type: str = "l2",
        dropouts: Numbers = 0.5,
        activation_fns: str | Sequence[str] = "relu",
        dense_layer_size: int | None = None,
        pool_type: str = "max",
        mode: str = "classification",
        n_classes: int = 2,
        residual: bool = False,
        padding: str = "valid",
        batch_norm: bool = False,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        if self.residual and self.padding != "same":
            raise ValueError("CNN: residual blocks need padding='same', so that shapes stay as they are")
        classes = self.mode == "classification"
        shape = (self.n_tasks, self.n_classes) if classes else (self.n_tasks,)
        net = _Net(self._layers(int(np.prod(shape)), nn.init.generator(self.seed)), shape)
        self._start(net, nn.losses.SoftmaxCrossEntropy() if classes else nn.losses.L2Loss())

    def _layers(self, outputs: int, rng: np.random.Generator) -> list[nn.Module]:
        layers: list[nn.Module] = []
        width, before = self.n_features, ""
        for i, filters in enumerate(self.layer_filters):
            conv = self._convolution(i, width, rng)
            drop = [nn.Dropout(self.dropouts[i])] if self.dropouts[i] else []
            if self.residual:
                ahead = self._activated(width, before) if before else []
                layers.append(PreActivated([*ahead, conv, *drop], width == filters and self._keeps_size(i)))
            else:
                behind = self._activated(filters, self.activation_fns[i]) if self.batch_norm else []
                layers += [conv, *behind, *drop]
            width, before = filters, self.activation_fns[i]
        if self.residual:
            layers += self._activated(width, before)
        layers.append(nn.GlobalMaxPool() if self.pool_type == "max" else nn.GlobalAvgPool())
        start: dict[str, Any] = {
            "weight_init": nn.init.truncated_normal(self.weight_init_stddevs[-1]),
            "bias_init": nn.init.constant(self.bias_init_consts[-1]),
            "rng": rng,
        }
        if self.dense_layer_size is not None:
            layers.append(nn.Linear(width, self.dense_layer_size, "relu", **start))
            width = self.dense_layer_size
        head = nn.Linear(width, outputs, **start)
        head.w.decay = not self.weight_decay_penalty  # as in DeepChem
        layers.append(head)
        return layers

    def _convolution(self, i: int, width: int, rng: np.random.Generator) -> nn.Module:
        fused = None if self.residual or self.batch_norm else self.activation_fns[i]
        return CONV[self.dims - 1](
            width, self.layer_filters[i], each(self.kernel_size[i]), each(self.strides[i]), self.padding,
            activation=None if fused == "identity" else fused,
            bias=self.residual or not self.batch_norm,
            weight_init=nn.init.truncated_normal(self.weight_init_stddevs[i]),
            bias_init=nn.init.constant(self.bias_init_consts[i]),
            rng=rng,
        )  # fmt: skip

    def _keeps_size(self, i: int) -> bool:
        stride = self.strides[i]
        return all(s == 1 for s in (stride if isinstance(stride, list) else [stride]))

    def _activated(self, width: int, activation: str) -> list[nn.Module]:
        if self.batch_norm and activation in ("relu", "identity"):
            return [nn.BatchNorm(width, activation="relu" if activation == "relu" else None)]
        return [*([nn.BatchNorm(width)] if self.batch_norm else []), Activation(activation)]
