"""Noise while a net trains: on inputs, weights and labels, drawn by counters from the seed of the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.registry import Number
from .._internal.settings import Declared, Settings, declared
from ..backends import assign, backend_of, to_device_of, to_host
from ..backends.base import SparseRows
from ..data.batch import Batch
from ..nn import Module
from ..nn.functional.random import normal_values, random_values
from ..nn.losses import HingeLoss, SigmoidCrossEntropy, SoftmaxCrossEntropy, SparseCrossEntropyLoss

_STDDEV, _SHARE = Number(at_least=0, at_most=1e6), Number(at_least=0, below=1)


@declared
class Noise(Declared):
    """What `fit` disturbs in each training step, against overfitting; validation and predictions see none of it.

    Parameters
    ----------
    inputs : float
        Standard deviation of normal noise that is added to each value of X.
    input_dropout : float
        Share of the values of X that become 0, the others scaled by ``1 / (1 - input_dropout)``.
    weights : float
        Standard deviation of normal noise on the weights, not the biases, under which each gradient is taken.
    label_smoothing : float
        Share of each label that is spread evenly over the classes; for `nn.losses.SoftmaxCrossEntropy` and
        `nn.losses.SigmoidCrossEntropy`.
    mixup : float
        Each row and its label are mixed with those of another row of the batch, in a share drawn once a batch from the
        distribution Beta(mixup, mixup) (Zhang et al. 2018, arXiv:1710.09412); 0 mixes nothing. For tables and images, and the
        losses of `nn.losses` but those that take whole classes alone. Missing labels (weight 0) stay out of the mixture.

    Notes
    -----
    X may be a table (rows that are mostly zeros, or packed bits, become dense), images, or sequences of floats; whole numbers
    such as tokens, molecules as graphs, and the feeds of a `TensorGraph` have no noise on X. The draws depend on seed, epoch
    and batch alone: same seed, same bits, for any number of threads, and a resumed run goes on with the same ones.
    For noise on hidden values there is the layer `nn.GaussianNoise`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).random((40, 6), np.float32)
    >>> data = ct.data.NumpyDataset(X, (X[:, :1] > 0.5) * 1.0)
    >>> model = ct.models.MultitaskClassifier(1, 6, layer_sizes=[8], seed=0)
    >>> noise = ct.train.Noise(inputs=0.1, input_dropout=0.2, label_smoothing=0.05)
    >>> len(model.fit(data, nb_epoch=2, noise=noise))
    2
    """

    settings = Settings(
        inputs=_STDDEV, input_dropout=_SHARE, weights=_STDDEV, label_smoothing=_SHARE, mixup=_STDDEV
    )  # fmt: skip
    inputs: float
    input_dropout: float
    weights: float
    label_smoothing: float
    mixup: float

    def __init__(
        self,
        inputs: float = 0.0,
        input_dropout: float = 0.0,
        weights: float = 0.0,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        self._set(locals())


class Draw:
    """The noise of one step.

    Parameters
    ----------
    noise : Noise
    seed, epoch, number : int
        Of the run, and of the batch in its epoch.
    """

    def __init__(self, noise: Noise, seed: int, epoch: int, number: int) -> None:
        self.noise, self.key = noise, (seed, epoch, number)
        self._mixed: tuple[float, NDArray[np.int64]] | None = None

    def batch(self, batch: Batch) -> Batch:
        """The batch with noise on X."""
        noise = self.noise
        if not (noise.inputs or noise.input_dropout or noise.mixup):
            return batch
        values = getattr(batch, "values", None)  # of sequences
        x = _dense(batch.X) if values is None else None if noise.mixup else values
        if x is None or x.dtype.kind != "f":
            raise TypeError(
                "fit: noise on X needs a table or images of floats, or (without mixup) sequences of floats; leave out inputs, "
                "input_dropout and mixup here"
            )
        b = backend_of(x)
        if noise.mixup:
            rng = random_values(*self.key, place=3)
            share, other = float(rng.beta(noise.mixup, noise.mixup)), rng.permutation(len(x))
            self._mixed = share, other
            mixed = b.index(x, other)[0]
            x = b.add(b.multiply(x, share), b.multiply(mixed, 1 - share))
        if noise.input_dropout:
            kept = random_values(*self.key, place=1).random(x.shape, np.float32) >= noise.input_dropout
            x = b.multiply(x, to_device_of(np.asarray(kept / (1 - noise.input_dropout), x.dtype), x))
        if noise.inputs:
            x = b.add(x, to_device_of(normal_values(x.shape, x.dtype, noise.inputs, *self.key, place=0), x))
        return Batch(x) if values is None else batch.with_arrays([x])

    def labels(self, loss: Any, output: Any, y: Any, w: Any) -> tuple[Any, Any]:
        """Labels and weights, smoothed and mixed."""
        smoothing = self.noise.label_smoothing
        if not smoothing and self._mixed is None:
            return y, w
        classes = isinstance(loss, SoftmaxCrossEntropy)
        if smoothing and not classes and not isinstance(loss, SigmoidCrossEntropy):
            raise TypeError(
                f"fit: label_smoothing is for SoftmaxCrossEntropy and SigmoidCrossEntropy, got {type(loss).__name__}"
            )
        if not hasattr(loss, "prepared") or not hasattr(output, "shape"):
            raise TypeError(
                "fit: mixup and label_smoothing need one of catalase.nn.losses and an output that is a Tensor"
            )
        if isinstance(loss, (HingeLoss, SparseCrossEntropyLoss)):
            raise TypeError(
                f"fit: {type(loss).__name__} takes whole classes, which mixup does not leave; use SigmoidCrossEntropy or "
                "CrossEntropyLoss"
            )
        y, w = loss.prepared(output.shape, to_host(y), None if w is None else to_host(w))
        if classes and y.shape != output.shape:
            y = (y[..., None] == np.arange(output.shape[-1])).astype(np.float32)  # a missing label is any number
        if smoothing:
            y = y * (1 - smoothing) + smoothing / (y.shape[-1] if classes else 2)
        if self._mixed is not None:
            share, other = self._mixed
            first, second = (np.ones(y.shape[: y.ndim - classes], np.float32) if w is None else w for _ in range(2))
            first, second = first * share, second[other] * (1 - share)
            w = first + second
            part = np.divide(first, w, out=np.zeros_like(w), where=w != 0)
            part = part[..., None] if classes else part
            y = np.where(part > 0, y, 0) * part + np.where(part < 1, y[other], 0) * (1 - part)
        return np.asarray(y, np.float32), w

    @contextmanager
    def on_weights(self, module: Module) -> Iterator[None]:
        """Noise on the weights as long as the context lasts; afterwards they are what they were, to the bit."""
        if not self.noise.weights:
            yield
            return
        weights = [p for p in module.parameters() if p.decay]
        before = [backend_of(p.data).copy(p.data) for p in weights]
        try:
            for place, p in enumerate(weights):
                drawn = normal_values(p.shape, p.dtype, self.noise.weights, *self.key, place=4 + place)
                assign(p.data, backend_of(p.data).add(p.data, to_device_of(drawn, p.data)))
            yield
        finally:
            for p, values in zip(weights, before, strict=True):
                assign(p.data, values)


def _dense(X: Any) -> Any:
    """Rows that are mostly zeros, or packed bits, as an array of floats."""
    if isinstance(X, ops.SparseBatch):
        return X.to_dense()
    if isinstance(X, SparseRows):
        return X.data
    if getattr(X, "dtype", None) == np.uint8 and X.ndim == 2:
        return to_device_of(np.unpackbits(to_host(X), axis=1, bitorder="little").astype(np.float32), X)
    return X if hasattr(X, "dtype") else None
