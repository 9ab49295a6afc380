"""Dense nets with one output for each task: MultitaskClassifier and MultitaskRegressor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal.arrays import is_scipy, sparse_rows
from .._internal.registry import Bool, Float, Int, List
from ..data import NumpyDataset
from ..data.batch import Batch, Batches, batches_in_memory, compressed, sparse_batch
from ..feat import Featurizer
from .blocks import Activation, PreActivated
from .features import FeatureRows
from .labels import check_classes, check_numbers
from .net import NetModel
from .settings import (
    N_CLASSES,
    N_TASKS,
    TRAINING,
    EachActivation,
    EachLayer,
    Numbers,
    Option,
    Precision,
    Settings,
    Share,
    declared,
)
from .uncertainty import UncertainNet


class _Multitask(FeatureRows, NetModel):
    """What the two models share."""

    settings = TRAINING | Settings(
        n_tasks=N_TASKS,
        n_features=Int(1, 10_000_000),
        layer_sizes=List(Int(1, 10_000_000), max_length=1000),
        weight_init_stddevs=EachLayer(Float(low=0), "layer_sizes", output="optional"),
        bias_init_consts=EachLayer(Float(), "layer_sizes", output=0.0),
        dropouts=EachLayer(Share(), "layer_sizes"),
        activation_fns=EachActivation("layer_sizes"),
        n_classes=N_CLASSES,
        pad_batches=Bool(optional=True),
        residual=Option(),
        layer_norm=Option(),
        uncertainty=Option(),
        dtype=Precision(),
    )
    n_tasks: int
    layer_sizes: list[int]
    weight_init_stddevs: list[float]
    bias_init_consts: list[float]
    dropouts: list[float]
    activation_fns: list[str]
    n_classes: int
    pad_batches: bool
    residual: bool
    layer_norm: bool
    dtype: str

    def _net(self, shape: tuple[int, ...]) -> nn.Sequential:
        rng = nn.init.generator(self.seed)
        layers: list[nn.Module] = []
        width, ahead = self.n_features, list[nn.Module]()  # what comes before the weights of a residual block
        for i, size in enumerate(self.layer_sizes):
            apart = self.residual or self.layer_norm
            dense = self._dense(i, width, size, "identity" if apart else self.activation_fns[i], rng)
            drop = [nn.Dropout(self.dropouts[i])] if self.dropouts[i] > 0 else []
            norm = [nn.LayerNorm(size)] if self.layer_norm else []
            behind = [*norm, Activation(self.activation_fns[i])] if apart else []
            if not self.residual:
                layers += [dense, *behind, *drop]
            elif i == 0:
                layers += [dense, *drop]
            else:
                layers.append(PreActivated([*ahead, dense, *drop], skip=width == size))
            width, ahead = size, behind if self.residual else []
        output = self._dense(len(self.layer_sizes), width, int(np.prod(shape)), "identity", rng)
        if self.weight_decay_penalty:
            output.w.decay = False  # as in DeepChem
        net = nn.Sequential(*layers, *ahead, output, output_shape=shape if len(shape) > 1 else None)
        for parameter in net.parameters() if self.dtype == "float64" else ():
            parameter.data = parameter.data.astype(np.float64)
        return net

    def _dense(self, i: int, width: int, size: int, activation: str, rng: np.random.Generator) -> nn.Linear:
        given = i < len(self.weight_init_stddevs)
        return nn.Linear(
            width,
            size,
            activation=None if activation == "identity" else activation,
            weight_init=nn.init.normal(self.weight_init_stddevs[i]) if given else nn.init.glorot_uniform(),
            bias_init=nn.init.constant(self.bias_init_consts[i]),
            rng=rng,
        )

    def _training_rows(self, dataset: Any) -> Any:
        if type(dataset) is NumpyDataset:
            X = dataset.X.astype(self.dtype, copy=False) if is_scipy(dataset.X) else dataset.X
            X, y, w = compressed(X, self.device), self._prepared_labels(dataset.y, dataset.w), dataset.w
            ready = X.dtype == self.dtype or self._goes_in_as_it_is(X)
            rows = batches_in_memory(X, y, w, Batch if ready else self._batch)
        else:
            rows = super()._training_rows(dataset)
        return self._padded(rows) if self.pad_batches else rows

    # Sparse matrices of SciPy.
    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        return None if is_scipy(given) else super()._datapoints(where, given, featurizer)

    def _array(self, where: str, rows: Any) -> Any:
        return sparse_rows(where, "X", rows) if is_scipy(rows) else super()._array(where, rows)

    def _check_shape(self, where: str, X: Any) -> Any:
        if not is_scipy(X):
            return super()._check_shape(where, X)
        if X.shape[1] != self.n_features:
            raise ValueError(f"{where}: X must have shape (rows, {self.n_features}), got {X.shape}")
        return X

    def _check_features(self, where: str, X: Any) -> Any:
        if not is_scipy(X):
            return super()._check_features(where, X)
        X = self._check_shape(where, X)
        bad = np.flatnonzero(~(abs(X.data) <= np.finfo(np.float32).max))
        if len(bad):
            entries = X.tocoo()
            row, column = entries.row[bad[0]], entries.col[bad[0]]
            raise ValueError(f"{where}: X holds {X.data[bad[0]]} at row {row}, column {column}; impute or drop it")
        return X

    def _checked_input(self, where: str, X: Any) -> Any:
        return self._net_input(self._check_features(where, X)) if is_scipy(X) else super()._checked_input(where, X)

    def _batch(self, X: Any) -> Batch:
        return Batch(sparse_batch(X.astype(self.dtype, copy=False))) if is_scipy(X) else super()._batch(X)

    def _padded(self, rows: Batches) -> Batches:
        """The same batches, the weights of a short one scaled so that its loss is divided by ``batch_size``."""

        def iterbatches(batch_size: int, **order: Any) -> Iterator[Any]:
            for X, y, w, ids in rows.iterbatches(batch_size, **order):
                yield X, y, w if len(X) == self.batch_size else w * (len(X) / self.batch_size), ids

        return Batches(rows, iterbatches)

    def _prepared_labels(self, y: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
        """Labels in the form that the loss takes, for all batches at once."""
        return y


@declared
class MultitaskClassifier(_Multitask):
    """A dense net with a softmax over the classes of each task.

    Parameters
    ----------
    n_tasks, n_features : int
    layer_sizes : list of int
        Widths of the hidden layers.
    weight_init_stddevs, bias_init_consts : float or list of float
        Start values: weights normal with this standard deviation, biases constant; one number for all hidden layers, or
        one a layer. The output layer, where a list does not hold it as its last, starts from Glorot's uniform distribution
        (`MultitaskRegressor`: normal with the deviation of the last hidden layer) and bias 0, as in DeepChem.
    weight_decay_penalty : float
        Penalty on the weights of the hidden layers: ``penalty * sum(w**2)`` ("l2"), which joins the gradient, or
        ``penalty * sum(|w|)`` ("l1"), whose proximal step gives exact zeros. The optimizer adds it; the loss that
        is reported is without it (in DeepChem with it). The output layer is left alone, as in DeepChem.
    weight_decay_penalty_type : {"l2", "l1"}
    dropouts : float or list of float
        After each hidden layer.
    activation_fns : str or list of str
        Names as for `catalase.ops.activation`.
    n_classes : int
        Of each task.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    pad_batches : bool
        Divide the loss of the last, short batch of an epoch by ``batch_size``, as DeepChem does, which fills it up with
        rows of weight 0; its rows then count as much as all others. False divides by the rows that are there.
    optimizer : str or optim.Optimizer, optional
        The name of one of `catalase.optim`, which gets ``learning_rate``, or one with settings of its own and without a
        module, such as ``ct.optim.SGD(lr=0.1)``; Adam where left out. Penalties are added to its own.
    residual : bool
        Pre-activated residual blocks: the output of a hidden layer, before its activation, is added to that of the layer
        before where both are of one width. (DeepChem also adds the features to the first layer, where they are as many.)
    layer_norm : bool
        Normalize the output of each hidden layer (`nn.LayerNorm`) before its activation.
    dtype : {"float32", "float64"}
        Of the weights and of all arithmetic. float64 computes on the CPU alone, at half the speed.

    Notes
    -----
    Labels y (N, n_tasks) are class numbers; NaN, or weight 0, is a missing label. The loss is the mean over all labels
    of weight times cross-entropy. The defaults are DeepChem's, but for ``pad_batches``, which is True there.

    References
    ----------
    Ramsundar et al., "Massively multitask networks for drug discovery", arXiv:1502.02072.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.eye(4, dtype=np.float32)
    >>> model = ct.models.MultitaskClassifier(2, 4, layer_sizes=[8], seed=1)
    >>> _ = model.fit(ct.data.NumpyDataset(X, np.eye(4)[:, :2]), nb_epoch=5)
    >>> model.predict(X).shape
    (4, 2, 2)
    """

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        layer_sizes: Sequence[int] = (1000,),
        weight_init_stddevs: Numbers = 0.02,
        bias_init_consts: Numbers = 1.0,
        weight_decay_penalty: float = 0.0,
        weight_decay_penalty_type: str = "l2",
        dropouts: Numbers = 0.5,
        activation_fns: str | Sequence[str] = "relu",
        n_classes: int = 2,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        pad_batches: bool = False,
        optimizer: str | optim.Optimizer | None = None,
        residual: bool = False,
        layer_norm: bool = False,
        dtype: str = "float32",
    ) -> None:
        self._set(locals())
        self._start(self._net((self.n_tasks, self.n_classes)), nn.losses.SoftmaxCrossEntropy())

    def _prepared_labels(self, y: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
        # Class numbers; other labels stay as they are.
        if y.shape != w.shape or (self.n_tasks == 1 and y.shape[1:] == (self.n_classes,)):
            return y  # one weight for several labels; rows of class probabilities
        return nn.losses.class_numbers(y, w)

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes)


@declared
class MultitaskRegressor(_Multitask, UncertainNet):
    """A dense net with one number for each task, trained on squared error; optionally with a variance for each.

    Parameters
    ----------
    n_tasks, n_features, layer_sizes, weight_init_stddevs, bias_init_consts, weight_decay_penalty, \
