"""Training a model on a table, from its split to what is written beside the model: an `Outcome`."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__, splits
from .._internal.arrays import numbers
from .._internal.numbers import choice, flag, shown, whole_number
from .._internal.text import strip_white
from ..data import NumpyDataset
from ..data.labelled_table import LabelledTable
from ..explain.molecules import atoms
from ..hyper import y_scrambling
from ..models import AutoModel, Model
from ..models.auto.blocks import Blocks, MoleculeBlocks
from ..models.auto.folds import same_molecules
from ..models.auto.members import KINDS
from ..models.auto.model import Trained, out_of_fold_scores
from .outcome import Outcome, outcome_of
from .report import worst_predictions
from .scores import SCORES, headline, metrics_of

_SPLITTERS = ("scaffold", "random", "index")
_PACKAGES = ("numpy", "rdkit", "scikit-learn")


def _check(function: str, table: Any, model: Any = None) -> None:
    """Refuse what is no table, or no model of the kind that is trained here."""
    if not isinstance(table, LabelledTable):
        raise TypeError(f"{function}: table must be a LabelledTable, got {shown(table)}")
    if function != "readable" and not isinstance(model, AutoModel):
        raise TypeError(f"{function}: model must be an AutoModel, got {shown(model)}")


def readable(table: LabelledTable) -> LabelledTable:
    """Return the table of the molecules that can be read, with the others among its failures."""
    _check("readable", table)
    return table.featurized(MoleculeBlocks())[1]


def held_out_rows(smiles: list[str], blocks: Blocks, splitter: str, seed: int) -> NDArray[np.bool_]:
    """Return which rows are held out: those of a tenth of the distinct molecules, of scaffolds or by chance."""
    same = same_molecules(smiles, blocks)
    first = np.sort(np.unique(same, return_index=True)[1])  # a row of each molecule; the others go along
    dataset = NumpyDataset(np.zeros((len(first), 1), np.float32), ids=np.array(smiles, dtype=object)[first])
    return np.isin(same, same[first[splits.NAMED[splitter]().split(dataset, seed=seed)[2]]])


def train_model(
    table: LabelledTable,
    model: AutoModel,
    *,
    splitter: str | None = None,
    held_out: NDArray[np.bool_] | None = None,
    progress: bool | None = None,
    units: str = "",
    transform: str = "",
) -> Outcome:
    """Train a model on a table but for the rows of a test part, and score it on these.

    Parameters
    ----------
    table : LabelledTable
        Of molecules that can be read; see `readable`.
    model : AutoModel
        Not trained yet. Its seed draws the split.
    splitter : {"scaffold", "random", "index"}, optional
        Of the test part, a tenth of the rows; by default that of the model.
    held_out : bool ndarray (N,), optional
        The test part, where it is given.
    progress : bool, optional
        As for `AutoModel.fit`.
    units, transform : str
        Of the labels, for the report.

    Returns
    -------
    Outcome
        After Ctrl-C too, if a member was done: its plan says so.

    Raises
    ------
    TypeError, ValueError
        For a table without labels to learn from or to score.
    """
    start = time.monotonic()
    _check("train_model", table, model)
    splitter = choice("train_model", "splitter", model.splitter if splitter is None else splitter, _SPLITTERS)
    progress = progress if progress is None else flag("train_model", "progress", progress)
    for name, text in (("units", units), ("transform", transform)):
        if not isinstance(text, str):
            raise TypeError(f"train_model: {name} must be a text, got {shown(text)}")
    if held_out is not None:
        held_out = numbers("train_model", "held_out", held_out)
        if held_out.dtype.kind != "b" or held_out.shape != (len(table),):
            raise ValueError(
                f"train_model: held_out must be True or False for each of the {len(table):,} molecules, got "
                f"{shown(held_out)}"
            )
    smiles = [strip_white(text) for text in table.smiles]
    blocks = MoleculeBlocks().featurize(smiles)
    held = held_out_rows(smiles, blocks, splitter, model.seed) if held_out is None else held_out
    if held.all():
        raise ValueError(
            f"train_model: the split leaves none of {len(table):,} molecules to learn from; give more molecules, or "
            'splitter="random" (--splitter random)'
        )
    model.smiles_column = table.smiles_column
    train = np.flatnonzero(~held)
    try:
        model.fit(table.take(train).molecules(), progress=progress)
    except KeyboardInterrupt:
        if model.trained is None:
            raise
    assert model.trained is not None
    return _outcome(
        table, model, model.trained, blocks, train, np.flatnonzero(held), time.monotonic() - start, units, transform
    )


def contributions(model: Model, outcome: Outcome) -> Outcome:
    """Add what the atoms contribute to the predictions that the report draws."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for task, name in enumerate(outcome.tasks):
        rows = [row for row, of in worst_predictions(outcome) if of == task]
        parts = atoms(model, [outcome.smiles[row].strip() for row in rows], task=task)
        found[name] = dict(zip(rows, parts, strict=True))
    return replace(outcome, contributions=found)


