"""The screening: one pass over the library, in bounded memory."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .. import _storage
from .._console import Console, SafeStream
from .._report import Report
from .._storage.outputs import ERRORS_BEGIN, Output, check_outputs
from ..ops._check import flag, fraction, is_whole, path_of, shown, whole_number
from ._after import After
from ._best import Best
from ._hits import HITS_BEGIN, Hits, read_hits
from ._library import Library
from ._record import RECORD_BEGINS, ErrorFile, Recorder, read_record, record_path
from ._run import Run, report_of
from ._scorer import Scorer

FORCE = "force (--force)"
_MOST_SHARDS = 1_000_000


def screen(
    model: Any,
    library: Any,
    top: int = 1000,
    *,
    out: str | os.PathLike[str] | None = None,
    task: str | int | None = None,
    class_index: int | None = None,
    lowest: bool = False,
    smiles_column: str | None = None,
    id_column: str | None = None,
    radius: int | None = None,
    size: int | None = None,
    shard: str | None = None,
    resume: bool = False,
    force: bool = False,
    errors_file: str | os.PathLike[str] | None = None,
    max_unreadable: float | None = None,
    chunk: int = 8192,
    progress: bool | None = None,
    similar_to: Any = None,
    filters: str | Sequence[str] | None = None,
    drop_filtered: bool = False,
    properties: bool = False,
    diverse: int | None = None,
    cutoff: float = 0.35,
) -> Hits:
    """Find the molecules of a library that a model scores best, in one pass and bounded memory.

    Parameters
    ----------
    model : Model or path
        A fitted model of `catalase.models`, or the folder of a saved one. Scores are what its `predict` gives for SMILES:
        from the features of its featurizer, in the units of the measurement.
    library : path or iterable
        A file or a named pipe (``-``: standard input), its format told by its name: ``.smi`` (also ``.smiles``,
        ``.ism``, ``.txt``: a SMILES a line, then optionally white space and a name), ``.csv``, ``.tsv``, each also
        gzipped, under any name, or ``.parquet`` (needs pyarrow). A pipe without such a name is a table
        if its first line names a column of SMILES, else a ``.smi``.
        Or SMILES, or pairs of SMILES and name, from a list or a generator, which is consumed as it is needed.
    top : int
        How many molecules to keep, 1 or more.
    out : path, optional
        CSV file for the hits. Beside it are written ``<out>.json``, the record of the run, and ``<out>.errors.csv``.
    task : str or int, optional
        The task to rank by: its name where the model knows it, or its number from 0. Needed where there are several.
    class_index : int, optional
        The class whose probability is the score, for classifiers; 1 where left out.
    lowest : bool
        Rank the lowest scores first.
    smiles_column, id_column : str, optional
        Columns of a table; where left out, the column the model was trained on, or one named smiles, SMILES, mol ...; and
        id, ID, name ... where there is one.
    radius, size : int, optional
        Of the fingerprints, where the model does not carry its featurizer and was trained on plain bits; then ``radius`` is
        needed. Nothing is guessed: a model that names none is refused without them.
    shard : str, optional
        ``"i/N"``, i from 1 to N: screen only molecules i, i + N, i + 2 N ... `merge` puts the N results together.
    resume : bool
        Go on where a killed run of the same command stopped; from the start if it had not come far. A run that had ended
        is not repeated. Needs ``out`` and a file as library.
    force : bool
        Replace files that are there, but never what is read.
    errors_file : path, optional
        CSV file of row, text and reason for each molecule without a score. That of an earlier run is replaced, another
        file only with ``force``.
    max_unreadable : float, optional
        Stop with an error if more than this share of the molecules cannot be read or scored.
    chunk : int
        Molecules held at a time.
    progress : bool, optional
        A progress bar on standard error; None shows one on a terminal.
    similar_to : path or iterable, optional
        Known actives, in any form a library has: columns ``similarity``, the highest Tanimoto similarity to one of them, and
        ``nearest_active``, its name. With the model's fingerprint (its bits, if it counts).
    filters : str or sequence of str, optional
        RDKit's catalogs of structural alerts: pains (or pains_a, pains_b, pains_c), brenk, nih, zinc, chembl. Column
        ``alerts`` names what a hit has.
    drop_filtered : bool
        Leave hits with alerts out, so that fewer than ``top`` are left.
    properties : bool
        Columns ``molecular_weight`` and ``logp`` (Crippen), by RDKit.
    diverse : int, optional
        Of what is left, pick this many: the best of each Butina cluster, then the second best of each, and so on. Column
        ``cluster``, numbered by their best members.
    cutoff : float
        Tanimoto distance of those clusters.

    Returns
    -------
    Hits
        Higher score first, equal scores by earlier row.

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit the model or the library, and for a damaged library.
    FileNotFoundError
        If the library or the model is not there.

    Notes
    -----
    Exact: the hits are those of scoring all molecules and sorting them, for any chunk, shards and number of threads, and
    after any number of kills. Memory is the model, one chunk and the hits. No molecule is passed over in silence: those that
    cannot be read (or whose score is not finite) are counted in ``report``, which lists the first 1,000, and are all in
    the error file.
    The record is replaced every 5 s by one rename. A library counts as the same where size, time of change and the digest of
    the first and last MiB agree.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["CCO", "CCCO", "CCCCO", "CCN", "CCCN", "CCCCN"]
    >>> ecfp = ct.feat.CircularFingerprint(size=256)
    >>> data = ct.data.NumpyDataset(ecfp(smiles), [[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]], featurizer=ecfp)
    >>> model = ct.models.MultitaskClassifier(1, 256, layer_sizes=[16], learning_rate=0.01, seed=0)
    >>> _ = model.fit(data, nb_epoch=30)
    >>> hits = ct.screen(model, ["CCCCCN", ("CCCCCO", "pentanol"), "C1CC", "CCCCCCN"], top=1)
    >>> hits.smiles, hits.ids, hits.rows.tolist()
    (['CCCCCO'], ['pentanol'], [1])
    >>> print(hits.report)
    3 of 4 kept
      2: 'C1CC': not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)
    """
    _check(
        {"model": model, "library": library, "similar_to": similar_to},
        top, chunk, max_unreadable, class_index, radius, size, resume,
        {"out": out, "errors_file": errors_file},
        {"smiles_column": smiles_column, "id_column": id_column, "shard": shard},
        {"lowest": lowest, "resume": resume, "force": force, "progress": progress},
    )  # fmt: skip
    part, parts = _parse_shard(shard)
    if errors_file is None and out is not None:
        errors_file = f"{os.fspath(out)}.errors.csv"
    inputs = {"the library": library, "the model": model, "similar_to": similar_to}
    check_outputs("screen", inputs, _outputs(out, errors_file, False), force=force or resume, advice=FORCE)
    with ExitStack() as alone:
        for path in {os.path.realpath(p): p for p in (out, errors_file) if p is not None}.values():
            if os.path.realpath(path) != os.devnull:
                alone.enter_context(_storage.writing_output("screen", path))
        after = After(similar_to, filters, drop_filtered, properties, diverse, cutoff)
        if parts > 1 and after.asked():
            raise ValueError(
                "screen: similar_to, filters, properties and diverse are steps on the hits of the whole library; give them to "
                "merge (catalase screen-merge), not to a shard"
            )
        scorer = Scorer(model, task, 1 if class_index is None else class_index, radius, size)
        if class_index is not None and scorer.class_index is None:
            raise ValueError(
                f"screen: class_index (--class) is for classifiers, got {class_index} for a model of numbers"
            )
        steps = after.prepare(scorer.fingerprint.to_config())
        source = Library(library, smiles_column, id_column, scorer.model.smiles_column)
        settings: dict[str, Any] | None = None
        state: dict[str, Any] | None = None
        if resume and source.path is not None and not source.path.is_file():
            raise ValueError(
                f"screen: {source.path} is no file but a pipe, which cannot be read again; save it, to resume"
            )
        if out is not None and source.path is not None and source.path.is_file():
            settings = {
                "library": source.identity(),
                **scorer.describe(),
                "top": int(top),
                "lowest": bool(lowest),
                "columns": [smiles_column, id_column],
                "shard": [part, parts],
                "steps_on_the_hits": steps,
            }
            state = _state(out, settings) if resume else None
            if state is not None and state["done"]:
                return _finished(out, state)
        check_outputs("screen", inputs, _outputs(out, errors_file, state is not None), force=force, advice=FORCE)
        if out is not None and not force and not resume:
            _check_unfinished(out)
        run = Run(scorer, source, Best(top, lowest), (part, parts))
        if errors_file is not None and os.path.realpath(errors_file) != os.devnull:
            run.errors = ErrorFile(os.path.realpath(errors_file))
        if state is not None:
            run.restore(state)
        if run.errors is not None:
            run.errors.start(state["errors_bytes"] if state else 0)
        if out is not None and state is None:
            Path(os.path.realpath(record_path(out))).unlink(missing_ok=True)
        recorder = None if settings is None or out is None else Recorder(out, settings)
        try:
            run.go(chunk, recorder, Console(SafeStream(sys.stderr), progress=progress is None or bool(progress)))
        finally:
            if run.errors is not None:
                run.errors.close()
        report = run.report()
        _check_share(report, max_unreadable, errors_file)
        n_notes = len(report.notes)
        hits = after(Hits(run.best.sorted(), scorer.dtype, report))
        if out is not None:
            hits.to_csv(out)
            if recorder is not None:
                recorder.write(**run.record(), done=True, dtype=str(scorer.dtype), notes=hits.report.notes[n_notes:])
        return hits


def _outputs(out: Any, errors_file: Any, resumed: bool) -> list[Output]:
    """What a screening writes; a run that goes on replaces the hits of the run that it goes on with."""
    outputs = [Output("errors_file (--errors-file)", errors_file, ERRORS_BEGIN)]
    if out is not None:
        hits = Output("out (-o)", out, HITS_BEGIN if resumed else b"")
        outputs = [hits, Output("out (-o)", record_path(out), RECORD_BEGINS), *outputs]
    for name, path, *_ in outputs:
        if path is None or not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path):
            continue
        if path != errors_file or os.path.realpath(path) != os.devnull:  # errors may go to /dev/null
            raise ValueError(f"screen: {name} must be a file, {path} is a device or a pipe")
    return outputs


def _check_share(report: Report, most: float | None, errors_file: Any) -> None:
    failed = report.total - report.kept
    if most is None or failed <= most * report.total:
        return
    first = report.failures[0]
    listed = f"; all are listed in {errors_file}" if errors_file is not None else ""
    raise ValueError(
        f"screen: {failed:,} of {report.total:,} molecules could not be scored, the first in row {first.position + 1}, "
        f"{first.text[:40]!r}: {first.reason}{listed}; at most a share of {most:g} may be so (max_unreadable, "
        "--max-unreadable)"
    )


def _check(
    sources: dict[str, Any], top: Any, chunk: Any, max_unreadable: Any, class_index: Any, radius: Any, size: Any,
    resume: Any, paths: dict[str, Any], words: dict[str, Any], flags: dict[str, Any],
) -> None:  # fmt: skip
    """Refuse arguments of another kind, before anything is read."""
    for name, value, low in (("class_index", class_index, 0), ("radius", radius, 0), ("size", size, 1)):
        if value is not None:
            whole_number("screen", name, value, low)
    for name, value in (("top", top), ("chunk", chunk)):
        if not is_whole(value) or not 1 <= value <= sys.maxsize:
            raise ValueError(f"screen: {name} must be a whole number, 1 or more, got {shown(value)}")
    if max_unreadable is not None:
        fraction("screen", "max_unreadable", max_unreadable)
    for name, value in sources.items():
        if isinstance(value, (str, os.PathLike)):
            path_of("screen", name, value)
    for name, value in paths.items():
        if value is not None:
            path_of("screen", name, value)
    for name, value in words.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"screen: {name} must be a text, got {shown(value)}")
    for name, value in flags.items():
        if name != "progress" or value is not None:
            flag("screen", name, value)
    if resume and (paths["out"] is None or not isinstance(sources["library"], (str, os.PathLike))):
        raise ValueError("screen: resume needs a file as library and out, beside which the record of the run is kept")


def _parse_shard(shard: str | None) -> tuple[int, int]:
    if shard is None:
        return 1, 1
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(shard).strip())
    if not (found and 1 <= int(found[1]) <= int(found[2])):
        raise ValueError(f"screen: shard must be i/N with i from 1 to N, such as 2/8, got {shard!r}")
    if int(found[2]) > _MOST_SHARDS:
        raise ValueError(f"screen: shard must be i/N with N at most {_MOST_SHARDS:,}, got {shard!r}")
    return int(found[1]), int(found[2])


def _state(out: Any, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The record to go on from, if there is one; refuses that of another run."""
    record = read_record(out)
    if record is None or (record["done"] and not os.path.exists(out)):
        return None
    for name, value in settings.items():
        if record["settings"].get(name) != value:
            raise ValueError(
                f"screen: {record_path(out)} is of a run with another {name.replace('_', ' ')}, so it cannot go on with this "
                "one; repeat the same command, or start again with force (--force) and without resume"
            )
    return record


def _check_unfinished(out: Any) -> None:
    """Refuse to throw away what a killed run had done."""
    record = read_record(out)
    if record is not None and not record["done"]:
        raise ValueError(
            f"screen: {record_path(out)} is of a run that was stopped at molecule {record['row']:,}; go on with it by "
            "resume (--resume), or start again with force (--force)"
        )


def _finished(out: Any, record: dict[str, Any]) -> Hits:
    hits = read_hits(out, record["dtype"])
    hits.report = report_of(record)
    return hits
