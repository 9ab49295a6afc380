"""Cross-validation, and how scores change with the number of training rows or with one setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import is_number, is_whole, listed, plain, shown, whole_number
from ..metrics import Metric
from ..splits.splitter import Splitter
from .checks import check_data, one_metric, splitter_of
from .trials import check_executor, finished

Make = Callable[..., Any]
Fold = tuple[Any, Any]  # the training rows and those held out
Jobs = Mapping[Any, tuple[str, Make, Fold, dict[str, Any]]]  # by key: what a job is called, and what it does


class CrossValidated(NamedTuple):
    """What `cross_validate` found.

    Attributes
    ----------
    scores : list of float
        Of each fold, on the rows that were held out; nan of a fold without rows.
    models : list
        Trained without the fold; None of a fold without rows.
    """

    scores: list[float]
    models: list[Any]

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return float(np.nanmean(self.scores))

    @property
    def standard_error(self) -> float:
        """The standard error of that mean, as if the folds were independent; they share training rows, so it is too small."""
        return standard_error(self.scores)

    def __str__(self) -> str:
        return f"{self.mean:.4g} (standard error {self.standard_error:.3g}, {len(self.scores)} folds)"


class ScoreCurve(NamedTuple):
    """Scores on training rows and on rows that were held out, along the values of something.

    Attributes
    ----------
    name : str
        Of what changes.
    values : list
        V of them.
    train, valid : float64 ndarray of shape (V, folds)
        nan of a fold without rows.
    """

    name: str
    values: list[Any]
    train: NDArray[np.float64]
    valid: NDArray[np.float64]


def standard_error(scores: Sequence[float]) -> float:
    """Return the standard error of the mean of scores; nan of one."""
    known = np.asarray(scores, np.float64)
    known = known[~np.isnan(known)]
    return float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")


def score_of(model: Any, rows: Any, metric: Metric) -> float:
    """Return the one score of a model on some rows."""
    return float(next(iter(model.evaluate(rows, [metric]).values())))


def _trained(make: Make, fold: Fold, metric: Metric, options: dict[str, Any], both: bool) -> tuple[list[float], Any]:
    train, valid = fold
    model = make(train, **options)
    return [score_of(model, rows, metric) for rows in ((valid, train) if both else (valid,))], model


def trained(
    where: str,
    jobs: Jobs,
    metric: Metric,
    executor: Any,
    *,
    both: bool = False,
) -> dict[Any, tuple[list[float], Any]]:
    """Return the scores (held out, and with ``both`` on training rows) and the model of each job, in their order.

    A job whose fold has no rows on one side is left out.
    """
    full = {key: job for key, job in jobs.items() if len(job[2][0]) and len(job[2][1])}
    calls = {key: (text, (make, fold, metric, options, both)) for key, (text, make, fold, options) in full.items()}
    found = dict(finished(where, _trained, calls, executor))
    return {key: found[key] for key in full}


def checked_make(where: str, make: Any) -> Make:
    """Return a function that trains models; refuse anything else."""
    if not callable(make):
        raise TypeError(
            f"{where}: make must be a function of a training dataset that returns a model, got {shown(make)}"
        )
    return make


def _folds(where: str, dataset: Any, splitter: Any, folds: Any, seed: Any) -> list[Fold]:
    check_data(where, dataset)
    splitter = splitter_of(where, splitter)
    folds = whole_number(where, "folds", folds, 2, max(2, len(dataset)))
    seed = whole_number(where, "seed", seed, 0)
    if len(dataset) < 2:
        raise ValueError(f"{where}: dataset must have 2 rows or more, got {len(dataset)}")
    return splitter.k_fold_split(dataset, folds, seed=seed)


def cross_validate(
    make: Make,
    dataset: Any,
    metric: Metric,
    *,
    splitter: Splitter | None = None,
    folds: int = 5,
    seed: int = 0,
    executor: Any = None,
) -> CrossValidated:
    """Train a model without each of some folds of the rows, and score it on that fold.

    Parameters
    ----------
    make : callable
        Takes a training dataset, and returns a model that is trained on it, with a method ``evaluate``.
    dataset : Dataset
    metric : Metric
    splitter : Splitter, optional
        Such as `catalase.splits.ScaffoldSplitter`; by default random.
    folds : int
        2 or more.
    seed : int
        Of the split.
    executor : concurrent.futures.Executor, optional
        Trains models side by side; by default in turn. The result is the same.

    Returns
    -------
    CrossValidated

    Raises
    ------
    RuntimeError
        Where a training fails: it names the fold.
    TypeError, ValueError
        For arguments that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> def ridge(train):
    ...     model = ct.models.RidgeRegression(1, 1, alpha=1e-6)
    ...     model.fit(train)
    ...     return model
    >>> found = ct.hyper.cross_validate(ridge, ct.data.NumpyDataset(X, 3 * X), ct.metrics.Metric(ct.metrics.rms_score))
    >>> found.mean < 1e-5, len(found.models)
    (True, 5)
    """
    where = "cross_validate"
    checked_make(where, make)
    metric = one_metric(where, metric)
    parts = _folds(where, dataset, splitter, folds, seed)
    jobs: Jobs = {i: (f"fold {i + 1} of {len(parts)}", make, fold, {}) for i, fold in enumerate(parts)}
    found = trained(where, jobs, metric, check_executor(where, executor))
    nothing = [float("nan")], None
    rows = [found.get(i, nothing) for i in range(len(parts))]
    return CrossValidated([scores[0] for scores, _ in rows], [model for _, model in rows])


def learning_curve(
    make: Make,
    dataset: Any,
    metric: Metric,
    *,
    sizes: Iterable[float] = (0.1, 0.325, 0.55, 0.775, 1.0),
    splitter: Splitter | None = None,
    folds: int = 5,
    seed: int = 0,
    executor: Any = None,
) -> ScoreCurve:
    """Score models that were trained on more and more rows, to see whether more data would help.

    Parameters
    ----------
    make, dataset, metric, splitter, folds, seed, executor
        As `cross_validate`.
    sizes : iterable of float or int
        Numbers of training rows: from 0 to 1 the share of those of a fold, or, as whole numbers above 1, the rows. A larger
        part holds all smaller ones.

    Returns
    -------
    ScoreCurve
        Its values are the numbers of rows, those of the fold with the fewest training rows for shares.

    Raises
    ------
    RuntimeError, TypeError, ValueError
        As `cross_validate`; and for sizes that a fold does not have.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> def ridge(train):
    ...     model = ct.models.RidgeRegression(1, 1)
    ...     model.fit(train)
    ...     return model
    >>> curve = ct.hyper.learning_curve(ridge, ct.data.NumpyDataset(X, 3 * X), ct.metrics.Metric(ct.metrics.rms_score))
    >>> curve.values, curve.valid.shape
    ([4, 13, 22, 31, 40], (5, 5))
    """
    where = "learning_curve"
    checked_make(where, make)
    metric = one_metric(where, metric)
    wanted = listed(where, "sizes", sizes, "numbers")
    for size in wanted:
        if not is_number(size) or not (0 < size <= 1 or (is_whole(size) and size > 1)):
            raise ValueError(f"{where}: sizes must be shares up to 1, or whole numbers of rows, got {shown(size)}")
    parts = [fold for fold in _folds(where, dataset, splitter, folds, seed) if len(fold[0]) and len(fold[1])]
    least = min(len(train) for train, _ in parts)
    counts = [int(size) if is_whole(size) and size > 1 else max(1, int(size * least + 1e-9)) for size in wanted]
    if not counts or max(counts) > least:
        raise ValueError(f"{where}: sizes must be 1 to {least} rows, which every fold has, got {counts}")
    orders = [np.random.default_rng([seed, i]).permutation(len(train)) for i, (train, _) in enumerate(parts)]
    jobs: Jobs = {
        (k, i): (f"fold {i + 1} with {count} rows", make, (train.select(np.sort(orders[i][:count])), valid), {})
        for k, count in enumerate(counts)
        for i, (train, valid) in enumerate(parts)
    }
    return _curve(
        "training rows", counts, len(parts), trained(where, jobs, metric, check_executor(where, executor), both=True)
    )


def validation_curve(
    make: Make,
    name: str,
    values: Iterable[Any],
    dataset: Any,
    metric: Metric,
    *,
    splitter: Splitter | None = None,
    folds: int = 5,
    seed: int = 0,
    executor: Any = None,
) -> ScoreCurve:
    """Score models with more and more of one setting, such as width, to see where they begin to overfit.

    Parameters
    ----------
    make : callable
        ``make(train, **{name: value})`` returns a model that is trained on the dataset ``train``.
    name : str
        The argument of ``make`` that changes.
    values : iterable
        Its values.
    dataset, metric, splitter, folds, seed, executor
        As `cross_validate`.

    Returns
    -------
    ScoreCurve

    Raises
    ------
    RuntimeError, TypeError, ValueError
        As `cross_validate`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> def ridge(train, alpha):
    ...     model = ct.models.RidgeRegression(1, 1, alpha=alpha)
    ...     model.fit(train)
    ...     return model
    >>> curve = ct.hyper.validation_curve(
    ...     ridge, "alpha", [1e-6, 1e6], ct.data.NumpyDataset(X, 3 * X), ct.metrics.Metric(ct.metrics.rms_score)
    ... )
    >>> bool(curve.valid[0].mean() < curve.valid[1].mean())
    True
    """
    where = "validation_curve"
    checked_make(where, make)
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{where}: name must be the name of an argument of make, got {shown(name)}")
    metric = one_metric(where, metric)
    chosen = [plain(value) for value in listed(where, "values", values, "values")]
    if not chosen:
        raise ValueError(f"{where}: values must not be empty")
    parts = _folds(where, dataset, splitter, folds, seed)
    jobs: Jobs = {
        (k, i): (f"fold {i + 1} with {name}={value!r}", make, fold, {name: value})
        for k, value in enumerate(chosen)
        for i, fold in enumerate(parts)
    }
    return _curve(name, chosen, len(parts), trained(where, jobs, metric, check_executor(where, executor), both=True))


def _curve(name: str, values: list[Any], folds: int, found: dict[Any, tuple[list[float], Any]]) -> ScoreCurve:
    scores = np.full((2, len(values), folds), np.nan)
    for (k, i), (pair, _) in found.items():
        scores[:, k, i] = pair
    return ScoreCurve(name, values, scores[1], scores[0])