weight_decay_penalty_type, dropouts, activation_fns, batch_size, learning_rate, seed, pad_batches, optimizer, residual, \
layer_norm, dtype
        As `MultitaskClassifier`.
    uncertainty : bool
        Also predict the variance of each label, and train on the Gaussian likelihood (`nn.losses.GaussianNLL`), for
        `predict_uncertainty`. It needs dropout after every hidden layer, as in DeepChem.

    Notes
    -----
    Labels y (N, n_tasks); NaN, or weight 0, is a missing label. The loss is the mean over all labels of weight times
    squared error. Normalize the labels first (`catalase.trans.NormalizationTransformer`). The defaults are DeepChem's,
    but for ``pad_batches``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 50, dtype=np.float32).reshape(-1, 1)
    >>> model = ct.models.MultitaskRegressor(1, 1, layer_sizes=[32], dropouts=0.0, seed=1)
    >>> _ = model.fit(ct.data.NumpyDataset(X, X), nb_epoch=5)
    >>> model.predict(X).shape
    (50, 1)
    """

    settings = _Multitask.settings | {"weight_init_stddevs": EachLayer(Float(low=0), "layer_sizes", output="last")}

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        layer_sizes: Sequence[int] = (1000,),
        weight_init_stddevs: Numbers = 0.02,
        bias_init_consts: Numbers = 1.0,
        weight_decay_penalty: float = 0.0,
        weight_decay_penalty_type: str = "l2",
        dropouts: Numbers = 0.5,
        activation_fns: str | Sequence[str] = "relu",
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        pad_batches: bool = False,
        optimizer: str | optim.Optimizer | None = None,
        residual: bool = False,
        layer_norm: bool = False,
        uncertainty: bool = False,
        dtype: str = "float32",
    ) -> None:
        self._set(locals())
        if not self.uncertainty:
            self._start(self._net((self.n_tasks,)), nn.losses.L2Loss())
            return
        if not all(self.dropouts):
            raise ValueError(
                f"MultitaskRegressor: uncertainty=True needs dropouts above 0 after every hidden layer, got {self.dropouts}"
            )
        net = self._net((2, self.n_tasks))
        net.layers[-1].b.data[self.n_tasks :] = 0  # type: ignore[attr-defined]  # a variance of about 1
        self._start(net, nn.losses.GaussianNLL())

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_numbers(where, y, w, self.n_tasks)