def _outcome(
    table: LabelledTable,
    model: AutoModel,
    trained: Trained,
    blocks: Blocks,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    seconds: float,
    units: str,
    transform: str,
) -> Outcome:
    """What the training found out, with the rows in the order of the table."""
    learned = train[trained.rows]
    rows = np.sort(np.concatenate([learned, test]))
    place = np.full(len(table), -1)
    place[rows] = np.arange(len(rows))
    of_train, of_test = place[learned], place[test]
    answered = model.predict_table([table.smiles[i].strip() for i in test.tolist()]) if len(test) else None

    def whole(inside: NDArray[Any], outside: Any) -> NDArray[Any]:
        found = np.full((len(rows), *inside.shape[1:]), np.nan)
        found[of_train] = inside
        if len(test):
            found[of_test] = outside
        return found

    held_out = blocks.at(test)
    if any(KINDS[kind].graphs for kind in trained.members):
        held_out = MoleculeBlocks(graphs=True).featurize([strip_white(table.smiles[i]) for i in test.tolist()])
    known = trained.training.known
    each = {
        kind: whole(found, member.predict(held_out, known) if len(test) else None)
        for kind, (member, found) in [*trained.members.items(), *trained.baselines.items()]
    }
    each["mean"] = whole(trained.training.means(), np.nanmean(trained.training.y, axis=0))
    columns = {
        name: whole(getattr(trained.out_of_fold, name), getattr(answered, name, None))
        for name in trained.out_of_fold._fields
    }
    parts, folds = np.full(len(rows), "train", dtype=object), np.full(len(rows), -1)
    parts[of_test] = "test"
    folds[of_train] = trained.training.folds
    y, mode = table.y[rows], trained.training.mode
    report = model.report
    outcome = Outcome(
        source=table.name,
        tasks=table.tasks,
        mode=mode,
        smiles=[table.smiles[i] for i in rows.tolist()],
        rows=table.rows[rows] + 1,
        parts=parts.tolist(),
        folds=folds,
        measured=y,
        predicted=columns["mean"],
        std=columns["std"],
        low=columns["low"],
        high=columns["high"],
        nearest_similarity=columns["nearest_similarity"],
        in_domain=columns["in_domain"] == 1,
        coverage=model.coverage,
        domain_threshold=report["domain_threshold"],
        metrics=metrics_of(
            mode,
            table.tasks,
            parts.tolist(),
            y,
            columns["mean"],
            members={kind: each[kind] for kind in trained.members},
            baselines={kind: each[kind] for kind in (*trained.baselines, "mean")},
            kept=trained.answers,
            seed=model.seed,
        ),
        histories=_histories(trained),
        table=table.summary,
        plan={
            "members": trained.answers,
            "left out": report["left_out"],
            "split": model.splitter,
            "folds": report["folds"],
            "seed": model.seed,
            "time budget, s": model.time_budget,
            "seconds": round(seconds, 2),
            "cut short": report["ended"] or False,
        },
        versions=versions(),
        units=units,
        transform=transform,
    )
    return contributions(model, outcome)


def _histories(trained: Trained) -> dict[str, Any]:
    """The losses of nets, a value an epoch."""
    return {
        f"{kind} {fold}": {name: list(model.history[name]) for name in ("loss", "valid_loss")}
        for kind, (member, _) in trained.members.items()
        for fold, model in enumerate(member.models, 1)
        if model.history
    }


def versions() -> dict[str, str]:
    """The versions of the library and of what it stands on."""
    found = {"catalase": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def scrambled(table: LabelledTable, model: AutoModel, outcome: Outcome, times: int) -> list[str]:
    """Train as `train_model` did on shuffled labels; return what that says about the score, in sentences.

    Parameters
    ----------
    table : LabelledTable
        What the model was trained on.
    model : AutoModel
        After the training.
    outcome : Outcome
    times : int
        How often the labels are shuffled.
    """
    _check("scrambled", table, model)
    outcome_of("scrambled", outcome)
    times = whole_number("scrambled", "times", times)
    key = headline(outcome.mode)
    held = np.isin(table.rows + 1, outcome.rows[outcome.parts == "test"])
    smiles = [strip_white(text) for text in table.smiles]
    inside = [text for text, test in zip(smiles, held.tolist(), strict=True) if not test]
    outside = [text for text, test in zip(smiles, held.tolist(), strict=True) if test]

    def score(y: NDArray[np.float64]) -> float:
        again = AutoModel(
            outcome.mode, model.time_budget, model.seed, model.splitter, model.folds, model.members, model.coverage
        )
        again.fit(inside, y, progress=False)
        return out_of_fold_scores(table.y[held], again.predict_table(outside).mean, outcome.mode)[key]

    found = y_scrambling(
        score, table.y[~held], repeats=times, maximize=outcome.mode == "classification", seed=model.seed
    )
    shown = ", ".join(f"{value:.3f}" for value in found.scrambled)
    label = SCORES[outcome.mode][key].label
    return [
        f"trained on shuffled labels {times} time{'' if times == 1 else 's'}, {label} on the test part is {shown}; with the "
        f"labels as they are it is {found.score:.3f} (p = {found.p_value:.3g})"
    ]
