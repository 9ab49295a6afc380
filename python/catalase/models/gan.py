"""Nets that learn to make rows which another net cannot tell from those of the data: GAN and WGAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal.numbers import whole_number
from .._internal.registry import Float, Int, List
from ..autograd import Tensor, concatenate, no_grad
from ..backends import to_device, to_device_of, to_host
from ..data.batch import Batch, Batches
from ..nn import functional
from ..nn.onnx import Graph
from .autoencoder import RandomLayer
from .features import FeatureRows
from .labels import check_classes
from .net import NetModel
from .settings import TRAINING, Settings, declared

_SLOPE = 0.01  # of leaky_relu below 0


class _Players(RandomLayer):
    """A generator of rows and a discriminator, which gives each row a number: the higher, the more like the data."""

    def __init__(self, model: GAN, rng: np.random.Generator) -> None:
        super().__init__()
        self.latent_size, self.n_classes, self.penalty = model.latent_size, model.n_classes, model.gradient_penalty
        self.generator_net = _dense(model.latent_size + model.n_classes, model.layer_sizes, model.n_features, rng)
        self.discriminator = _dense(model.n_features + model.n_classes, model.layer_sizes, 1, rng)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the judgement of rows (classes behind the features), and of as many made ones: once for the discriminator
        and once for the generator; and with a penalty the slope of the judgement between them.
        """
        rng = self.generator() if self.training else np.random.Generator(np.random.Philox(0))
        count, real = len(x), x.data
        z = to_device_of(rng.standard_normal((count, self.latent_size), np.float32), real)
        classes = [Tensor(real[:, real.shape[1] - self.n_classes :])] if self.n_classes else []
        made = self.generator_net(concatenate([Tensor(z), *classes], axis=1))
        whole = concatenate([made, *classes], axis=1)
        found = [self.discriminator(x), self.discriminator(whole.detach()), self._judged(whole)]
        if self.penalty:
            share = to_device_of(rng.random((count, 1), np.float32), real)
            found.append(self._slope(Tensor(share) * x + Tensor(1 - share) * whole.detach()))
        return tuple(found)

    def _judged(self, x: Tensor) -> Tensor:
        """The discriminator's output; its weights get no gradient."""
        for layer in self.discriminator.layers:
            linear: Any = layer
            x = functional.linear(x, Tensor(linear.w.data), Tensor(linear.b.data), activation=linear.activation)
        return x

    def _slope(self, x: Tensor) -> Tensor:
        """The norm of the discriminator's gradient at rows, (N,), with a gradient for its weights.

        The gradient is written out as products of the weights: the activation is linear by parts, so that its own slope is
        a constant where it is not at 0.
        """
        layers: list[Any] = list(self.discriminator.layers)
        slopes: list[Any] = []
        with no_grad():
            for layer in layers[:-1]:
                x = layer(x)
                slopes.append(np.where(to_host(x.data) > 0, 1.0, _SLOPE).astype(x.dtype))
        gradient: Tensor = layers[-1].w.reshape(1, -1)
        for layer, slope in zip(reversed(layers[:-1]), reversed(slopes), strict=True):
            gradient = (gradient * Tensor(to_device_of(slope, x.data))) @ layer.w.T
        gradient = gradient[:, : gradient.shape[1] - self.n_classes]
        return ((gradient * gradient).sum(axis=1) + 1e-12).sqrt()


def _dense(inputs: int, sizes: Sequence[int], outputs: int, rng: np.random.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in sizes:
        layers.append(nn.Linear(inputs, size, "leaky_relu", rng=rng))
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs, rng=rng))


