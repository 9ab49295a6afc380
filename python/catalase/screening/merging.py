"""`merge` puts the hits of all shards of a screening together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

from .._internal import storage
from .._internal.numbers import flag, path_of, shown
from .._internal.report import Report
from .._internal.storage.outputs import Output, check_outputs
from .hit_steps import HitSteps
from .hits import Entry, Hits, read_hits
from .record import FORMAT, RECORD_BEGINS, read_record, record_path, report_of


def merge(
    parts: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    similar_to: Any = None,
    filters: str | Sequence[str] | None = None,
    drop_filtered: bool = False,
    properties: bool = False,
    diverse: int | None = None,
    cutoff: float = 0.35,
) -> Hits:
    """Put the hits of all shards of a screening together; the result equals that of screening the whole library.

    Parameters
    ----------
    parts : sequence of path
        The CSV files of the N shards, in any order, each with its record ``<file>.json`` beside it.
    out : path, optional
        CSV file for the hits.
    force : bool
        Replace existing files, but never one that is read.
    similar_to, filters, drop_filtered, properties, diverse, cutoff
        The steps on the hits, as in `screen`.

    Returns
    -------
    Hits
        The hits, with the report of all shards together.

    Raises
    ------
    FileNotFoundError
        If a file or its record is missing.
    ValueError
        If a shard is missing, given twice, not finished, or of another screening.

    Examples
    --------
    >>> import pathlib, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], weight_init_stddevs=0.5, seed=0)
    >>> model.featurizer = ct.feat.CircularFingerprint(size=64)
    >>> _ = pathlib.Path("l.smi").write_text("CCO a\\nCCN b\\nCCC c\\nCCCl d\\nCCBr e\\n")
    >>> for i in (1, 2):
    ...     _ = ct.screen(model, "l.smi", top=2, shard=f"{i}/2", out=f"h{i}.csv")
    >>> ct.screening.merge(["h1.csv", "h2.csv"]).ids == ct.screen(model, "l.smi", top=2).ids
    True
    """
    arguments = locals()
    if not isinstance(parts, (list, tuple)) or not parts:
        kind = ValueError if isinstance(parts, (str, os.PathLike, list, tuple)) else TypeError
        raise kind(f"merge: needs a list of the hits' CSV files of all shards (parts), got {shown(parts)}")
    for path in (*parts, *(() if out is None else (out,))):
        path_of("merge", "out" if path is out else "each of parts", path)
    if isinstance(similar_to, (str, os.PathLike)):
        path_of("merge", "similar_to", similar_to)
    force = flag("merge", "force", force)
    inputs = {str(path): path for path in parts} | {str(record_path(path)): record_path(path) for path in parts}
    if out is not None:
        if os.path.exists(out) and not os.path.isfile(out) and not os.path.isdir(out):
            raise ValueError(f"merge: out (-o) must be a file, {out} is a device or a pipe")
        outputs = [Output("out (-o)", out), Output("out (-o)", record_path(out), RECORD_BEGINS)]
        check_outputs("merge", {**inputs, "similar_to": similar_to}, outputs, force=force, advice="force (--force)")
    with nullcontext() if out is None else storage.writing_output("merge", out):
        steps = HitSteps.of(arguments, "merge")
        records = [_record(path) for path in parts]
        _check_complete(parts, records)
        settings = records[0]["settings"]
        described = steps.prepare(settings["fingerprint"])
        read = [read_hits(path, record["dtype"]) for path, record in zip(parts, records, strict=True)]
        sign = 1 if settings["lowest"] else -1
        entries: list[Entry] = [entry for hits in read for entry in hits.entries()]
        best = sorted(range(len(entries)), key=lambda i: (sign * entries[i][0], entries[i][1]))[: settings["top"]]
        report = _report(records)
        n_notes = len(report.notes)
        together = Hits(entries, records[0]["dtype"], report)
        # A shard without hits has no further columns.
        names = next((list(hits.columns) for hits in read if len(hits)), [])
        together.columns = {name: [cell for hits in read for cell in hits.columns.get(name, [])] for name in names}
        hits = steps.apply(together.take(best))
        if out is not None:
            hits.to_csv(out)
            whole: dict[str, Any] = {
                key: sum(record[key] for record in records) for key in ("scored", "failed", "errors_bytes")
            }
            whole |= {"row": max(r["row"] for r in records), "failures": [list(f) for f in report.failures]}
            settings = {**settings, "shard": [1, 1], "steps_on_the_hits": described}
            whole |= {"done": True, "dtype": records[0]["dtype"], "notes": report.notes[n_notes:]}
            storage.write_json_atomic(record_path(out), {"format": FORMAT, "settings": settings, **whole})
        return hits


def _record(path: Any) -> dict[str, Any]:
    record = read_record(path)
    if record is None:
        raise FileNotFoundError(
            f"merge: there is no file {record_path(path)}; the record that screen wrote beside the hits is needed"
        )
    if not record["done"]:
        raise ValueError(f"merge: the screening of {path} has not ended; let it run, or go on with it by --resume")
    return record


def _check_complete(parts: Sequence[Any], records: list[dict[str, Any]]) -> None:
    first = records[0]["settings"]
    seen: dict[int, Any] = {}
    for path, record in zip(parts, records, strict=True):
        settings = record["settings"]
        for name, value in settings.items():
            if _same_for_all(name, value) != _same_for_all(name, first.get(name)):
                what = "number of shards" if name == "shard" else name.replace("_", " ")
                raise ValueError(f"merge: {path} is of a screening with another {what} than {parts[0]}")
        number = settings["shard"][0]
        if number in seen:
            raise ValueError(f"merge: {path} and {seen[number]} are both shard {number}/{first['shard'][1]}")
        seen[number] = path
    absent = (number for number in range(1, first["shard"][1] + 1) if number not in seen)
    missing = [f"{number}/{first['shard'][1]}" for number in islice(absent, 9)]
    if missing:
        more = " ..." if len(missing) > 8 else ""
        raise ValueError(f"merge: the hits of shard {', '.join(missing[:8])}{more} are not among the files")


def _same_for_all(name: str, value: Any) -> Any:
    """Return the part of a setting that all shards share; copies of a library may differ in the time of their change."""
    if name == "shard":
        return value[1]
    return {key: value[key] for key in value if key != "changed_ns"} if name == "library" else value


def _report(records: list[dict[str, Any]]) -> Report:
    failures = sorted(tuple(f) for record in records for f in record["failures"])
    whole = {key: sum(record[key] for record in records) for key in ("scored", "failed")}
    return report_of({**whole, "failures": failures[:1000]})
