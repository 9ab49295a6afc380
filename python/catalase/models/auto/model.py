"""`AutoModel`: several kinds of models, each measured on molecules that it has not seen, which answer together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import metrics, train
from ..._internal.arrays import labels as label_values
from ..._internal.numbers import flag, listed, number, shown
from ..._internal.registry import Float, Int, List, Object, Str, register
from ..._internal.settings import Settings
from ...data.dataset import task_names
from ...feat import Featurizer
from ..datapoints import datapoints, is_dataset
from ..model import Model
from .blocks import DESCRIPTORS, SIZE, Blocks, MoleculeBlocks, Statistics
from .calibration import Blend
from .domain import Domain
from .folds import folds_of, grouped, same_molecules
from .members import KINDS, Member, Training
from .plan import FOLDS, planned

_FLOATS = NDArray[np.float64]
_FEWEST = 10  # labels of a task
_NEEDED = "needs a list of SMILES or molecules, or a dataset with SMILES as ids"
_WORST = 1.25  # times the best member's error out of fold: those beyond do not answer


class Prediction(NamedTuple):
    """What an `AutoModel` says of N molecules and T tasks.

    Attributes
    ----------
    mean : float64 ndarray (N, T)
        The number, or the probability of class 1.
    std : float64 ndarray (N, T)
    low, high : float64 ndarray (N, T)
    nearest_similarity : float32 ndarray (N,)
        To the most similar training molecule, from 0 to 1.
    in_domain : bool ndarray (N,)
    """

    mean: _FLOATS
    std: _FLOATS
    low: _FLOATS
    high: _FLOATS
    nearest_similarity: NDArray[np.float32]
    in_domain: NDArray[np.bool_]


@dataclass
class Trained:
    """What a fit leaves for reports.

    Attributes
    ----------
    training : Training
        The molecules with a label, their folds and labels.
    rows : int ndarray (N,)
        Where they stand in what was given to `fit`.
    members, baselines : dict of str to (Member, float64 ndarray (N, T))
        Each with its predictions out of fold; the members include those that do not answer.
    answers : list of str
        The members that answer.
    out_of_fold : Prediction
        What the model says of its training molecules without their folds; NaN where a label is missing.
    """

    training: Training
    rows: NDArray[np.intp]
    members: dict[str, tuple[Member, _FLOATS]]
    baselines: dict[str, tuple[Member, _FLOATS]]
    answers: list[str]
    out_of_fold: Prediction


class OutOfTime(Exception):
    """The time budget has run out."""


_SETTINGS = Settings(
    task=Str(choices=["regression", "classification"], none=True),
    time_budget=Float(low=0),
    seed=Int(0, 2**63 - 1),
    splitter=Str(choices=["scaffold", "random"]),
    folds=Int(2, 100),
    members=List(Str(choices=list(KINDS)), min_length=1, max_length=len(KINDS), none=True),
    coverage=Float(low=0, high=1),
)


@register("AutoModel", **_SETTINGS, learned=List(Object(Member), optional=True))
class AutoModel(Model):
    """A model of molecules that chooses by itself what it is made of, and says how sure it is.

    Dense nets on counts and descriptors, Gaussian processes, random forests (where scikit-learn is installed) and graph nets
    are trained as far as a time budget goes. Each is measured out of fold, on molecules whose group none of its models was
    trained on; those whose error is at most 1.25 times the least one answer together, by their plain mean.

    Parameters
    ----------
    task : {"regression", "classification"}, optional
        By default "classification" if all labels are 0 or 1, and both occur.
    time_budget : float
        Seconds. What is trained follows from the number of molecules and tasks by a table of costs, not from the clock: equal
        data and seeds give equal models. Where a slow machine exceeds the budget nevertheless, members that are not done
        are left out, and the report says so.
    seed : int
    splitter : {"scaffold", "random"}
        "scaffold": molecules of one Murcko scaffold are in one fold, so that errors out of fold are those for new chemistry;
        "random": for molecules like those of the training. Equal molecules are always in one fold.
    folds : int
    members : list of str, optional
        Kinds that are trained whatever they take: "net", "Gaussian process", "forest", "Gaussian process on bits", "forest on
        bits", "graph net". By default the table of costs chooses.
    coverage : float
        Of the intervals of `predict_table`, above 0 and below 1.

    Attributes
    ----------
    mode : {"regression", "classification"}
        After `fit`.
    report : dict
        JSON values: "molecules", "tasks", "folds", "validation" (the scores out of fold), "members" (each with its scores and
        whether it answers), "baselines" (likewise), "left_out" (why others do not answer), "complete" (False where the clock
        or Ctrl-C ended the training early), "ended" (which of them did).
    trained : Trained or None
        What the last `fit` leaves for reports: labels, folds, and the predictions out of fold. Not saved.

    Notes
    -----
    Molecules are SMILES or RDKit molecules. Features are counts of ECFP4 (2,048) and the 97 descriptors of
    `catalase.feat.Descriptors`. Nets, forests and graph nets are one model a fold, trained on the other folds; a Gaussian
    process learns from all rows and has its errors out of fold in closed form. Numbers are clipped to the range of the
    training labels; probabilities are corrected by Platt's logistic function, fitted out of fold.

    Intervals are conformal: the errors out of fold, in units of a deviation that grows with the disagreement of the members,
    are those that a new molecule of the same kind will have. With ``splitter="random"`` they hold for molecules that are
    drawn like the training's; with "scaffold" they allow for new scaffolds, and are wider. docs/answers.md has measurements.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["C" * n + end for n in range(1, 13) for end in ("O", "N", "Cl")]
    >>> y = [len(text) / 2 for text in smiles]
    >>> model = ct.models.AutoModel(members=["Gaussian process"], splitter="random", seed=0)
    >>> _ = model.fit(smiles, y)
    >>> low, high = model.predict_interval(["CCCCCO", "CCCCCCN"], coverage=0.8)
    >>> bool((low < high).all()), model.predict(["CCCCCO"]).shape
    (True, (1, 1))
    """

    settings = _SETTINGS
    task: str | None
    time_budget: float
    seed: int
    splitter: str
    folds: int
    members: list[str] | None
    coverage: float

    def __init__(
        self,
        task: str | None = None,
        time_budget: float = 60.0,
        seed: int = 0,
        splitter: str = "scaffold",
        folds: int = FOLDS,
        members: Sequence[str] | None = None,
        coverage: float = 0.9,
    ) -> None:
        self._set(locals())
        if not 0 < self.coverage < 1:
            raise ValueError(f"AutoModel: coverage must be above 0 and below 1, got {shown(coverage)}")
        super().__init__()
        self.mode: str | None = self.task
        self.learned: list[Member] = []
        self.report: dict[str, Any] = {}
        self.trained: Trained | None = None
        self._known: Statistics | None = None
        self._blend: Blend | None = None
        self._domain: Domain | None = None
        self._featurizer = MoleculeBlocks()

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> AutoModel:
        """Return a model with its members, whose weights `load_state_dict` brings."""
        learned = fields.pop("learned", [])
        made = cls(**fields)
        made._set_learned(learned)
        return made

    def to_config(self) -> dict[str, Any]:
        """Return the settings and those of the members as JSON values."""
        return {**super().to_config(), "learned": [member.to_config() for member in self.learned]}

    def _set_learned(self, learned: list[Member]) -> None:
        self.learned = learned
        self._featurizer = MoleculeBlocks(graphs=any(KINDS[member.kind].graphs for member in learned))

    # Learning.
    def fit(self, dataset: Any, y: Any = None, *, progress: bool | None = None) -> train.History:
        """Train, measure and choose; another call begins anew.

        Parameters
        ----------
        dataset : list of SMILES or molecules, or Dataset
            A dataset has SMILES as ids; its y and w are the labels, its X is not looked at.
        y : array_like (N,) or (N, T)
            Labels of a list; NaN is a missing label.
        progress : bool, optional
            Whether to say what is being trained, on standard error; by default if that is a terminal.

        Returns
        -------
        train.History
            Of no epochs; ``report`` says what was trained.

        Raises
        ------
        TypeError, ValueError
            For data that do not fit: a molecule that cannot be read, fewer than 10 labels of a task, or only one class.
        KeyboardInterrupt
            After Ctrl-C. If a member was done, the model answers with those that were, and its report says so.
        """
        start = time.monotonic()
        where = "AutoModel.fit"
        smiles, labels, tasks = _given(where, dataset, y)
        mode = _mode(where, self.task, labels)
        _check_labels(where, labels, tasks)
        used = np.flatnonzero((~np.isnan(labels)).any(axis=1))
        kept = [smiles[row] for row in used.tolist()]
        labels = labels[used]
        plan = planned(len(kept), labels.shape[1], self.time_budget, self.members)
        if not plan.members:
            raise ValueError(f"{where}: no member can be trained: {'; '.join(plan.left_out.values())}")
        featurizer = MoleculeBlocks(graphs=any(KINDS[kind].graphs for kind in plan.members))
        blocks, readable = featurizer.featurize(kept, errors="drop")
        if len(readable) < len(kept):
            assert featurizer.report is not None
            first = featurizer.report.failures[0]
            raise ValueError(
                f"{where}: row {used[first.position]}, {first.text[:80]!r}: {first.reason}; leave it out "
                f"({len(kept) - len(readable):,} of {len(kept):,} cannot be read)"
            )
        texts = [item if isinstance(item, str) else _text(item) for item in kept]
        groups = grouped(texts, same_molecules(texts, blocks), self.splitter)
        count = min(self.folds, int(groups.max()) + 1)
        if count < 2:
            raise ValueError(
                f"{where}: all molecules are of one {'scaffold' if self.splitter == 'scaffold' else 'kind'}, so none can be "
                'held out; give more molecules, or splitter="random"'
            )
        folds = folds_of(groups, count, self.seed)
        training = Training(blocks, labels, folds, mode, self.seed)
        _check_folds(where, training, tasks)
        deadline = (
            start + self.time_budget if self.members is None else math.inf
        )  # those that were asked for are trained
        with _said(progress) as say:
            say("baselines")
            baselines = {kind: _fitted(kind, training, lambda part: None) for kind in KINDS if KINDS[kind].baseline}
            done, ended = _trained(training, plan.members, deadline, say)
        self._take(training, used, done, baselines)
        left_out = dict(plan.left_out)
        left_out |= {kind: f"{ended} ended the training before" for kind in plan.members if kind not in done}
        self.report |= {
            "tasks": tasks,
            "without_labels": len(smiles) - len(kept),
            "left_out": left_out,
            "complete": not ended,
            "ended": ended,
        }
        self.mode, self._tasks, self.history = mode, tasks, train.History(0)
        if ended == "Ctrl-C":
            raise KeyboardInterrupt(f"the model answers with what was done: {', '.join(m.kind for m in self.learned)}")
        return self.history

    def _take(
        self,
        training: Training,
        rows: NDArray[np.intp],
        done: dict[str, tuple[Member, _FLOATS]],
        baselines: dict[str, tuple[Member, _FLOATS]],
    ) -> None:
        """Choose among the members that were done, and learn how far they can be trusted."""
        y, mode = training.y, training.mode
        errors = {kind: _error(y, found, mode) for kind, (_, found) in done.items()}
        good = [kind for kind in done if errors[kind] <= _WORST * min(errors.values())]
        self._set_learned([done[kind][0] for kind in good])
        self._known = training.known
        self._blend, mean, std, unit = Blend.of([done[kind][1] for kind in good], y, mode)
        self._domain, nearest = Domain.of(training.blocks.bits, training.folds)
        low, high = self._blend.interval(mean, unit, self.coverage)
        table = Prediction(mean, std, low, high, nearest, nearest >= self._domain.threshold)
        self.trained = Trained(training, rows, done, baselines, good, table)
        self.report = {
            "mode": mode,
            "molecules": len(y),
            "splitter": self.splitter,
            "folds": int(training.folds.max()) + 1,
            "seed": self.seed,
            "time_budget": self.time_budget,
            "validation": out_of_fold_scores(y, mean, mode),
            "members": {
                kind: {**out_of_fold_scores(y, found, mode), "answers": kind in good}
                for kind, (_, found) in done.items()
            },
            "baselines": {
                "mean": out_of_fold_scores(y, training.means(), mode),
                **{kind: out_of_fold_scores(y, found, mode) for kind, (_, found) in baselines.items()},
            },
            "domain_threshold": self._domain.threshold,
        }

    # Answering.
    def predict_table(self, x: Any, coverage: float | None = None) -> Prediction:
        """Return all that the model says of some molecules, in one pass.

        Parameters
        ----------
        x : list of SMILES or molecules, or Dataset
        coverage : float, optional
            Of the intervals; by default that of the model.

        Returns
        -------
        Prediction
        """
        where = "AutoModel.predict_table"
        coverage = self.coverage if coverage is None else _share(where, coverage)
        parts = self._columns(where, x, lambda blocks: self.columns_of(blocks, coverage))
        n = (parts.shape[1] - 2) // 4
        mean, std, low, high = (np.ascontiguousarray(parts[:, i * n : (i + 1) * n]) for i in range(4))
        return Prediction(mean, std, low, high, parts[:, -2].astype(np.float32), parts[:, -1] != 0)

    def predict_uncertainty(self, x: Any) -> tuple[_FLOATS, _FLOATS]:
        """Return mean and standard deviation, (N, T) each; of classes the probability of class 1, and its deviation.

        The deviation of a number is such that 68% of the errors out of fold are smaller; that of a probability is the
        deviation between the members.
        """
        found = self.predict_table(x)
        return found.mean, found.std

    def predict_interval(self, x: Any, coverage: float = 0.9) -> tuple[_FLOATS, _FLOATS]:
        """Return lower and upper limits, (N, T) each.

        Parameters
        ----------
        x : list of SMILES or molecules, or Dataset
        coverage : float
            Of numbers, the probability that a measurement lies between the limits (split conformal prediction on the errors
            out of fold). Of classes, that of Wilson's interval of the share of class 1 among training molecules of like
            score.
        """
        found = self.predict_table(x, _share("AutoModel.predict_interval", coverage))
        return found.low, found.high

    def nearest_similarity(self, x: Any) -> NDArray[np.float32]:
        """Return the Tanimoto similarity (ECFP4 bits) of each molecule to the nearest one of the training, (N,)."""
        where = "AutoModel.nearest_similarity"
        domain = self._ready(where)[2]
        return self._columns(where, x, lambda blocks: domain.nearest(blocks.bits)[:, None])[:, 0].astype(np.float32)

    def in_domain(self, x: Any) -> NDArray[np.bool_]:
        """Return whether each molecule is as alike to the nearest training molecule as 95% of these are to another fold's."""
        return self.nearest_similarity(x) >= self._ready("AutoModel.in_domain")[2].threshold

    def _ready(self, where: str) -> tuple[Statistics, Blend, Domain]:
        if self._known is None or self._blend is None or self._domain is None:
            raise ValueError(f"{where}: the model has learned nothing yet; call fit first")
        return self._known, self._blend, self._domain

    def columns_of(self, blocks: Blocks, coverage: float) -> _FLOATS:
        """Return all columns of `predict_table` for featurized molecules: T of each kind, then similarity and domain."""
        known, blend, domain = self._ready("AutoModel.predict")
        mean, std, unit = blend.answer([member.predict(blocks, known) for member in self.learned])
        low, high = blend.interval(mean, unit, coverage)
        nearest = domain.nearest(blocks.bits)
        return np.column_stack([mean, std, low, high, nearest, nearest >= domain.threshold])

    @property
    def n_tasks(self) -> int:
        """How many tasks the model has learned."""
        return self._ready("AutoModel.n_tasks")[1].tasks

    def _columns(self, where: str, x: Any, answer: Callable[[Blocks], NDArray[Any]]) -> NDArray[Any]:
        self._ready(where)
        return self._answers(where, _molecules(where, x), answer, "raise").predictions

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        return None if isinstance(given, Blocks) else _molecules(where, given)

    def _check_features_alike(self, where: str, dataset: Any) -> None:
        """A dataset's features are not looked at."""

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        if not isinstance(rows, Blocks):
            assert self.featurizer is not None
            rows = self.featurizer.featurize(_molecules(where, rows))
        known, blend, _ = self._ready(where)
        mean, _, _ = blend.answer([member.predict(rows, known) for member in self.learned])
        return np.stack([1 - mean, mean], axis=2) if blend.of_classes else mean

    # Saving.
    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what was learned: "members.0.0.<name>" of the first model of the first member, "known.<name>" and so on."""
        if self._known is None or self._blend is None or self._domain is None:
            return {}
        state = {
            f"members.{i}.{k}.{name}": array
            for i, member in enumerate(self.learned)
            for k, model in enumerate(member.models)
            for name, array in model.state_dict().items()
        }
        known = self._known
        state |= {
            "known.means": known.means,
            "known.deviations": known.deviations,
            "known.common": known.common.astype(np.uint8),
        }
        state |= {f"blend.{name}": array for name, array in self._blend.saved().items()}
        return state | {"domain.bits": self._domain.bits, "domain.threshold": np.array([self._domain.threshold])}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set what was learned; ValueError unless names, shapes and dtypes fit."""
        where = "load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{where}: state must be a dictionary of arrays by name, got {shown(state)}")
        if not state:
            return
        of_models: dict[tuple[int, int], dict[str, NDArray[Any]]] = {
            (i, k): {} for i, member in enumerate(self.learned) for k in range(len(member.models))
        }
        own: dict[str, NDArray[Any]] = {}
        for name, array in state.items():
            first, *rest = str(name).split(".", 3)
            if first != "members":
                own[name] = array
                continue
            place = tuple(int(part) for part in rest[:2] if part.isdecimal())
            if len(rest) < 3 or place not in of_models:
                raise ValueError(f"{where}: no member has an array {name!r:.100}")
            of_models[place][rest[2]] = array
        known, blend, domain = _read_state(where, own)
        for (i, k), part in of_models.items():
            self.learned[i].models[k].load_state_dict(part)
        self._known, self._blend, self._domain = known, blend, domain

    def _to_carry(self) -> dict[str, Any]:
        carried = super()._to_carry()
        models = [[model._to_carry() for model in member.models] for member in self.learned]
        return {**carried, "members": models, "report": self.report}

    def _carry(self, path: Any, config: dict[str, Any]) -> None:
        super()._carry(path, config)
        members, report = config.get("members"), config.get("report")
        members = members if isinstance(members, list) else []
        sizes = [len(part) if isinstance(part, list) else -1 for part in members]
        if sizes != [len(member.models) for member in self.learned] or not isinstance(report, dict):
            raise ValueError(f"load: the config in {path} does not say what each member carries")
        for member, carried in zip(self.learned, members, strict=True):
            for model, part in zip(member.models, carried, strict=True):
                if not isinstance(part, dict):
                    raise ValueError(f"load: the config in {path} lacks what a member carries")
                model._carry(path, part)
        self.report = report
        self.mode = None if self._blend is None else "classification" if self._blend.of_classes else "regression"