class _Adversarial:
    """The sum of both players' losses. Each is blind to the other's weights, so that one step moves both."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def __call__(self, output: tuple[Tensor, ...], y: Any, w: Any) -> Tensor:
        real, made, judged, *slope = output
        if not slope:  # -log(D(x)), -log(1 - D(G(z))), -log(D(G(z))), of logits
            return (-real).softplus().mean() + made.softplus().mean() + (-judged).softplus().mean()
        excess = slope[0] - 1.0
        return made.mean() - real.mean() + (excess * excess).mean() * self.penalty - judged.mean()


@declared
class GAN(FeatureRows, NetModel):
    """A generative adversarial net: a generator makes rows of noise, a discriminator learns to tell them from the data.

    Parameters
    ----------
    n_features : int
    latent_size : int
        Numbers of the noise that a row is made of.
    layer_sizes : list of int
        Widths of the hidden layers (leaky ReLU) of both nets.
    n_classes : int
        0, or the classes of the labels y: both nets are then told the class of each row, and `sample` makes rows of a class
        that is asked for.
    batch_size, learning_rate, seed
        As `Autoencoder`.
    optimizer : str or optim.Optimizer, optional
        Of both nets; ``Adam(beta1=0.5)`` where left out.

    Notes
    -----
    Both nets make a step at a time. The discriminator minimizes ``-log D(x) - log(1 - D(G(z)))``, the generator
    ``-log D(G(z))``; the loss in the history is the sum of both, which says little about how good the rows are. `predict`
    gives the discriminator's output of rows: the logit of being of the data.

    References
    ----------
    Goodfellow et al., "Generative adversarial networks", arXiv:1406.2661. Mirza and Osindero, arXiv:1411.1784 (classes).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    >>> model = ct.models.GAN(2, latent_size=4, layer_sizes=[16], seed=0)
    >>> history = model.fit(ct.data.NumpyDataset(X), nb_epoch=2)
    >>> model.sample(3, seed=0).shape
    (3, 2)
    """

    settings = TRAINING | Settings(
        n_features=Int(1, 10_000_000),
        latent_size=Int(1, 1_000_000),
        layer_sizes=List(Int(1, 10_000_000), max_length=1000),
        n_classes=Int(0, 1_000_000),
        gradient_penalty=Float(low=0),
    )
    latent_size: int
    layer_sizes: list[int]
    n_classes: int
    gradient_penalty: float = 0.0
    _takes_bits = False

    def __init__(
        self,
        n_features: int,
        latent_size: int = 16,
        layer_sizes: Sequence[int] = (128, 128),
        n_classes: int = 0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._begin()

    def _begin(self) -> None:
        net = _Players(self, nn.init.generator(self.seed))
        self._start(net, _Adversarial(self.gradient_penalty))

    def _declared_optimizer(self, default: optim.Optimizer) -> optim.Optimizer:
        return super()._declared_optimizer(optim.Adam(lr=self.learning_rate, beta1=0.5))

    def _goes_in_as_it_is(self, X: NDArray[Any]) -> bool:
        return False

    def _row_shape(self) -> tuple[int, ...]:
        return (self.n_features + self.n_classes,)

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        if self.n_classes:
            raise TypeError(f"{where}: a model with n_classes judges rows of known classes only; it cannot predict")
        with nn.inference(), no_grad():
            found: NDArray[Any] = self.module.discriminator(Tensor(self._checked_input(where, X))).numpy()  # type: ignore[attr-defined]
        return found

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        raise TypeError(f"{graph.where}: a net with an adversary has no form in ONNX")

    def _check_counts(self, where: str, dataset: Any, aim: str = "to learn from") -> None:
        if self.n_classes:
            super()._check_counts(where, dataset, aim)

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        if self.n_classes:
            check_classes(where, y, np.ones_like(y, np.float32), 1, self.n_classes)

    def _training_rows(self, dataset: Any) -> Batches:
        def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Any:
            for X, y, _, ids in dataset.iterbatches(batch_size, deterministic=deterministic, seed=seed):
                rows = np.asarray(X, np.float32)
                if self.n_classes:
                    y = np.asarray(y)
                    one_hot = y if y.shape[1:] == (self.n_classes,) else self._one_hot(y.reshape(-1))
                    rows = np.concatenate([rows, one_hot.astype(np.float32)], axis=1)
                yield Batch(rows), None, None, ids

        return Batches(dataset, iterbatches)

    _validation_rows = _training_rows

    def _one_hot(self, classes: NDArray[Any]) -> NDArray[np.float32]:
        return np.eye(self.n_classes, dtype=np.float32)[classes.astype(np.int64)]

    def sample(
        self, n: int, classes: int | Sequence[int] | None = None, seed: int | None = None
    ) -> NDArray[np.float32]:
        """Return new rows, (n, n_features), made of draws from N(0, I).

        Parameters
        ----------
        n : int
        classes : int or sequence of int, optional
            The class of all rows or of each, where the model was made with ``n_classes``.
        seed : int, optional
            Same seed, same rows; the first k of n are those of ``sample(k)``.

        Raises
        ------
        ValueError
            For classes that are missing, not needed or out of range.
        """
        where = f"{type(self).__name__}.sample"
        n = whole_number(where, "n", n, 0, 2**40)
        seed = self.settings["seed"].take(seed, where, "seed")
        if (classes is None) != (self.n_classes == 0):
            needed = (
                f"numbers from 0 to {self.n_classes - 1}" if self.n_classes else "None, since the model has no classes"
            )
            raise ValueError(f"{where}: classes must be {needed}, got {classes!r:.100}")
        z = np.random.Generator(np.random.Philox(seed)).standard_normal((n, self.latent_size), np.float32)
        if self.n_classes:
            found = np.asarray(classes)
            if found.dtype.kind not in "iu" or found.ndim > 1 or (found.ndim == 1 and len(found) != n):
                raise ValueError(f"{where}: classes must be a whole number or {n} of them, got {classes!r:.100}")
            if found.size and (found.min() < 0 or found.max() >= self.n_classes):
                raise ValueError(f"{where}: classes must be from 0 to {self.n_classes - 1}, got {classes!r:.100}")
            z = np.concatenate([z, self._one_hot(np.broadcast_to(found, n))], axis=1)
        with nn.inference(), no_grad():
            rows: NDArray[np.float32] = self.module.generator_net(Tensor(to_device(z, self.device))).numpy()  # type: ignore[attr-defined]
        return rows


@declared
class WGAN(GAN):
    """A Wasserstein GAN with gradient penalty: the discriminator is a critic, whose slope is kept near 1.

    Parameters
    ----------
    gradient_penalty : float
        Weight of ``(|slope| - 1)**2`` at points between rows and made ones; above 0.
    n_features, latent_size, layer_sizes, n_classes, batch_size, learning_rate, seed, optimizer
        As `GAN`.

    Notes
    -----
    The critic minimizes ``C(G(z)) - C(x)`` and the penalty, the generator ``-C(G(z))``. The gradient of the penalty is
    exact: the slope of a dense critic is written out as products of its weights, on the tape.

    References
    ----------
    Arjovsky et al., "Wasserstein GAN", arXiv:1701.07875. Gulrajani et al., "Improved training of Wasserstein GANs",
    arXiv:1704.00028.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    >>> model = ct.models.WGAN(2, latent_size=4, layer_sizes=[16], seed=0)
    >>> history = model.fit(ct.data.NumpyDataset(X), nb_epoch=2)
    >>> model.sample(3, seed=0).shape
    (3, 2)
    """

    settings = GAN.settings | {"gradient_penalty": Float(low=1e-6)}

    def __init__(
        self,
        n_features: int,
        latent_size: int = 16,
        layer_sizes: Sequence[int] = (128, 128),
        n_classes: int = 0,
        gradient_penalty: float = 10.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._begin()
