"""The members of an `AutoModel`: what each learns from, and its predictions for molecules that it has not seen.

A net, a forest or a graph net is one model a fold, trained on the other folds, so that its predictions for the rows of the
fold are out of fold at no cost; for new molecules the models of all folds answer together. A Gaussian process learns from all
rows, and has its predictions without a fold in closed form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import data, trans
from ..._internal.registry import List, Str
from ..._internal.settings import Declared, Settings
from ...train import Callback, EarlyStopping
from ...train.together import fit_together
from ..model import Model
from ..settings import Registered, declared
from .blocks import DESCRIPTORS, SIZE, Blocks, Statistics

_EPOCHS, _PATIENCE, _GRAPH_EPOCHS, _TREES = 100, 10, 30, 250


@dataclass
class Training:
    """What members learn from.

    Attributes
    ----------
    blocks : Blocks
    y : float64 ndarray (N, T)
        NaN where a label is missing.
    folds : int ndarray (N,)
        From 0.
    mode : {"regression", "classification"}
    seed : int
    known : Statistics
        Of the molecules.
    """

    blocks: Blocks
    y: NDArray[np.float64]
    folds: NDArray[np.intp]
    mode: str
    seed: int
    known: Statistics = field(init=False)

    def __post_init__(self) -> None:
        self.known = Statistics.of(self.blocks)

    @property
    def tasks(self) -> int:
        """How many."""
        return int(self.y.shape[1])

    def dataset(self, X: Any, rows: Any = slice(None)) -> Any:
        """Some rows as a dataset, with weight 0 where a label is missing."""
        y = self.y[rows]
        known = ~np.isnan(y)
        make = data.GraphDataset if not isinstance(X, np.ndarray) else data.NumpyDataset
        return make(X[rows], np.where(known, y, 0).astype(np.float32), known.astype(np.float32))

    def means(self) -> NDArray[np.float64]:
        """For each row the mean of the labels outside its fold."""
        found = np.empty_like(self.y)
        for outside, inside in self.each_fold():
            found[inside] = np.nanmean(self.y[outside], axis=0)
        return found

    def each_fold(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """For each fold the rows outside and inside."""
        return [(np.flatnonzero(self.folds != k), np.flatnonzero(self.folds == k)) for k in range(self.folds.max() + 1)]


Progress = Callable[[str], None]
Fit = Callable[[Training, Any, Progress], tuple[list[Model], NDArray[np.float64]]]
# The training, the number of the fold, the datasets outside and inside it, and a callback that may end the fit.
Make = Callable[[Training, int, Any, Any, Callback], Model]


class _Models(List):
    """Models, which an argument holds as they are and a config as configs."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return [Registered(Model).take(model, owner, key) for model in value]


@declared
class Member(Declared):
    """What one kind of member learned.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    models : list of Model
        One a fold, or one of all rows.
    """

    settings = Settings(kind=Str(), models=_Models(Registered(Model), min_length=1, max_length=1000))
    kind: str
    models: list[Any]

    def __init__(self, kind: str, models: Sequence[Model]) -> None:
        self._set(locals())
        if self.kind not in KINDS:
            raise ValueError(f"Member: kind must be one of {', '.join(KINDS)}, got {self.kind!r}")

    def predict(self, blocks: Blocks, known: Statistics) -> NDArray[np.float64]:
        """Return numbers, or probabilities of class 1, (N, T): the mean over the models."""
        X = KINDS[self.kind].view(blocks, known)
        return np.mean([_of_class_1(model.predict(X)) for model in self.models], axis=0, dtype=np.float64)


@dataclass(frozen=True)
class Kind:
    """How a kind of member is made.

    Attributes
    ----------
    view : callable
        From blocks and the training molecules' statistics to X.
    fit : callable
        From the training, X and a function that is told of progress to the models and the predictions out of fold, (N, T).
    needs : tuple of str
        The packages that it needs, to be saved too.
    graphs : bool
        Whether X are graphs.
    baseline : bool
        Whether it is what members are compared with; it answers only if it was asked for.
    """

    view: Callable[[Blocks, Statistics], Any]
    fit: Fit
    needs: tuple[str, ...] = ()
    graphs: bool = False
    baseline: bool = False


def _of_class_1(found: NDArray[Any]) -> NDArray[Any]:
    return found[:, :, 1] if found.ndim == 3 else found


def _by_folds(make: Make, of_nets: bool = False) -> Fit:
    """Fit one model a fold, those of nets side by side (scikit-learn shares the threads by itself)."""

    def fit(training: Training, X: Any, said: Progress) -> tuple[list[Model], NDArray[np.float64]]:
        found = np.full(training.y.shape, np.nan)
        parts = training.each_fold()

        def one(fold: int, stop: Callback) -> Model:
            said(f"{fold + 1} of {len(parts)}")
            outside, inside = parts[fold]
            model = make(training, fold, training.dataset(X, outside), training.dataset(X, inside), stop)
            found[inside] = _of_class_1(model.predict(X[inside]))
            return model

        fits = [functools.partial(one, fold) for fold in range(len(parts))]
        return fit_together(fits) if of_nets else [fit(Callback()) for fit in fits], found

    return fit


