"""What a training found out, in one object, from which every file beside a model is written."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import choice, listed, number, shown


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trained model's data, predictions, scores and plan.

    N is the number of molecules, T that of tasks.

    Parameters
    ----------
    source : str
        What the data came from, such as the name of the table.
    tasks : list of str
        Names of the label columns.
    mode : {"regression", "classification"}
        Classes are 0 and 1.
    smiles : list of str
        As they stood in the table.
    rows : array_like of shape (N,)
        Row numbers in the table, as error files count them: from 1, without the header.
    parts : array_like of shape (N,)
        "train" or "test".
    folds : array_like of shape (N,)
        The fold of a training row, from 0; -1 for a test row.
    measured : array_like of shape (N, T)
        Labels in the units of the predictions; NaN is a missing one.
    predicted : array_like of shape (N, T)
        Predictions of a model that did not see the row: out of fold for training rows. Probabilities of class 1 for
        classes. NaN where there is none.
    std, low, high : array_like of shape (N, T)
        Standard deviation and ends of the interval of each prediction; NaN where there is none.
    nearest_similarity : array_like of shape (N,)
        Tanimoto similarity to the nearest training molecule (of another fold, for a training row).
    in_domain : array_like of bool, shape (N,)
        Whether that similarity reaches ``domain_threshold``.
    coverage : float
        Share of the molecules whose interval is to hold, such as 0.9.
    domain_threshold : float
    metrics : dict
        As `metrics_of` returns them.
    histories : dict
        By member of the model ``{"loss": [...], "valid_loss": [...]}``, a value for each epoch.
    warnings : list of str
        Those that the training itself gave; `caveats` finds others in the figures.
    table : list of str
        Lines that sum up the table.
    plan : dict
        How the model was trained: members, folds, seed, time budget, seconds taken, whether it was cut short.
    versions : dict
        Of the library and what it stands on.
    units : str
        Of labels and predictions, such as "log mol/l".
    transform : str
        What was done to the labels of the table, such as "pIC50"; empty where they are as measured.
    contributions : dict
        By task, what each atom contributes to the prediction of some molecules: a dict from the place of a row to the
        numbers of its atoms. The report draws them.

    Raises
    ------
    TypeError, ValueError
        For arrays whose shapes do not agree, and unknown parts or modes.
    """

    source: str
    tasks: list[str]
    mode: str
    smiles: list[str]
    rows: Any
    parts: Any
    folds: Any
    measured: Any
    predicted: Any
    std: Any
    low: Any
    high: Any
    nearest_similarity: Any
    in_domain: Any
    coverage: float
    domain_threshold: float
    metrics: dict[str, Any] = field(default_factory=dict)
    histories: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    units: str = ""
    transform: str = ""
    contributions: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("source", "units", "transform"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"Outcome: {name} must be a text, got {shown(getattr(self, name))}")
        for name in ("tasks", "smiles", "warnings", "table"):
            self._keep(name, texts_of("Outcome", name, getattr(self, name)))
        for entry in fields(self):
            if entry.type == "dict[str, Any]" and not isinstance(getattr(self, entry.name), dict):
                raise TypeError(f"Outcome: {entry.name} must be a dict, got {shown(getattr(self, entry.name))}")
        choice("Outcome", "mode", self.mode, ("regression", "classification"))
        size, count = len(self.smiles), len(self.tasks)
        if not size or not count:
            raise ValueError(f"Outcome: smiles and tasks must not be empty, got {size} molecules and {count} tasks")
        self._keep("coverage", number("Outcome", "coverage", self.coverage, above=0, below=1))
        self._keep("domain_threshold", number("Outcome", "domain_threshold", self.domain_threshold))
        for name, dtype, shape in (
            ("rows", np.int64, (size,)), ("folds", np.int64, (size,)), ("nearest_similarity", np.float64, (size,)),
            ("in_domain", np.bool_, (size,)), *((name, np.float64, (size, count)) for name in _TABLES),
        ):  # fmt: skip
            array = numbers("Outcome", name, getattr(self, name), dtype)
            if array.shape != shape:
                raise ValueError(f"Outcome: {name} must have shape {shape}, got {array.shape}")
            self._keep(name, array)
        self._keep("parts", parts_of("Outcome", self.parts, size))
        if self.mode == "classification" and not np.isin(self.measured[~np.isnan(self.measured)], (0, 1)).all():
            raise ValueError("Outcome: measured must be 0, 1 or NaN for mode='classification'")

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def known(self, task: int, part: str) -> NDArray[np.bool_]:
        """Return which rows of a part have both a label and a prediction of a task."""
        there = ~np.isnan(self.measured[:, task]) & ~np.isnan(self.predicted[:, task])
        return np.asarray(there & (self.parts == part))

    def rows_of(self, part: str) -> NDArray[np.int64]:
        """Return the positions of the rows of a part."""
        return np.flatnonzero(self.parts == part)


def texts_of(function: str, name: str, values: Any) -> list[str]:
    """Return an argument that must be a list of texts."""
    texts = listed(function, name, values, "texts")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{function}: {name} must be a list of texts, got {shown(values)}")
    return [str(text) for text in texts]


def parts_of(function: str, values: Any, size: int) -> NDArray[np.str_]:
    """Return an argument that must name the part of each molecule."""
    parts = texts_of(function, "parts", values)
    if len(parts) != size or not set(parts) <= {"train", "test"}:
        raise ValueError(f"{function}: parts must have {size} times 'train' or 'test', got {shown(values)}")
    return np.array(parts)


def outcome_of(function: str, value: Any) -> Outcome:
    """Return an argument that must be an outcome."""
    if not isinstance(value, Outcome):
        raise TypeError(f"{function}: outcome must be an Outcome, got {shown(value)}")
    return value


_TABLES = ("measured", "predicted", "std", "low", "high")
