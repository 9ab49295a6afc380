"""`Combined`: the features of several featurizers side by side."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, shown
from .._internal.registry import List, Object, register
from .._internal.report import Failure, Report
from ..ops.ecfp import text_of
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers

_MOST = 100  # featurizers


@register("Combined", featurizers=List(Object(Featurizer), min_length=1, max_length=_MOST))
class Combined(Featurizer):
    """The features of several featurizers side by side, one row a molecule.

    Parameters
    ----------
    *featurizers : Featurizer
        One or more, in the order of their columns. All must read the same kind of datapoints.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`: one list of failures for all featurizers, the notes of each, and the
        counts of each under its name.

    Notes
    -----
    A molecule that one of them cannot read is read by none, and has one failure. X has the common type of all columns:
    float64 with descriptors, which can exceed float32's range.

    Examples
    --------
    >>> import catalase as ct
    >>> counts = ct.feat.CircularFingerprint(size=512, is_counts_based=True)
    >>> both = ct.feat.Combined(counts, ct.feat.Descriptors(["MolWt", "TPSA"]))
    >>> both(["CCO", "c1ccccc1"]).shape
    (2, 514)
    >>> both.feature_names[510:]
    ('ecfp4_510', 'ecfp4_511', 'MolWt', 'TPSA')
    """

    def __init__(self, *featurizers: Featurizer) -> None:
        if not 1 <= len(featurizers) <= _MOST:
            raise ValueError(f"Combined: needs 1 to {_MOST} featurizers, got {len(featurizers)}")
        for featurizer in featurizers:
            if not isinstance(featurizer, Featurizer):
                raise TypeError(
                    "Combined: featurizers must be of catalase.feat, such as CircularFingerprint(), got "
                    f"{shown(featurizer)}"
                )
        reads = {featurizer.reads for featurizer in featurizers}
        if len(reads) > 1:
            raise ValueError(f"Combined: featurizers must read the same, but they read {' and '.join(sorted(reads))}")
        other = next((featurizer for featurizer in featurizers if not featurizer.makes_rows), None)
        if other is not None:
            made = "graphs" if other.makes_graphs else "sequences"
            raise ValueError(f"Combined: puts rows of numbers side by side, but {other!r} makes {made}")
        self.featurizers = list(featurizers)
        self.reads = featurizers[0].reads

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features, where all are known; where two are equal, with the number of the featurizer in front."""
        names = [featurizer.feature_names for featurizer in self.featurizers]
        known = [part for part in names if part is not None]
        if len(known) < len(names):
            return None
        plain = tuple(name for part in known for name in part)
        if len(set(plain)) == len(plain):
            return plain
        return tuple(f"{number}: {name}" for number, part in enumerate(known, 1) for name in part)

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> NDArray[Any]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[NDArray[Any], Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the features of all featurizers; see `Featurizer.featurize`."""
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        named = list(zip(self._labels(), self.featurizers, strict=True))
        parts, rows, self.report = side_by_side(items, named, errors)
        for (name, _), X in zip(named, parts, strict=True):
            if X.ndim != 2:
                raise ValueError(f"featurize: Combined needs features of shape (N, F), got {X.shape} of {name}")
        made = np.concatenate(parts, axis=1)
        if errors == "drop":
            return made, rows
        if len(rows) < len(items):
            whole = np.zeros((len(items), made.shape[1]), made.dtype)
            whole[rows] = made
            return whole
        return made

    def _labels(self) -> list[str]:
        """Return a name for each featurizer: its class, with a number where there are several of that class."""
        names = [type(featurizer).__name__ for featurizer in self.featurizers]
        several, seen = Counter(names), Counter[str]()
        labels = []
        for name in names:
            seen[name] += 1
            labels.append(f"{name} {seen[name]}" if several[name] > 1 else name)
        return labels

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, from which `from_config` makes an equal featurizer."""
        return {"featurizers": [featurizer.saved_form() for featurizer in self.featurizers]}

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> Combined:
        """Make the featurizer from the checked fields of a config."""
        return cls(*fields["featurizers"])

    def _settings(self) -> dict[str, Any]:
        return {"featurizers": [(type(featurizer), featurizer._settings()) for featurizer in self.featurizers]}

    def _meaning(self) -> Any:
        return [(type(featurizer), featurizer._meaning()) for featurizer in self.featurizers]

    def __repr__(self) -> str:
        return f"Combined({', '.join(map(repr, self.featurizers))})"


def side_by_side(
    items: list[Any], named: Sequence[tuple[str, Featurizer]], errors: Errors
) -> tuple[list[Any], NDArray[np.int64], Report]:
    """Featurize with several featurizers.

    Parameters
    ----------
    items : list
    named : sequence of (str, Featurizer)
        The featurizers, and what they are called in the report.
    errors : {"raise", "mask", "drop"}
        As for `Featurizer.featurize`; "mask" is only counted otherwise.

    Returns
    -------
    parts : list
        The features that each of them gives for the rows that all can read.
    rows : ndarray of int64
        The numbers of these rows.
    report : Report
        With one failure for each of the others.
    """
    rows = np.arange(len(items))  # that all featurizers so far could read
    parts: list[Any] = []
    failures: dict[int, Failure] = {}
    notes: list[str] = []
    counts: dict[str, int] = {}
    for name, featurizer in named:
        featurizer = copy.copy(featurizer)  # its report is this call's, whatever other threads do
        given = [items[i] for i in rows.tolist()] if len(rows) < len(items) else items
        if errors == "raise":
            X, kept = featurizer.featurize(given), np.arange(len(given))
        else:
            X, kept = featurizer.featurize(given, errors="drop")
        if (report := featurizer.report) is not None:
            notes += [f"{name}: {note}" for note in report.notes]
            counts |= {f"{name}: {kind}": count for kind, count in report.counts.items()}
            found = [failure._replace(position=int(rows[failure.position])) for failure in report.failures]
            failures |= {failure.position: failure for failure in found if failure.position not in failures}
        for i in np.delete(rows, kept).tolist():
            failures.setdefault(i, Failure(i, text_of(items[i]), f"{name} cannot read it"))
        parts = [part[kept] if len(kept) < len(part) else part for part in parts] + [X]
        rows = rows[kept]
    kept_rows = len(items) if errors == "mask" else len(rows)
    return parts, rows, Report(len(items), kept_rows, sorted(failures.values()), notes, counts)