def _net(training: Training, fold: int, outside: Any, inside: Any, stop: Callback) -> Model:
    from .. import MultitaskClassifier, MultitaskRegressor

    options: dict[str, Any] = {
        "layer_sizes": [512, 128],
        "dropouts": 0.3,
        "weight_init_stddevs": 0.05,
        "bias_init_consts": 0.0,
        "weight_decay_penalty": 1e-3,
        "batch_size": 50,
        "learning_rate": 1e-3,
        "seed": training.seed + fold,
    }
    width = outside.X.shape[1]
    model: Model
    if training.mode == "classification":
        model = MultitaskClassifier(training.tasks, width, **options)
    else:
        model = MultitaskRegressor(training.tasks, width, **options)
        scaler = trans.NormalizationTransformer(transform_y=True, dataset=outside)
        model.transformers = [scaler]
        outside, inside = scaler.transform(outside), scaler.transform(inside)
    model.fit(outside, _EPOCHS, valid=inside, callbacks=[EarlyStopping(patience=_PATIENCE), stop], progress=False)
    return model


def _graph_net(training: Training, fold: int, outside: Any, inside: Any, stop: Callback) -> Model:
    from .. import DMPNNModel

    seed = training.seed + fold
    model = DMPNNModel(training.tasks, mode=training.mode, seed=seed, n_extra_features=DESCRIPTORS)
    best = EarlyStopping(patience=_GRAPH_EPOCHS)
    model.fit(outside, _GRAPH_EPOCHS, valid=inside, callbacks=[best, stop], progress=False)
    return model


def _forest(training: Training, fold: int, outside: Any, inside: Any, stop: Callback) -> Model:
    from sklearn import ensemble

    from ...ops.ecfp import threads_of
    from .. import SklearnModel

    kind = ensemble.RandomForestClassifier if training.mode == "classification" else ensemble.RandomForestRegressor
    trees = _TREES // (int(training.folds.max()) + 1)
    forest = kind(trees, max_features=0.3, random_state=training.seed + fold, n_jobs=threads_of("AutoModel.fit", None))
    model = SklearnModel(forest)
    model.fit(outside)
    return model


def _described_graphs(blocks: Blocks, known: Statistics) -> Any:
    assert blocks.graphs is not None
    return blocks.graphs.with_extra(blocks.descriptors.astype(np.float32))


def _ridge(training: Training, fold: int, outside: Any, inside: Any, stop: Callback) -> Model:
    from .. import RidgeRegression

    model = RidgeRegression(training.tasks, outside.X.shape[1])
    model.fit(outside)
    return model


def _neighbours(training: Training, fold: int, outside: Any, inside: Any, stop: Callback) -> Model:
    from .. import TanimotoKNNClassifier, TanimotoKNNRegressor

    kind = TanimotoKNNClassifier if training.mode == "classification" else TanimotoKNNRegressor
    model = kind(training.tasks, SIZE)
    model.fit(outside)
    return model


def _process(n_counts: int, n_features: int) -> Fit:
    def fit(training: Training, X: Any, said: Progress) -> tuple[list[Model], NDArray[np.float64]]:
        from .. import TanimotoGP

        said("all rows")
        model = TanimotoGP(training.tasks, n_features, n_counts, mode=training.mode, seed=training.seed)
        dataset = training.dataset(X)
        model.fit(dataset)
        said("out of fold")
        found, _ = model.leave_groups_out(dataset, training.folds)
        return [model], _of_class_1(found)

    return fit


def _common_numbers(blocks: Blocks, known: Statistics) -> NDArray[np.float32]:
    return blocks.numbers[:, known.common]


def _common_bits(blocks: Blocks, known: Statistics) -> NDArray[np.float32]:
    return (blocks.counts[:, known.common[:SIZE]] > 0).astype(np.float32)


KINDS = {
    "net": Kind(lambda blocks, known: blocks.scaled(known), _by_folds(_net, of_nets=True)),
    "Gaussian process": Kind(lambda blocks, known: blocks.numbers, _process(SIZE, SIZE + DESCRIPTORS)),
    "forest": Kind(_common_numbers, _by_folds(_forest), needs=("sklearn", "skops")),
    "Gaussian process on bits": Kind(lambda blocks, known: blocks.bits, _process(SIZE, SIZE)),
    "forest on bits": Kind(_common_bits, _by_folds(_forest), needs=("sklearn", "skops")),
    "graph net": Kind(_described_graphs, _by_folds(_graph_net, of_nets=True), graphs=True),
    "ridge": Kind(lambda blocks, known: blocks.scaled(known), _by_folds(_ridge), baseline=True),
    "nearest neighbours": Kind(lambda blocks, known: blocks.bits, _by_folds(_neighbours), baseline=True),
}
"""The kinds of members, the most useful ones first."""
