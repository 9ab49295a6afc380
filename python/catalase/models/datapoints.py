"""Predictions for molecules or sequences as they are: featurized as the model was trained, a chunk at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers, refuse_sparse
from .._internal.report import Failure, Report
from .._internal.text import strip_white
from ..backends import to_host
from ..feat import Featurizer

_CHUNK = 4096  # datapoints that are featurized at a time


class Answers(NamedTuple):
    """Predictions for the datapoints that can be read, where they stand in the list, and why the others have none."""

    predictions: NDArray[Any]
    kept: NDArray[np.int64]
    failures: list[Failure]


def datapoints(where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
    """Return a list of texts or molecules; None for datasets and for arrays of numbers.

    An empty list is one of datapoints where there is a featurizer.
    """
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{where}: needs a list, got one {type(given).__name__}; wrap it in [ ]")
    if is_dataset(given) or to_host(given) is not given:
        return None
    refuse_sparse(where, "X", given)
    try:
        array = np.asarray(given)
    except ValueError:
        raise ValueError(f"{where}: the rows of X are of different lengths; they must have one shape") from None
    if array.ndim == 0:
        raise TypeError(f"{where}: needs a dataset, an array or a list, got {type(given).__name__}")
    if array.ndim > 1:
        return None
    if not len(array):
        return [] if featurizer is not None else None
    if array.dtype.kind == "O":
        return list(given) if any(not _is_number(item) for item in array) else None
    return list(given) if array.dtype.kind in "UST" else None


def is_dataset(given: Any) -> bool:
    """Whether it has rows of X, or gives them in batches; a table of pandas may have a column of that name."""
    return (hasattr(given, "X") or hasattr(given, "iterbatches")) and not hasattr(given, "__array__")


def _is_number(item: Any) -> bool:
    return isinstance(item, (int, float, complex, np.number, np.bool_, np.ndarray, list, tuple))


def predict_datapoints(
    where: str,
    items: Sequence[Any],
    featurizer: Featurizer,
    predict: Callable[[Any], NDArray[Any]],
    compact: bool,
    errors: str = "drop",
    unread: Sequence[Failure] = (),
) -> Answers:
    """Featurize and predict.

    Parameters
    ----------
    where : str
        The function, for messages.
    items : sequence
    featurizer : Featurizer
    predict : callable
        From features to predictions.
    compact : bool
        Whether `predict` takes packed bits.
    errors : {"drop", "raise"}
        Whether the first that cannot be read is a ValueError.
    unread : sequence of Failure
        Rows that the reader of a file could not read: its failures stand, and the items in their places are not featurized.
    """
    known = {failure.position for failure in unread}
    items = ["" if i in known else item for i, item in enumerate(items)] if known else items
    own, featurizer = featurizer, copy.copy(featurizer)  # its report is this call's, whatever other threads do
    parts: list[NDArray[Any]] = []
    places: list[NDArray[np.int64]] = []
    failures: list[Failure] = []
    for start in range(0, len(items), _CHUNK):
        X, kept, failed = _features(items[start : start + _CHUNK], featurizer, compact)
        failures += [failure.shifted(start) for failure in failed if start + failure.position not in known]
        if failures and errors == "raise":
            first = failures[0]
            raise ValueError(
                f"{where}: row {first.position}, {first.text[:80]!r}: {first.reason}; leave it out, or give "
                'errors="mask" for NaN in its place'
            )
        if len(kept):
            parts.append(predict(X))
            places.append(start + kept)
    failures = sorted([*unread, *failures])
    own.report = Report(len(items), sum(map(len, places)), failures)
    if not parts:
        if failures:
            return Answers(np.zeros(0, np.float32), np.zeros(0, np.int64), failures)
        parts, places = [predict(featurizer.featurize([]))], [np.zeros(0, np.int64)]
    return Answers(np.concatenate(parts), np.concatenate(places), failures)


def _features(
    items: Sequence[Any], featurizer: Featurizer, compact: bool
) -> tuple[NDArray[Any], NDArray[np.int64], list[Failure]]:
    """Features of what can be read, its places, and the failures, in order of their places."""
    empty = [i for i, item in enumerate(items) if isinstance(item, (str, bytes)) and not strip_white(item)]
    failures = [Failure(i, str(items[i]), f"the {featurizer.reads} is empty") for i in empty]
    there = np.setdiff1d(np.arange(len(items)), empty)
    if not len(there):
        return np.zeros(0), there, failures
    given = [items[i] for i in there.tolist()]
    X, kept = featurizer.compact(given) if compact else featurizer.featurize(given, errors="drop")
    missing = set(range(len(given))).difference(kept.tolist())
    report = featurizer.report
    reasons = {f.position: f for f in (report.failures if report else [])}
    for i in missing:
        failure = reasons.get(i, Failure(i, str(given[i]), "it cannot be read"))
        failures.append(failure._replace(position=int(there[i])))
    return X, there[kept], sorted(failures)


def with_gaps(where: str, answers: Answers, rows: int) -> NDArray[Any]:
    """Predictions for all rows, NaN where there is none."""
    if not len(answers.kept) and answers.failures:
        first = answers.failures[0]
        raise ValueError(f"{where}: none of the {rows:,} rows can be read; row {first.position}: {first.reason}")
    found = answers.predictions
    whole = np.full((rows, *found.shape[1:]), np.nan, found.dtype if found.dtype.kind == "f" else np.float64)
    whole[answers.kept] = found
    return whole


def is_list_of_arrays(given: Any) -> bool:
    """Whether it is a list whose first item has an axis; of lists within each other NumPy is not asked."""
    if not isinstance(given, (list, tuple)) or not len(given):
        return False
    return isinstance(given[0], (list, tuple)) or np.ndim(given[0]) > 0


def batches(X: Any, size: int) -> Iterator[Any]:
    """Cut a dataset, an array, or a list of arrays into X of `size` rows; once with none where there is none."""
    if hasattr(X, "iterbatches"):
        empty = True
        for part, *_ in X.iterbatches(size, deterministic=True):
            empty = False
            yield part
        if empty:
            yield np.asarray(X.X)
        return
    arrays: Sequence[Any] = X if is_list_of_arrays(X) else [numbers("predict", "X", X)]
    rows = len(arrays[0])
    for start in range(0, max(1, rows), size):
        parts = [numbers("predict", "X", array)[start : start + size] for array in arrays]
        yield parts if len(parts) > 1 else parts[0]
