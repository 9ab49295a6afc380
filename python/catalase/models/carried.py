"""What a model carries so that it can be used: its featurizer, the names of its tasks, the column of a table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..data.dataset import task_names
from ..feat import Featurizer
from ..feat.featurizer import checked


class Carried(NamedTuple):
    """What `read` found; None where nothing was said."""

    featurizer: Featurizer | None
    tasks: list[str] | None
    smiles_column: str | None


def read(where: str, value: Any) -> Carried:
    """Read what is assigned to ``model.featurizer``: a Featurizer, its saved form, or the dictionary of earlier versions.

    Earlier versions kept ``{"radius": 2, "size": 1024}``, and for the command line ``{"fingerprint": {...}, "smiles":
    column, "tasks": names, "classification": bool}``.
    """
    if not isinstance(value, Mapping):
        return Carried(checked(where, value), None, None)
    if "class" in value:
        return Carried(Featurizer.build(dict(value)), None, None)
    settings = value.get("fingerprint", value if {"radius", "size"} & set(value) else None)
    tasks, column = value.get("tasks"), value.get("smiles")
    featurizer = None
    if settings is not None:
        try:
            featurizer = Featurizer.build({**settings, "class": "CircularFingerprint"})
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{where}: the dictionary names {settings!r:.200}, which is no circular fingerprint ({error}); give "
                "catalase.feat.CircularFingerprint(radius=..., size=...)"
            ) from None
    elif value and tasks is None and column is None:
        raise ValueError(
            f"{where}: the dictionary {value!r:.200} names no fingerprint; give a featurizer such as "
            "catalase.feat.CircularFingerprint(radius=..., size=...), or None"
        )
    if column is not None and not isinstance(column, str):
        raise TypeError(f"{where}: 'smiles' must be the name of a column, got {column!r}")
    return Carried(featurizer, None if tasks is None else task_names(where, tasks, numbers=False), column)


def read_saved(path: Any, value: Any) -> Carried:
    """Read what a folder says; a dictionary of an earlier version that names no featurizer is left out, with a warning."""
    if not isinstance(value, Mapping) or "class" in value:
        return read("load", value)
    try:
        return read("load", value)
    except (TypeError, ValueError) as error:
        warnings.warn(f"{error}; the model in {path} is loaded without it", stacklevel=4)
        return Carried(None, None, None)