def _fitted(kind: str, training: Training, tell: Callable[[str], None]) -> tuple[Member, _FLOATS]:
    """A member and its predictions out of fold."""
    how = KINDS[kind]
    models, found = how.fit(training, how.view(training.blocks, training.known), tell)
    return Member(kind, models), found


def _trained(
    training: Training, kinds: Sequence[str], deadline: float, say: Callable[[str], None]
) -> tuple[dict[str, tuple[Member, _FLOATS]], str]:
    """The members that were done, with their predictions out of fold, and what ended the training early, or ""."""
    done: dict[str, tuple[Member, _FLOATS]] = {}
    for place, kind in enumerate(kinds, 1):

        def tell(part: str, kind: str = kind, place: int = place) -> None:
            if done and time.monotonic() > deadline:
                raise OutOfTime
            say(f"{kind} ({place} of {len(kinds)}): {part}")

        try:
            done[kind] = _fitted(kind, training, tell)
        except OutOfTime:
            return done, "the time budget"
        except KeyboardInterrupt:
            if not done:
                raise
            return done, "Ctrl-C"
    return done, ""


def out_of_fold_scores(y: _FLOATS, found: _FLOATS, mode: str) -> dict[str, float]:
    """Return the mean over tasks of the scores of numbers (RMSE, MAE, R2) or of classes (ROC-AUC, PRC-AUC).

    Labels that are NaN do not count; a task of one class has no score, and the mean is over the others.
    """
    of_numbers: dict[str, Any] = {"rmse": metrics.rms_score, "mae": metrics.mae_score, "r2": metrics.r2_score}
    of_classes: dict[str, Any] = {"roc_auc": metrics.roc_auc_score, "prc_auc": metrics.prc_auc_score}
    out = {}
    for name, score in (of_numbers if mode == "regression" else of_classes).items():
        each = []
        for target, prediction in zip(y.T, found.T, strict=True):
            known = ~np.isnan(target)
            if known.any() and (mode == "regression" or len(set(target[known].tolist())) > 1):
                each.append(float(score(target[known], prediction[known])))
        out[name] = float(np.mean(each)) if each else float("nan")
    return out


