"""What the training of one net found out: an `Outcome` without intervals, beside simple models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.text import strip_white
from ..data import NumpyDataset
from ..data.labelled_table import LabelledTable
from ..feat import CircularFingerprint, Combined
from ..models import Model, RidgeRegression, TanimotoKNNClassifier, TanimotoKNNRegressor
from ..models.auto.blocks import SIZE, MoleculeBlocks, Statistics
from ..models.auto.domain import Domain
from .outcome import Outcome
from .scores import metrics_of
from .training import contributions, versions

_MOST_COMPARED = 20_000  # rows of which baselines are trained
_VALIDATION, _TRAINING = 0, 1  # folds: the first is the one that chose the epoch

_FLOATS = NDArray[np.float64]


def net_outcome(
    table: LabelledTable, mode: str, parts: Sequence[Any], split: Sequence[Any], model: Model, plan: dict[str, Any]
) -> Outcome:
    """Score a net on the rows for validation and test, and compare it with simple models.

    Parameters
    ----------
    table : LabelledTable
    mode : {"regression", "classification"}
    parts : sequence of three Dataset
        For training, for validation (early stopping) and for test, with the features that the model reads.
    split : sequence of three int ndarrays
        Their rows in the table.
    model : Model
        Trained, with its transformers.
    plan : dict
        How it was trained, for the model card: "seed" among others.
    """
    training, validation, test = (np.asarray(rows) for rows in split)
    folds = np.full(len(table), _TRAINING)
    folds[validation] = _VALIDATION
    folds[test] = -1
    named = np.where(folds < 0, "test", "train").tolist()
    scored = np.concatenate([validation, test])

    def whole(found: Any) -> _FLOATS:
        values = np.full((len(table), len(table.tasks)), np.nan)
        values[scored] = _of_class_1(found)
        return values

    predicted = whole(np.concatenate([model.predict(part) for part in parts[1:]]))
    smiles = [strip_white(text) for text in table.smiles]
    bits = ops.ecfp(smiles, size=SIZE)
    learned = np.sort(np.concatenate([training, validation]))
    domain, nearest = Domain.of(bits[learned], folds[learned])
    similarity = np.zeros(len(table), np.float32)
    similarity[learned] = nearest
    if len(test):
        similarity[test] = domain.nearest(bits[test])
    kind, history = type(model).__name__, model.history  # no history where Ctrl-C ended the training
    missing = np.full(predicted.shape, np.nan)
    outcome = Outcome(
        source=table.name,
        tasks=table.tasks,
        mode=mode,
        smiles=table.smiles,
        rows=table.rows + 1,
        parts=named,
        folds=folds,
        measured=table.y,
        predicted=predicted,
        std=missing,
        low=missing,
        high=missing,
        nearest_similarity=similarity,
        in_domain=similarity >= domain.threshold,
        coverage=0.9,
        domain_threshold=domain.threshold,
        metrics=metrics_of(
            mode,
            table.tasks,
            named,
            table.y,
            predicted,
            members={kind: predicted},
            baselines={
                name: whole(found) for name, found in _baselines(table, smiles, bits, training, scored, mode).items()
            },
            seed=plan["seed"],
        ),
        histories={} if history is None else {kind: {name: list(history[name]) for name in ("loss", "valid_loss")}},
        table=table.summary,
        plan={"members": [kind], **plan},
        versions=versions(),
        transform=plan.get("transform", ""),
    )
    return contributions(model, outcome) if _has_atoms(model.featurizer) else outcome


def _of_class_1(predicted: NDArray[Any]) -> NDArray[Any]:
    return predicted[:, :, 1] if predicted.ndim == 3 else predicted


def _has_atoms(featurizer: Any) -> bool:
    """Whether atoms have contributions to predictions from these features."""
    parts = featurizer.featurizers if isinstance(featurizer, Combined) else [featurizer]
    return bool(featurizer.makes_graphs) or any(isinstance(part, CircularFingerprint) for part in parts)


def _baselines(
    table: LabelledTable,
    smiles: list[str],
    bits: NDArray[np.uint8],
    rows: NDArray[Any],
    scored: NDArray[Any],
    mode: str,
) -> dict[str, Any]:
    """Return what simple models that learn from some rows predict of others, by name."""
    learned = np.flatnonzero((~np.isnan(table.y[rows])).any(axis=0))  # tasks with a label to learn from
    y = table.y[np.ix_(rows, learned)]
    known = ~np.isnan(y)
    labels, weights = np.where(known, y, 0).astype(np.float32), known.astype(np.float32)

    def of_all_tasks(predicted: Any) -> _FLOATS:
        values = np.full((len(scored), len(table.tasks)), np.nan)
        values[:, learned] = _of_class_1(predicted)
        return values

    found = {"mean": of_all_tasks(np.nanmean(y, axis=0)[None])}
    if len(smiles) > _MOST_COMPARED:
        return found
    neighbours = TanimotoKNNClassifier if mode == "classification" else TanimotoKNNRegressor
    blocks = MoleculeBlocks().featurize(smiles)
    numbers = blocks.scaled(Statistics.of(blocks.at(rows)))
    for name, make, X in (("ridge", RidgeRegression, numbers), ("nearest neighbours", neighbours, bits)):
        model = make(y.shape[1], numbers.shape[1] if name == "ridge" else SIZE)
        model.fit(NumpyDataset(X[rows], labels, weights))
        found[name] = of_all_tasks(model.predict(X[scored]))
    return found
