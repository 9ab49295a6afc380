"""The files beside a saved model. The model's own files are never touched."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from .._internal.numbers import flag, path_of, plain
from .._internal.storage import LOCK_SECONDS, remove_leftovers, write_file_atomic, writing
from .._internal.storage.outputs import Output, check_outputs
from .card import FIRST_LINE, card_of
from .caveats import caveats_of
from .outcome import Outcome, outcome_of
from .report import FIRST_LINES, report_of
from .scores import intervals_held

_PREDICTIONS = ("smiles", "task", "measured", "predicted", "std", "low", "high", "nearest_similarity", "in_domain")
_SPLIT = ("row", "part", "fold")
_FORMAT = "catalase-metrics"
# The files, and the first bytes by which one of an earlier training is known.
_BEGINS = {
    "metrics.json": f'{{\n "format": "{_FORMAT}"'.encode(),
    "test_predictions.csv": (",".join(_PREDICTIONS) + "\n").encode(),
    "split.csv": (",".join(_SPLIT) + "\n").encode(),
    "model_card.md": FIRST_LINE.encode(),
    "report.html": FIRST_LINES.encode(),
}


def outputs(out: str | os.PathLike[str]) -> list[Output]:
    """Return the files that `write_folder` writes into an existing folder, to be checked before a training.

    Parameters
    ----------
    out : path
        The folder of the model. Where it does not exist yet there is nothing to check, and the list is empty.

    Returns
    -------
    list of Output
        For ``catalase._internal.storage.outputs.check_outputs``.
    """
    folder = path_of("outputs", "out", out)
    return [Output("--out", folder / name, begins) for name, begins in _BEGINS.items()] if folder.is_dir() else []


def write_folder(out: str | os.PathLike[str], outcome: Outcome, *, force: bool = False) -> list[Path]:
    """Write what a training found out beside the saved model.

    Parameters
    ----------
    out : path
        An existing folder, into which the model has been saved. Its own files stay as they are.
    outcome : Outcome
    force : bool
        Replace files of these names that no training wrote.

    Returns
    -------
    list of Path
        ``metrics.json``, ``test_predictions.csv``, ``split.csv``, ``model_card.md`` and ``report.html``.

    Raises
    ------
    TypeError
        For what is no Outcome.
    ValueError
        If a file of these names is there that an earlier training did not write; nothing is written then.
    OSError, RuntimeError
        If the folder cannot be written, or another writer is at work on it.

    Notes
    -----
    All files are made in memory first; each is then renamed into place, so that a killed run leaves whole files.
    Equal outcomes give equal bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.workflow import Outcome, metrics_of, write_folder
    >>> y, parts = np.arange(40.0)[:, None], ["train"] * 30 + ["test"] * 10
    >>> outcome = Outcome(
    ...     source="table.csv", tasks=["y"], mode="regression", smiles=["C" * (i + 1) for i in range(40)],
    ...     rows=np.arange(1, 41), parts=parts, folds=[0] * 30 + [-1] * 10, measured=y, predicted=y + 0.5,
    ...     std=y * 0 + 0.5, low=y - 0.5, high=y + 1.5, nearest_similarity=np.ones(40), in_domain=np.ones(40, bool),
    ...     coverage=0.9, domain_threshold=0.3, metrics=metrics_of("regression", ["y"], parts, y, y + 0.5),
    ... )
    >>> [path.name for path in write_folder(".", outcome)]
    ['metrics.json', 'test_predictions.csv', 'split.csv', 'model_card.md', 'report.html']
    """
    folder = path_of("write_folder", "out", out)
    outcome_of("write_folder", outcome)
    force = flag("write_folder", "force", force)
    texts = {
        "metrics.json": _metrics(outcome),
        "test_predictions.csv": _csv(_PREDICTIONS, _predictions(outcome)),
        "split.csv": _csv(
            _SPLIT, zip(outcome.rows.tolist(), outcome.parts.tolist(), outcome.folds.tolist(), strict=True)
        ),
        "model_card.md": card_of(outcome),
        "report.html": report_of(outcome),
    }
    # Texts of a table may hold bytes that were no UTF-8: CSV gives them back, and the pages show a question mark.
    contents = {
        name: text.encode("utf-8", "surrogateescape" if name.endswith(".csv") else "replace")
        for name, text in texts.items()
    }
    with writing("write_folder", folder, LOCK_SECONDS):
        check_outputs("write_folder", {}, outputs(folder), force=force, advice="force=True")
        for name, data in contents.items():
            remove_leftovers(folder / name)
            write_file_atomic(folder / name, lambda stream, data=data: cast(None, stream.write(data)))  # type: ignore[misc]
    return [folder / name for name in contents]


def _metrics(outcome: Outcome) -> str:
    held = {task: intervals_held(outcome, t) for t, task in enumerate(outcome.tasks)}
    test = outcome.rows_of("test")
    content = {
        "format": _FORMAT,
        "source": outcome.source,
        "mode": outcome.mode,
        "tasks": outcome.tasks,
        "units": outcome.units,
        "transform": outcome.transform,
        **{key: outcome.metrics.get(key, {}) for key in ("test", "validation", "members", "baselines", "per_task")},
        **outcome.metrics,
        "intervals": {
            "coverage": outcome.coverage,
            "per_task": {
                task: {"labels": of.labels, "inside": of.inside, "share": of.share, "median_width": of.width}
                for task, of in held.items()
            },
        },
        "domain": {
            "threshold": outcome.domain_threshold,
            "test_share_inside": float(outcome.in_domain[test].mean()) if len(test) else None,
        },
        "warnings": caveats_of(outcome),
        "plan": outcome.plan,
        "versions": outcome.versions,
    }
    return json.dumps(_json(content), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _json(value: Any) -> Any:
    """Return a value as JSON can hold it: null for what is not finite."""
    if isinstance(value, dict):
        return {str(key): _json(entry) for key, entry in value.items()}
    value = plain(value)
    if isinstance(value, (list, tuple)):
        return [_json(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _predictions(outcome: Outcome) -> Iterable[list[Any]]:
    tables = (outcome.measured, outcome.predicted, outcome.std, outcome.low, outcome.high)
    for row in outcome.rows_of("test").tolist():
        for t, task in enumerate(outcome.tasks):
            values = [_number(table[row, t]) for table in tables]
            inside = "yes" if outcome.in_domain[row] else "no"
            yield [outcome.smiles[row], task, *values, _number(outcome.nearest_similarity[row]), inside]


def _number(value: Any) -> str:
    return "" if np.isnan(value) else repr(float(value))


def _csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
