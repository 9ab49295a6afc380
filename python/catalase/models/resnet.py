"""ResNetClassifier: residual blocks with batch normalization, the kind of net that grades retina photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import nn, optim
from .._internal.registry import Int
from ..autograd import Tensor
from ..nn.onnx import Graph, Value, exporter
from .grids import CONV, GridModel, each
from .settings import Kernel, Settings, Share, declared


class _Block(nn.Module):
    """``relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))``; the shortcut is a 1x1 convolution where shapes change."""

    def __init__(self, conv: Any, inputs: int, filters: int, size: Any, stride: int, rng: np.random.Generator) -> None:
        super().__init__()
        start: dict[str, Any] = {"bias": False, "weight_init": nn.init.he_normal(), "rng": rng}
        self.conv1 = conv(inputs, filters, size, stride, **start)
        self.norm1 = nn.BatchNorm(filters, activation="relu")
        self.conv2 = conv(filters, filters, size, **start)
        self.norm2 = nn.BatchNorm(filters)
        self.shortcut = (
            nn.Sequential(conv(inputs, filters, 1, stride, **start), nn.BatchNorm(filters))
            if stride != 1 or inputs != filters
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x))))
        return (y + (x if self.shortcut is None else self.shortcut(x))).relu()


@exporter(_Block)
def _block(graph: Graph, block: _Block, x: Value) -> Value:
    y = graph.layers([block.conv1, block.norm1, block.conv2, block.norm2], x)
    y = graph.op("Add", y, x if block.shortcut is None else graph.layer(block.shortcut, x))
    return graph.op("Relu", y)


class _Net(nn.Module):
    def __init__(self, stem: list[nn.Module], stages: list[nn.Module], head: list[nn.Module], shape: Any) -> None:
        super().__init__()
        self.stem, self.stages, self.head, self.shape = stem, stages, head, shape

    def forward(self, x: Tensor) -> Tensor:
        for layer in (*self.stem, *self.stages, *self.head):
            x = layer(x)
        return x.reshape((x.shape[0], *self.shape))


@exporter(_Net)
def _net(graph: Graph, net: _Net, x: Value) -> Value:
    return graph.reshape(graph.layers([*net.stem, *net.stages, *net.head], x), [0, *net.shape])


@declared
class ResNetClassifier(GridModel):
    """A residual net: a convolution, stages of residual blocks each half the size of the last, a mean, a softmax.

    Parameters
    ----------
    n_tasks : int
    n_features : int
        Channels of the input.
    dims : int
        As `CNN`; pixels are on the scale of the first fit.
    layer_filters : list of int
        Channels of each stage. The first stage keeps the size of the grid, each later one halves it.
    blocks : int
        Residual blocks a stage; each has two convolutions.
    kernel_size, stem_size, stem_stride : int, or one a dimension
        Of the blocks, and of the convolution ahead of them: 7 and 2 for large photographs.
    dropout : float
        Before the output.
    n_classes : int
        Of each task.
    weight_decay_penalty, weight_decay_penalty_type, batch_size, learning_rate, seed, optimizer
        As `CNN`; the penalty is on the weights of all layers.

    Notes
    -----
    Labels y (N, n_tasks) are class numbers, or one-hot (N, n_classes) for one task; the output is (N, n_tasks, n_classes).
    Weights start as in He et al., arXiv:1502.01852; batch normalization takes its statistics from the batch in training.

    References
    ----------
    He et al., "Deep residual learning for image recognition", arXiv:1512.03385.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    >>> model = ct.models.ResNetClassifier(1, 3, layer_filters=[4, 8], blocks=1, n_classes=5, seed=0)
    >>> _ = model.fit(ct.data.NumpyDataset(X, np.arange(12) % 5), nb_epoch=1)
    >>> model.predict(X).shape
    (12, 1, 5)
    """

    settings = GridModel.settings | Settings(
        blocks=Int(1, 1000), kernel_size=Kernel(), stem_size=Kernel(), stem_stride=Kernel(), dropout=Share()
    )  # fmt: skip
    blocks: int
    kernel_size: int | list[int]
    stem_size: int | list[int]
    stem_stride: int | list[int]
    dropout: float

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        dims: int = 2,
        layer_filters: Sequence[int] = (16, 32, 64),
        blocks: int = 2,
        kernel_size: Any = 3,
        stem_size: Any = 3,
        stem_stride: Any = 1,
        dropout: float = 0.0,
        n_classes: int = 2,
        weight_decay_penalty: float = 0.0,
        weight_decay_penalty_type: str = "l2",
        batch_size: int = 32,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._start(self._net(nn.init.generator(self.seed)), nn.losses.SoftmaxCrossEntropy())

    def _net(self, rng: np.random.Generator) -> nn.Module:
        conv, width = CONV[self.dims - 1], self.layer_filters[0]
        first = conv(
            self.n_features, width, each(self.stem_size), each(self.stem_stride), bias=False,
            weight_init=nn.init.he_normal(), rng=rng,
        )  # fmt: skip
        stages: list[nn.Module] = []
        for stage, filters in enumerate(self.layer_filters):
            for block in range(self.blocks):
                stride = 2 if stage and not block else 1
                stages.append(_Block(conv, width, filters, each(self.kernel_size), stride, rng))
                width = filters
        shape = (self.n_tasks, self.n_classes)
        head: list[nn.Module] = [
            nn.GlobalAvgPool(),
            *([nn.Dropout(self.dropout)] if self.dropout else []),
            nn.Linear(width, int(np.prod(shape)), rng=rng),
        ]
        return _Net([first, nn.BatchNorm(self.layer_filters[0], activation="relu")], stages, head, shape)
