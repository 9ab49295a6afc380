"""Nets that put rows into few numbers and back: Autoencoder, DenoisingAutoencoder and VAE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal import arrays as _arrays
from .._internal.numbers import whole_number
from .._internal.registry import AnyOf, Float, Int, List, Str
from ..autograd import Tensor, is_recording, no_grad
from ..backends import to_device_of, to_host
from ..data.batch import Batch, Batches
from ..metrics import Metric
from ..nn.losses import Loss
from ..nn.onnx import Graph, Value, exporter
from ..trans import Transformer
from .features import FeatureRows
from .model import Model, scores
from .net import NetModel
from .settings import ACTIVATIONS, TRAINING, Settings, Share, declared

_ERRORS: dict[str, type[Loss]] = {"gaussian": nn.losses.L2Loss, "binary": nn.losses.SigmoidCrossEntropy}


class _Rows(Batch):
    """A batch whose step draws random numbers on the host: it cannot be captured."""

    static = None

    def to(self, device: str) -> Batch:
        return _Rows(super().to(device).X)


class _Crop(nn.Module):
    """Cut images to a height and a width: an odd length was rounded up when it was halved."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        return x if x.shape[1:3] == (self.height, self.width) else x[:, : self.height, : self.width]


@exporter(_Crop)
def _crop(graph: Graph, layer: _Crop, x: Value) -> Value:
    stops = np.array([layer.height, layer.width])
    return graph.op("Slice", x, np.array([0, 0]), stops, np.array([1, 2]))


class RandomLayer(nn.Module):
    """A layer whose random numbers depend on (seed, its place, how many training passes it has made) alone."""

    def __init__(self) -> None:
        super().__init__()
        self.set_key(int(np.random.SeedSequence().generate_state(1)[0]), 0)

    def set_key(self, seed: int, layer: int) -> None:
        """Choose the numbers by a new key, and count passes from 0 again."""
        self.seed, self.layer, self.step = seed % 2**64, layer, 0

    def generator(self) -> np.random.Generator:
        """Return the generator of this pass, and count the pass."""
        step, self.step = self.step, self.step + 1
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, self.layer, step]))


class Corruption(RandomLayer):
    """While training, set a share of the values to 0 and add normal noise to the others."""

    def __init__(self, rate: float, stddev: float) -> None:
        super().__init__()
        self.rate, self.stddev = rate, stddev

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        rng = self.generator()
        if self.stddev:
            noise = rng.standard_normal(x.shape, np.float32)
            noise *= np.float32(self.stddev)
            x = x + Tensor(to_device_of(noise, x.data))
        if self.rate:
            x = x * Tensor(to_device_of((rng.random(x.shape, np.float32) >= self.rate).astype(np.float32), x.data))
        return x


@exporter(Corruption)
def _corruption(graph: Graph, layer: Corruption, x: Value) -> Value:
    return x