def _error(y: _FLOATS, found: _FLOATS, mode: str) -> float:
    """The error of a member: of numbers the mean over tasks of RMSE in deviations of the labels, of classes 1 - ROC-AUC."""
    if mode == "classification":
        return 1 - out_of_fold_scores(y, found, mode)["roc_auc"]
    deviation = np.nanstd(y, axis=0)
    return float(np.mean(np.sqrt(np.nanmean((y - found) ** 2, axis=0)) / np.where(deviation > 0, deviation, 1.0)))


def _ids(where: str, dataset: Any) -> NDArray[Any]:
    ids = np.asarray(getattr(dataset, "ids", None), dtype=object)
    if ids.ndim != 1 or not all(isinstance(text, str) for text in ids):
        raise TypeError(
            f"{where}: the ids of the dataset must be SMILES; give ids= to the dataset, or a list of SMILES"
        )
    return ids


def _molecules(where: str, given: Any) -> list[Any]:
    """The molecules of a list, or the ids of a dataset."""
    if is_dataset(given):
        return list(map(str, _ids(where, given)))
    found = datapoints(where, given, MoleculeBlocks())
    if found is None:
        raise TypeError(f"{where}: {_NEEDED}, got {shown(given)}")
    return found


def _given(where: str, dataset: Any, y: Any) -> tuple[list[Any], _FLOATS, list[str]]:
    """Molecules, labels (N, T) with NaN for missing ones, and the names of the tasks."""
    if is_dataset(dataset):
        if y is not None:
            raise TypeError(f"{where}: a dataset has labels of its own; leave y out")
        items: list[Any] = list(_ids(where, dataset))
        if not items:
            raise ValueError(f"{where}: the dataset is empty; it needs molecules with labels")
        given, weights = np.asarray(dataset.y, np.float64), np.asarray(dataset.w)
        labels = given.reshape(len(items), -1).copy()
        labels[np.broadcast_to(weights.reshape(len(items), -1) == 0, labels.shape)] = np.nan
        names = [str(name) for name in task_names(where, getattr(dataset, "tasks", range(labels.shape[1])))]
    else:
        items = listed(where, "dataset", dataset, "SMILES or molecules")
        if np.ndim(np.asarray(dataset, dtype=object)) > 1:
            raise TypeError(f"{where}: {_NEEDED}, got {shown(dataset)}")
        if y is None:
            raise TypeError(f"{where}: needs the labels of the molecules as y, or a dataset")
        labels = label_values(where, "y", y).astype(np.float64)
        labels = labels[:, None] if labels.ndim == 1 else labels
        names = [] if labels.ndim != 2 else [f"task {t}" for t in range(labels.shape[1])]
    if labels.ndim != 2 or len(labels) != len(items) or not labels.shape[1]:
        raise ValueError(f"{where}: y must have shape ({len(items)},) or ({len(items)}, tasks), got {np.shape(y)}")
    if np.isinf(labels).any():
        row = int(np.argwhere(np.isinf(labels))[0][0])
        raise ValueError(f"{where}: the label of row {row} is infinite; give a number, or NaN where it is missing")
    return items, labels, names


