"""UNet: a value for every pixel, from what is near and from what is far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal.registry import Bool, Str
from ..autograd import Tensor, concatenate
from ..metrics import Metric
from ..nn.onnx import Graph, Value, exporter
from ..trans import Transformer, undo_transforms
from .grids import CONV, GridModel, each
from .model import scores
from .settings import Kernel, Settings, Share, declared

_POOL: tuple[Any, ...] = (nn.MaxPool1D, nn.MaxPool2D, nn.MaxPool3D)
_UP: tuple[Any, ...] = (nn.ConvTranspose1D, nn.ConvTranspose2D, nn.ConvTranspose3D)


class _Net(nn.Module):
    """Two convolutions a level on the way down, and again, beside what was kept there, on the way up."""

    def __init__(
        self, down: list[Any], pool: nn.Module, drop: nn.Module, up: list[Any], join: list[Any], out: Any
    ) -> None:
        super().__init__()
        self.down, self.pool, self.drop, self.up, self.join, self.out = down, pool, drop, up, join, out

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for level, convolutions in enumerate(self.down):
            x = convolutions(x if not level else self.pool(x))
            kept.append(x)
        x = self.drop(kept.pop())
        for larger, convolutions in zip(self.up, self.join, strict=True):
            skip = kept.pop()
            x = _cropped(larger(x), skip.shape)
            x = convolutions(concatenate([skip, x], axis=x.ndim - 1))
        return self.out(x)


def _cropped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An odd length was rounded up when it was halved."""
    grid = shape[1:-1]
    return x if x.shape[1:-1] == grid else x[(slice(None), *(slice(0, n) for n in grid))]


@exporter(_Net)
def _net(graph: Graph, net: _Net, x: Value) -> Value:
    kept: list[Value] = []
    for level, convolutions in enumerate(net.down):
        x = graph.layer(convolutions, x if not level else graph.layer(net.pool, x))
        kept.append(x)
    x = kept.pop()
    axes = np.arange(1, x.rank - 1)
    for larger, convolutions in zip(net.up, net.join, strict=True):
        skip = kept.pop()
        grid = graph.op("Slice", graph.op("Shape", skip, rank=1), axes[:1], axes[-1:] + 1)
        cropped = graph.op("Slice", graph.layer(larger, x), np.zeros_like(axes), grid, axes)
        x = graph.layer(convolutions, graph.op("Concat", skip, cropped, axis=-1))
    return graph.layer(net.out, x)