class Coder(nn.Module):
    """An encoder, and a decoder of what it gives."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, noise: nn.Module | None = None) -> None:
        super().__init__()
        self.noise, self.encoder, self.decoder = noise, encoder, decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x if self.noise is None else self.noise(x)))


@exporter(Coder)
def _coder(graph: Graph, net: Coder, x: Value) -> Value:
    y: Value = graph.layers([net.encoder, net.decoder], x)
    return y


class Sampling(RandomLayer):
    """Draw z from the normal distribution of (mean, log variance), so that gradients reach both; the mean in inference."""

    def forward(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        if not self.training:
            return mean
        noise = self.generator().standard_normal(mean.shape, np.float32)
        return mean + (log_variance * 0.5).exp() * Tensor(to_device_of(noise, mean.data))


class VariationalCoder(nn.Module):
    """An encoder whose output holds means and log variances, and a decoder of a draw from their normal distribution."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_size: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.latent_size = encoder, decoder, latent_size
        self.sampling = Sampling()
        self.epochs = nn.Buffer(np.zeros((), np.float32))  # that it was trained for: annealing goes on from there

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of the latent variables of each row."""
        found = self.encoder(x)
        return found[:, : self.latent_size], found[:, self.latent_size :]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.distribution(x)
        return self.decoder(self.sampling(mean, log_variance)), mean, log_variance


@exporter(VariationalCoder)
def _variational(graph: Graph, net: VariationalCoder, x: Value) -> Value:
    found = graph.layer(net.encoder, x)
    mean = graph.op("Slice", found, np.array([0]), np.array([net.latent_size]), np.array([1]))
    y: Value = graph.layer(net.decoder, mean)
    return y


class Evidence:
    """The negative bound on the evidence: reconstruction summed over a row, and beta times the KL divergence; means over rows.

    Attributes
    ----------
    beta : float
        Of validation.
    training_beta : float
        In force now, while training: annealing changes it.
    """

    def __init__(self, reconstruction: Loss, scale: float, beta: float) -> None:
        self.reconstruction, self.scale = reconstruction, scale
        self.beta = self.training_beta = beta
        self._totals = {True: np.zeros(3), False: np.zeros(3)}  # rows and both terms, of training and of validation

    def __call__(self, output: tuple[Tensor, Tensor, Tensor], y: NDArray[Any], w: Any) -> Tensor:
        decoded, mean, log_variance = output
        rows, training = mean.shape[0], is_recording()
        tokens = isinstance(self.reconstruction, nn.losses.SoftmaxCrossEntropy)  # one label has a logit for each
        labels = decoded.shape[0] if tokens else decoded.size
        error = self.reconstruction(decoded, y) * (self.scale * labels / max(1, rows))
        divergence = kl_from_normal(mean, log_variance)
        self._totals[training] += rows * np.array([1.0, error.item(), divergence.item()])
        return error + divergence * (self.training_beta if training else self.beta)

    def forget(self) -> None:
        """Begin the means of a new epoch."""
        for totals in self._totals.values():
            totals[:] = 0

    def mean(self, training: bool, term: int) -> float:
        """Return the mean of a term of this epoch: 1 is the reconstruction, 2 the divergence."""
        totals = self._totals[training]
        return float(totals[term] / totals[0]) if totals[0] else math.nan


def kl_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of normal distributions from N(0, I), in nats, its mean over rows."""
    terms = mean * mean + log_variance.exp() - log_variance - 1.0
    return terms.sum() * (0.5 / max(1, mean.shape[0]))


def latent_variables(where: str, z: Any, latent_size: int, name: str = "z") -> NDArray[np.float32]:
    """Return latent variables as float32 (N, latent_size); refuse another shape, and what is not finite."""
    z = _arrays.numbers(where, name, to_host(z))
    if z.ndim != 2 or z.shape[1] != latent_size:
        raise ValueError(f"{where}: {name} must have shape (rows, {latent_size}), got {z.shape}")
    bad = ~(abs(z) <= np.finfo(np.float32).max)
    if bad.any():
        raise ValueError(f"{where}: {name} is not finite as float32 at row {int(np.argwhere(bad)[0][0])}")
    return np.ascontiguousarray(z, np.float32)


class Size(AnyOf):
    """A number of features, or the height, width and channels of an image."""

    def __init__(self) -> None:
        super().__init__(Int(1, 10_000_000), List(Int(1, 100_000), 3, 3))
        self.argument = "a number of features, or (height, width, channels) of an image"