def _mode(where: str, task: str | None, labels: _FLOATS) -> str:
    known = labels[~np.isnan(labels)]
    classes = bool(np.isin(known, (0.0, 1.0)).all())
    if task == "classification" and not classes:
        odd = known[~np.isin(known, (0.0, 1.0))][0]
        raise ValueError(f'{where}: labels of classes must be 0 and 1, got {odd:g}; give task="regression" for numbers')
    return task or ("classification" if classes and len(set(known.tolist())) == 2 else "regression")


def _check_labels(where: str, labels: _FLOATS, tasks: Sequence[str]) -> None:
    for name, column in zip(tasks, labels.T, strict=True):
        known = column[~np.isnan(column)]
        if len(known) < _FEWEST:
            raise ValueError(f"{where}: {name} has {len(known)} labels; {_FEWEST} or more are needed to learn from")
        if (known == known[0]).all():
            raise ValueError(f"{where}: all labels of {name} are {known[0]:g}, so there is nothing to learn")


def _check_folds(where: str, training: Training, tasks: Sequence[str]) -> None:
    """Refuse labels of a task that all lie in one fold."""
    for name, column in zip(tasks, training.y.T, strict=True):
        known = ~np.isnan(column)
        if len(set(training.folds[known].tolist())) < 2:
            raise ValueError(
                f"{where}: all labels of {name} are of molecules that are held out together; give more labels, "
                'splitter="random", or leave the task out'
            )