@declared
class UNet(GridModel):
    """A U-Net: masks, or maps of numbers, as large as the images they are computed from.

    Parameters
    ----------
    n_tasks : int
        Maps that are computed.
    n_features : int
        Channels of the input.
    dims : int
        As `CNN`: sequences, images, volumes, of any size, pixels on the scale of the first fit. Labels are not scaled.
    layer_filters : list of int
        Channels of each level, the first at full size, each next one at half the size.
    kernel_size : int, or one a dimension
        Of the convolutions, two a level on the way down and two on the way up.
    dropout : float
        At the bottom.
    mode : {"segmentation", "regression"}
        Labels are masks from 0 to 1, with the cross-entropy of each pixel as the loss and probabilities as the output; or
        numbers, such as the density of cells, with the squared error of each pixel.
    batch_norm : bool
        After each convolution.
    weight_decay_penalty, weight_decay_penalty_type, batch_size, learning_rate, seed, optimizer
        As `CNN`; the penalty is on the weights of all layers.

    Notes
    -----
    Labels y are (N, ..., n_tasks), the last axis may be left out for one map; weights have that shape, or (N,). The output
    is (N, ..., n_tasks). `evaluate` scores pixels: a task is a map. Lengths that cannot be halved are rounded up on the way
    down and cropped on the way up.

    References
    ----------
    Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", arXiv:1505.04597.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((6, 21, 18), np.float32)
    >>> model = ct.models.UNet(layer_filters=[4, 8], seed=0)
    >>> _ = model.fit(ct.data.NumpyDataset(X, (X > 0.5) * 1.0), nb_epoch=1)
    >>> model.predict(X).shape
    (6, 21, 18, 1)
    """

    settings = GridModel.settings | Settings(
        kernel_size=Kernel(), dropout=Share(), mode=Str(choices=["segmentation", "regression"]), batch_norm=Bool()
    )  # fmt: skip
    kernel_size: int | list[int]
    dropout: float
    batch_norm: bool

    def __init__(
        self,
        n_tasks: int = 1,
        n_features: int = 1,
        dims: int = 2,
        layer_filters: Sequence[int] = (16, 32, 64),
        kernel_size: Any = 3,
        dropout: float = 0.0,
        mode: str = "segmentation",
        batch_norm: bool = True,
        weight_decay_penalty: float = 0.0,
        weight_decay_penalty_type: str = "l2",
        batch_size: int = 8,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        masks = self.mode == "segmentation"
        loss = nn.losses.SigmoidCrossEntropy() if masks else nn.losses.L2Loss()
        self._start(self._net(nn.init.generator(self.seed)), loss)

    def _net(self, rng: np.random.Generator) -> nn.Module:
        down, up, join, width = [], [], [], self.n_features
        for filters in self.layer_filters:
            down.append(self._two(width, filters, rng))
            width = filters
        for filters in reversed(self.layer_filters[:-1]):
            up.append(_UP[self.dims - 1](width, filters, 2, 2, weight_init=nn.init.he_normal(), rng=rng))
            join.append(self._two(2 * filters, filters, rng))
            width = filters
        last = CONV[self.dims - 1](width, self.n_tasks, 1, rng=rng)
        return _Net(down, _POOL[self.dims - 1](2, padding="same"), nn.Dropout(self.dropout), up, join, last)

    def _two(self, inputs: int, filters: int, rng: np.random.Generator) -> nn.Module:
        layers: list[nn.Module] = []
        for width in (inputs, filters):
            layers.append(
                CONV[self.dims - 1](
                    width,
                    filters,
                    each(self.kernel_size),
                    activation=None if self.batch_norm else "relu",
                    bias=not self.batch_norm,
                    weight_init=nn.init.he_normal(),
                    rng=rng,
                )
            )
            if self.batch_norm:
                layers.append(nn.BatchNorm(filters, activation="relu"))
        return nn.Sequential(*layers)

    def _compared(
        self,
        chosen: Sequence[Metric],
        dataset: Any,
        prediction: NDArray[Any],
        undo: Sequence[Transformer],
        *,
        per_task_metrics: bool = False,
        **options: bool,
    ) -> Any:
        """Every pixel is a row."""
        y = _per_map(undo_transforms(np.asarray(dataset.y), undo), prediction.shape)
        w = _per_map(np.asarray(dataset.w), prediction.shape)
        values: NDArray[Any] = prediction.reshape(-1, self.n_tasks)
        means: dict[str, float] = {}
        tasks: dict[str, list[float]] = {}
        for metric in chosen:
            pixels = np.stack([1 - values, values], axis=-1) if metric.mode == "classification" else values
            mean, of_tasks = scores([metric], y, pixels, w, True, **options)
            means |= mean
            tasks |= of_tasks
        return (means, tasks) if per_task_metrics else means

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        one = self.n_tasks == 1 and y.ndim == self.dims + 1
        if not one and (y.ndim != self.dims + 2 or y.shape[-1] != self.n_tasks):
            raise ValueError(f"{where}: y must be maps, (rows, ..., {self.n_tasks}) with the grid of X, got {y.shape}")
        counts = np.broadcast_to(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)) != 0, y.shape)
        with np.errstate(invalid="ignore"):
            good = (y >= 0) & (y <= 1) if self.mode == "segmentation" else np.isfinite(y)
        if not (good | ~counts).all():
            row = int(np.argwhere(counts & ~good)[0][0])
            needed = "masks from 0 to 1" if self.mode == "segmentation" else "finite"
            raise ValueError(f"{where}: y must be {needed}, and is not at row {row}; give a missing pixel the weight 0")


def _per_map(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    array = array.reshape(array.shape + (1,) * (len(shape) - array.ndim))
    return np.broadcast_to(array, shape).reshape(-1, shape[-1])