class CodingNet(FeatureRows, NetModel):
    """What the nets that encode and decode rows share."""

    settings = TRAINING | Settings(
        n_features=Size(),
        latent_size=Int(1, 1_000_000),
        layer_sizes=List(Int(1, 10_000_000), max_length=1000),
        layer_filters=List(Int(1, 1_000_000), max_length=20),
        activation=Str(choices=ACTIVATIONS),
        reconstruction=Str(choices=["gaussian", "binary"]),
    )
    n_features: int | list[int]  # type: ignore[assignment]
    latent_size: int
    layer_sizes: list[int]
    layer_filters: list[int]
    activation: str
    reconstruction: str

    def _encoder(self, outputs: int, rng: np.random.Generator) -> nn.Sequential:
        if self.layer_filters and not isinstance(self.n_features, list):
            raise ValueError(
                f"{type(self).__name__}: layer_filters are of images; give n_features as (height, width, channels), got "
                f"{self.n_features}"
            )
        layers: list[nn.Module] = []
        for before, after in pairwise(self._channels):
            layers.append(nn.Conv2D(before, after, 3, 2, activation=self._fused, rng=rng))
        if isinstance(self.n_features, list):
            layers.append(nn.Flatten())
        width = math.prod(self._grids[-1]) * self._channels[-1]
        for size in self.layer_sizes:
            layers.append(nn.Linear(width, size, self._fused, rng=rng))
            width = size
        return nn.Sequential(*layers, nn.Linear(width, outputs, rng=rng))

    def _decoder(self, rng: np.random.Generator) -> nn.Sequential:
        layers: list[nn.Module] = []
        width = self.latent_size
        for size in reversed(self.layer_sizes):
            layers.append(nn.Linear(width, size, self._fused, rng=rng))
            width = size
        channels, grids = self._channels, self._grids
        inner = self._fused if self.layer_filters else None
        layers.append(nn.Linear(width, math.prod(grids[-1]) * channels[-1], inner, rng=rng))
        if isinstance(self.n_features, list):
            layers.append(nn.Reshape((*grids[-1], channels[-1])))
        for place in reversed(range(len(self.layer_filters))):
            behind = self._fused if place else None
            layers.append(nn.ConvTranspose2D(channels[place + 1], channels[place], 3, 2, activation=behind, rng=rng))
            layers.append(_Crop(*grids[place]))
        return nn.Sequential(*layers)

    @property
    def _fused(self) -> str | None:
        return None if self.activation == "identity" else self.activation

    @property
    def _channels(self) -> list[int]:
        first = self.n_features[-1] if isinstance(self.n_features, list) else self.n_features
        return [first, *self.layer_filters]

    @property
    def _grids(self) -> list[tuple[int, ...]]:
        """Height and width before and after each convolution; none of a row of features."""
        if not isinstance(self.n_features, list):
            return [()]
        grids: list[tuple[int, ...]] = [tuple(self.n_features[:2])]
        for _ in self.layer_filters:
            grids.append(tuple(-(-n // 2) for n in grids[-1]))
        return grids

    # Rows.
    def _row_shape(self) -> tuple[int, ...]:
        return tuple(self.n_features) if isinstance(self.n_features, list) else (self.n_features,)

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        return [graph.input("X", np.float32, ("N", *self._row_shape()))]

    def _check_shape(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        shape = self._row_shape()
        if len(shape) == 1:
            return super()._check_shape(where, X)
        if X.shape[1:] != shape and not (shape[-1] == 1 and X.shape[1:] == shape[:-1]):
            raise ValueError(f"{where}: X must have shape (rows, {', '.join(map(str, shape))}), got {X.shape}")
        return Model._check_shape(self, where, X)

    def _check_features(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = (
            FeatureRows._check_features(self, where, X)
            if len(self._row_shape()) == 1
            else Model._check_features(self, where, X)
        )
        if self.reconstruction == "binary" and not self._is_scaled(X) and X.size:
            low, high = X.min(), X.max()
            if low < 0 or high > 1:
                raise ValueError(
                    f"{where}: X must be from 0 to 1 with reconstruction='binary', got {low} to {high}; scale it, or make "
                    "the model with reconstruction='gaussian'"
                )
        return X

    def _is_scaled(self, X: NDArray[Any]) -> bool:
        """Whether X comes in bytes that are made numbers from 0 to 1: packed bits, or images of uint8."""
        return X.dtype == np.uint8 and (X.ndim > 2 or self._goes_in_as_it_is(X))

    def _rows(self, X: Any) -> NDArray[np.float32]:
        """Some rows as the net takes them and gives them back."""
        X = np.asarray(X)
        if self._goes_in_as_it_is(X):
            return np.unpackbits(X, axis=1, bitorder="little").astype(np.float32)
        rows = np.ascontiguousarray(X.reshape((len(X), *self._row_shape())), np.float32)
        return rows * np.float32(1 / 255) if self._is_scaled(X) else rows

    def _batch(self, X: Any) -> Batch:
        return X if isinstance(X, Batch) else _Rows(self._rows(X))

    def _walk(self, dataset: Any) -> Batches:
        """Each row is its own label."""

        def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Any:
            for X, _, _, ids in dataset.iterbatches(batch_size, deterministic=deterministic, seed=seed):
                rows = self._rows(X)
                yield _Rows(rows), rows, None, ids

        return Batches(dataset, iterbatches)

    def _training_rows(self, dataset: Any) -> Batches:
        return self._walk(dataset)

    def _validation_rows(self, dataset: Any) -> Batches:
        return self._walk(dataset)

    def _check_counts(self, where: str, dataset: Any, aim: str = "to learn from") -> None:
        """Labels and their weights are not looked at."""

    def _learn_from(self, where: str, dataset: Any, valid: Any = None) -> None:
        super()._learn_from(where, dataset, valid)
        self._tasks = None

    def _compared(
        self, chosen: Sequence[Metric], dataset: Any, prediction: Any, undo: Sequence[Transformer], **options: bool
    ) -> Any:
        """The rows themselves are the labels, each feature a task."""
        y = self._rows(dataset.X).reshape(len(prediction), -1)
        return scores(chosen, y, prediction.reshape(y.shape), np.ones_like(y), **options)

    # What comes out.
    @property
    def _error(self) -> Loss:
        return _ERRORS[self.reconstruction]()

    def _output(self, raw: Any) -> NDArray[Any]:
        return self._error.prediction((raw[0] if isinstance(raw, tuple) else raw).numpy())

    def _onnx_output(self, graph: Graph, y: Value) -> Value:
        return graph.op("Sigmoid", y) if self.reconstruction == "binary" else y

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Return the latent variables of rows; of a VAE their means.

        Parameters
        ----------
        X : Dataset, array_like of shape (N, ...), or list of what the model's featurizer takes

        Returns
        -------
        ndarray, shape (N, latent_size), float32
            A row's bits do not depend on the other rows.
        """
        return self._encoded(f"{type(self).__name__}.encode", X, self._latent)

    def _encoded(self, where: str, X: Any, latent: Callable[[str, Any], NDArray[Any]]) -> NDArray[Any]:
        items = self._datapoints(where, X, self.featurizer)
        if items is not None:
            return self._answers(where, items, lambda rows: self._in_slices(where, rows, latent), "raise").predictions
        self._check_features_alike(where, X)
        return self._in_slices(where, X, latent)

    def _latent(self, where: str, X: Any) -> NDArray[Any]:
        with nn.inference(), no_grad():
            found: NDArray[Any] = self.module.encoder(Tensor(self._checked_input(where, X))).numpy()  # type: ignore[attr-defined]
        return found

    def decode(self, z: Any) -> NDArray[np.float32]:
        """Return the rows that the decoder makes of latent variables.

        Parameters
        ----------
        z : array_like, shape (N, latent_size)

        Returns
        -------
        ndarray, float32
            (N, n_features), or images (N, height, width, channels); from 0 to 1 with ``reconstruction="binary"``.
        """
        where = f"{type(self).__name__}.decode"
        z = latent_variables(where, z, self.latent_size)
        parts = []
        with nn.inference(), no_grad():
            for start in range(0, max(1, len(z)), self._rows_at_a_time):
                rows = Batch(z[start : start + self._rows_at_a_time]).to(self.device).X
                parts.append(self._output(self.module.decoder(Tensor(rows))))  # type: ignore[attr-defined]
        return np.concatenate(parts)


@declared
class Autoencoder(CodingNet):
    """A net that puts each row into a few numbers, and makes the row of them again.

    Parameters
    ----------
    n_features : int or (int, int, int)
        Width of the rows; of images height, width and channels.
    latent_size : int
        Numbers that a row is encoded in.
    layer_sizes : list of int
        Widths of the hidden dense layers of the encoder; the decoder has them in reverse.
    layer_filters : list of int
        Of images: filters of convolutions (3 by 3, stride 2) before the dense layers; the decoder has transposed
        convolutions in reverse.
    activation : str
        Of hidden layers; a name as for `catalase.ops.activation`.
    reconstruction : {"gaussian", "binary"}
        What is minimized: the squared error; or the cross-entropy of values from 0 to 1, of which the decoder then gives
        probabilities.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`.

    Notes
    -----
    Labels and weights of the dataset are not looked at. The loss is the mean over all values. `predict` gives the rows as
    they come out of the decoder; `evaluate` compares them with the rows, each feature being a task. Packed bits are
    unpacked; images of uint8 are divided by 255, other types are taken as they are.

    References
    ----------
    Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", doi:10.1126/science.1127647.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((50, 8), np.float32)
    >>> model = ct.models.Autoencoder(8, 2, layer_sizes=[16], seed=0)
    >>> history = model.fit(ct.data.NumpyDataset(X), nb_epoch=5)
    >>> model.encode(X).shape, model.predict(X).shape
    ((50, 2), (50, 8))
    """

    def __init__(
        self,
        n_features: int | Sequence[int],
        latent_size: int = 32,
        layer_sizes: Sequence[int] = (400,),
        layer_filters: Sequence[int] = (),
        activation: str = "relu",
        reconstruction: str = "gaussian",
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._begin(None)

    def _begin(self, noise: nn.Module | None) -> None:
        rng = nn.init.generator(self.seed)
        self._start(Coder(self._encoder(self.latent_size, rng), self._decoder(rng), noise), self._error)


@declared
class DenoisingAutoencoder(Autoencoder):
    """An autoencoder that is given spoiled rows while it is trained, and is to make the clean ones of them.

    Parameters
    ----------
    corruption : float
        Share of the values that are set to 0.
    noise_stddev : float
        Standard deviation of normal noise that is added, on the scale of X.
    n_features, latent_size, layer_sizes, layer_filters, activation, reconstruction, batch_size, learning_rate, seed, \
optimizer
        As `Autoencoder`.

    Notes
    -----
    Noise is added in training alone: `predict` cleans rows that are spoiled as they are given. What is drawn depends on the
    seed and the number of the step alone.

    References
    ----------
    Vincent et al., "Extracting and composing robust features with denoising autoencoders", doi:10.1145/1390156.1390294.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((50, 8), np.float32)
    >>> model = ct.models.DenoisingAutoencoder(8, 4, layer_sizes=[16], noise_stddev=0.2, seed=0)
    >>> history = model.fit(ct.data.NumpyDataset(X), nb_epoch=5)
    >>> model.predict(X).shape
    (50, 8)
    """

    settings = Autoencoder.settings | Settings(corruption=Share(), noise_stddev=Float(low=0))
    corruption: float
    noise_stddev: float

    def __init__(
        self,
        n_features: int | Sequence[int],
        latent_size: int = 32,
        layer_sizes: Sequence[int] = (400,),
        layer_filters: Sequence[int] = (),
        activation: str = "relu",
        reconstruction: str = "gaussian",
        corruption: float = 0.3,
        noise_stddev: float = 0.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._begin(Corruption(self.corruption, self.noise_stddev))


class Variational(NetModel):
    """Training on the bound on the evidence: annealing, and both terms in the history. The net has a buffer ``epochs``."""

    beta: float
    annealing_epochs: int
    _walk: Any  # from a dataset to the batches of an epoch

    def _training_rows(self, dataset: Any) -> Batches:
        walk, evidence, epochs = self._walk(dataset), self.loss, self.module.epochs  # type: ignore[attr-defined]

        def iterbatches(*args: Any, **options: Any) -> Any:
            done, over = float(epochs.numpy()), self.annealing_epochs
            evidence.training_beta = self.beta * (min(1.0, done / over) if over else 1.0)
            evidence.forget()
            yield from walk.iterbatches(*args, **options)
            epochs.data[...] = done + 1

        return Batches(dataset, iterbatches)

    def _scoring(self, chosen: Sequence[Metric], valid: Any) -> dict[str, Callable[[], float]]:
        figures: dict[str, Callable[[], float]] = {}
        for prefix, training in (("", True), ("valid_", False)):
            for term, name in enumerate(("reconstruction", "kl"), 1):
                if training or valid is not None:
                    figures[prefix + name] = partial(self.loss.mean, training, term)
        return figures | super()._scoring(chosen, valid)


@declared
class VAE(Variational, CodingNet):
    """A variational autoencoder: rows as draws from a normal distribution of few numbers, and new rows made from it.

    Parameters
    ----------
    n_features, layer_sizes, layer_filters, activation, batch_size, learning_rate, seed, optimizer
        As `Autoencoder`.
    latent_size : int
        Numbers that a row is encoded in; each has a mean and a variance.
    reconstruction : {"gaussian", "binary"}
        Half the squared error (a normal distribution of variance 1, without its constant), or the cross-entropy of values
        from 0 to 1; summed over a row.
    beta : float
        Weight of the Kullback-Leibler divergence.
    annealing_epochs : int
        The weight grows from 0 to ``beta`` over this many epochs of training, evenly; a later fit goes on from there.

    Notes
    -----
    The loss is the mean over rows of ``reconstruction + beta * KL``, the divergence of the encoder's distribution from
    N(0, I) being ``0.5 * sum(mean**2 + variance - log(variance) - 1)``. The history has both terms apart, ``reconstruction``
    and ``kl``; with a validation set ``valid_reconstruction`` and ``valid_kl`` too, for which rows are decoded from their
    means, and ``valid_loss`` has the whole ``beta``. `predict` decodes the means. Labels and weights are not looked at.

    References
    ----------
    Kingma and Welling, "Auto-encoding variational Bayes", arXiv:1312.6114. Higgins et al., "beta-VAE", ICLR 2017.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((50, 8), np.float32)
    >>> model = ct.models.VAE(8, latent_size=2, layer_sizes=[16], seed=0)
    >>> history = model.fit(ct.data.NumpyDataset(X), nb_epoch=5)
    >>> sorted(history)
    ['kl', 'loss', 'reconstruction', 'seconds']
    >>> model.sample(3, seed=0).shape
    (3, 8)
    """

    settings = CodingNet.settings | Settings(beta=Float(low=0), annealing_epochs=Int(0, 1_000_000))

    def __init__(
        self,
        n_features: int | Sequence[int],
        latent_size: int = 20,
        layer_sizes: Sequence[int] = (400,),
        layer_filters: Sequence[int] = (),
        activation: str = "relu",
        reconstruction: str = "gaussian",
        beta: float = 1.0,
        annealing_epochs: int = 0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        rng = nn.init.generator(self.seed)
        net = VariationalCoder(self._encoder(2 * self.latent_size, rng), self._decoder(rng), self.latent_size)
        self._start(net, Evidence(self._error, 0.5 if self.reconstruction == "gaussian" else 1.0, self.beta))

    def _latent(self, where: str, X: Any) -> NDArray[Any]:
        return super()._latent(where, X)[:, : self.latent_size]

    def encode_distribution(self, X: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation of the latent variables of rows, each (N, latent_size); X as in `encode`."""
        found = self._encoded("VAE.encode_distribution", X, super()._latent)
        with np.errstate(over="ignore"):
            return found[:, : self.latent_size], np.exp(0.5 * found[:, self.latent_size :])

    def sample(self, n: int, seed: int | None = None) -> NDArray[np.float32]:
        """Return new rows: what the decoder makes of n draws from N(0, I).

        Parameters
        ----------
        n : int
        seed : int, optional
            Same seed, same rows; the first k of n are those of ``sample(k)``. Fresh entropy where left out.

        Returns
        -------
        ndarray, float32
            As `decode` gives them: means, or probabilities.
        """
        n = whole_number("VAE.sample", "n", n, 0, 2**40)
        seed = self.settings["seed"].take(seed, "VAE.sample", "seed")
        return self.decode(
            np.random.Generator(np.random.Philox(seed)).standard_normal((n, self.latent_size), np.float32)
        )