def _read_state(where: str, state: Mapping[str, NDArray[Any]]) -> tuple[Statistics, Blend, Domain]:
    """What is learned beside the members."""
    needed = ("known.means", "known.deviations", "known.common", "domain.bits", "domain.threshold")
    missing = [name for name in needed if name not in state]
    if missing:
        raise ValueError(f"{where}: needed {missing[0]}, got {', '.join(list(state)[:5])}")
    means, deviations, common, bits, threshold = (np.asarray(state[name]) for name in needed)
    shapes = [means.shape, deviations.shape, common.shape, bits.shape[1:], threshold.shape]
    if shapes != [(DESCRIPTORS,), (DESCRIPTORS,), (SIZE + DESCRIPTORS,), (SIZE // 8,), (1,)] or bits.dtype != np.uint8:
        raise ValueError(f"{where}: the arrays known and domain have shapes {shapes}, which are not an AutoModel's")
    arrays = {
        name.removeprefix("blend."): np.asarray(array) for name, array in state.items() if name.startswith("blend.")
    }
    statistics = Statistics(means.astype(np.float64), deviations.astype(np.float64), common != 0)
    return statistics, Blend.read(where, arrays), Domain(bits, float(threshold[0]))


def _share(where: str, coverage: Any) -> float:
    found = number(where, "coverage", coverage)
    if not 0 < found < 1:
        raise ValueError(f"{where}: coverage must be above 0 and below 1, got {shown(coverage)}")
    return found


def _text(molecule: Any) -> str:
    from ...chem.reading import item_text

    return item_text(molecule)


@contextmanager
def _said(progress: bool | None) -> Iterator[Callable[[str], None]]:
    """Give a function that says on standard error what is being done."""
    import sys

    from ..._internal.console import SafeStream

    stream: Any = SafeStream(sys.stderr)
    wanted = stream.isatty() if progress is None else flag("AutoModel.fit", "progress", progress)
    start = time.monotonic()

    def say(text: str) -> None:
        if wanted:
            print(f"{time.monotonic() - start:6.1f} s  {text}", file=stream, flush=True)

    yield say
