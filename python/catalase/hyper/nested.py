"""Choosing on validation and reporting on test, in one call, so that test rows choose nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._internal.numbers import shown, whole_number
from ..metrics import Metric
from ..splits.splitter import Splitter
from .checks import check_data, larger_wins, one_metric, splitter_of
from .trials import check_executor
from .validation import Jobs, score_of, standard_error, trained

Make = Callable[[Any], Any]


class NestedResult(NamedTuple):
    """What `nested_validation` found.

    Attributes
    ----------
    chosen : list of str
        The candidate that validation chose, for each outer part.
    test : list of float
        The score of that candidate on the test rows of the part, trained on all other rows.
    validation : dict of str to list of float
        For each candidate the mean over the inner folds, for each outer part.
    models : list
        The chosen models, trained on all rows outside the test part.
    """

    chosen: list[str]
    test: list[float]
    validation: dict[str, list[float]]
    models: list[Any]

    @property
    def mean(self) -> float:
        """The mean score on test rows."""
        return float(np.mean(self.test))

    @property
    def standard_error(self) -> float:
        """The standard error of that mean; NaN of one part."""
        return standard_error(self.test)

    def __str__(self) -> str:
        spread = f" (standard error {self.standard_error:.3g})" if len(self.test) > 1 else ""
        lines = [f"{', '.join(dict.fromkeys(self.chosen))}: {self.mean:.4g} on test{spread}"]
        lines += [f"  {name}: {np.mean(scores):.4g} on validation" for name, scores in self.validation.items()]
        return "\n".join(lines)


def nested_validation(
    candidates: Mapping[str, Make],
    dataset: Any,
    metric: Metric,
    *,
    splitter: Splitter | None = None,
    folds: int = 5,
    outer_folds: int | None = None,
    maximize: bool = True,
    seed: int = 0,
    executor: Any = None,
) -> NestedResult:
    """Choose a model by cross-validation, and score the chosen one on rows that had no part in the choice.

    The three steps are: hold out test rows; compare the candidates by cross-validation on the others; train the best on all of
    these, and score it once on the test rows. With ``outer_folds`` the steps are done for each of so many test parts, which
    together are all rows.

    Parameters
    ----------
    candidates : dict of str to callable
        Each takes a training dataset and returns a model that is trained on it, with a method ``evaluate``.
    dataset : Dataset
    metric : Metric
        By which the candidates are compared and the chosen one is scored.
    splitter : Splitter, optional
        For test parts and folds alike, such as `catalase.splits.ScaffoldSplitter`; by default random.
    folds : int
        Of the cross-validation, 2 or more.
    outer_folds : int, optional
        How many test parts; by default one with a tenth of the rows.
    maximize : bool
        Whether a larger score is better; a warning says where the metric is known to be the other way round.
    seed : int
        Of the splits.
    executor : concurrent.futures.Executor, optional
        Trains the candidates of the folds side by side; by default in turn. The result is the same.

    Returns
    -------
    NestedResult

    Raises
    ------
    RuntimeError
        Where a training in a fold fails: it names the candidate and the fold.
    TypeError, ValueError
        For candidates that are no functions, and numbers that do not fit the rows.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> data = ct.data.NumpyDataset(X, X @ [[1.0], [2.0], [3.0]])
    >>> def ridge(alpha):
    ...     def make(train):
    ...         model = ct.models.RidgeRegression(1, 3, alpha=alpha)
    ...         model.fit(train)
    ...         return model
    ...     return make
    >>> result = ct.hyper.nested_validation(
    ...     {"weak": ridge(1e-6), "strong": ridge(1e6)}, data, ct.metrics.Metric(ct.metrics.rms_score), maximize=False
    ... )
    >>> result.chosen, result.test[0] < 1e-3
    (['weak'], True)
    """
    where = "nested_validation"
    if not isinstance(candidates, Mapping) or not candidates:
        raise TypeError(f"{where}: candidates must be a dict of functions by name, got {shown(candidates)}")
    for name, make in candidates.items():
        if not isinstance(name, str) or not callable(make):
            raise TypeError(
                f"{where}: candidates must be a dict of functions by name, got {shown(name)}: {shown(make)}"
            )
    metric = one_metric(where, metric)
    splitter = splitter_of(where, splitter)
    check_data(where, dataset)
    executor = check_executor(where, executor)
    folds = whole_number(where, "folds", folds, 2, max(2, len(dataset)))
    outer = 1 if outer_folds is None else whole_number(where, "outer_folds", outer_folds, 2, max(2, len(dataset)))
    sign = 1 if larger_wins(where, "maximize", maximize, metric) else -1
    seed = whole_number(where, "seed", seed, 0)
    if outer == 1:
        parts = [splitter.train_test_split(dataset, 0.9, seed=seed)]
    else:
        parts = splitter.k_fold_split(dataset, outer, seed=seed)
    chosen: list[str] = []
    test: list[float] = []
    models: list[Any] = []
    validation: dict[str, list[float]] = {name: [] for name in candidates}
    for rest, held_out in parts:
        inner = list(enumerate(splitter.k_fold_split(rest, folds, seed=seed)))
        jobs: Jobs = {
            (name, i): (f"{name!r} in fold {i + 1} of {folds}", make, fold, {})
            for name, make in candidates.items()
            for i, fold in inner
        }
        found = trained(where, jobs, metric, executor)
        for name in candidates:
            scores = [pair[0] for (of, _), (pair, _) in found.items() if of == name]
            validation[name].append(float(np.nanmean(scores)))
        best = max(candidates, key=lambda name: sign * validation[name][-1])
        model = candidates[best](rest)
        chosen.append(best)
        models.append(model)
        test.append(score_of(model, held_out, metric))
    return NestedResult(chosen, test, validation, models)
