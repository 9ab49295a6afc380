"""`screen` scores a library in one pass and in bounded memory."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._internal import storage
from .._internal.console import Console, SafeStream
from .._internal.numbers import flag, fraction, is_whole, path_of, shown, whole_number
from .._internal.report import Failure, Report
from .._internal.storage.outputs import ERRORS_BEGIN, Output, check_outputs
from .._internal.text import strip_white
from .hit_steps import HitSteps, fields_among
from .hits import HITS_BEGIN, Hits, TopK, read_hits
from .library import Chunk, Library
from .record import RECORD_BEGINS, ErrorFile, Recorder, read_record, record_path, report_of
from .scorer import Scorer

_FORCE = "force (--force)"
_MOST_SHARDS = 1_000_000
_FAILURES_KEPT = 1000  # are listed in the report; the error file lists all


@dataclass(frozen=True)
class ScreenSettings:
    """The arguments of `screen`; all checks that need neither the model nor the library are made here."""

    model: Any
    library: Any
    top: int
    out: str | os.PathLike[str] | None
    task: str | int | None
    class_index: int | None
    lowest: bool
    smiles_column: str | None
    id_column: str | None
    delimiter: str | None
    encoding: str | None
    radius: int | None
    size: int | None
    shard: str | None
    resume: bool
    force: bool
    errors_file: str | os.PathLike[str] | None
    max_unreadable: float | None
    chunk: int
    progress: bool | None
    steps: HitSteps

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> ScreenSettings:
        """Make the settings from the arguments of `screen`, which have the names of the fields."""
        return cls(**fields_among(cls, arguments), steps=HitSteps.of(arguments, "screen"))

    def __post_init__(self) -> None:
        for name, low in (("class_index", 0), ("radius", 0), ("size", 1)):
            if getattr(self, name) is not None:
                whole_number("screen", name, getattr(self, name), low)
        for name, value in (("top", self.top), ("chunk", self.chunk)):
            if not is_whole(value) or not 1 <= value <= sys.maxsize:
                raise ValueError(f"screen: {name} must be a whole number, 1 or more, got {shown(value)}")
        for name, value in (("model", self.model), ("library", self.library), ("similar_to", self.steps.similar_to)):
            if isinstance(value, (str, os.PathLike)):
                path_of("screen", name, value)
        for name in ("out", "errors_file"):
            if getattr(self, name) is not None:
                path_of("screen", name, getattr(self, name))
        for name in ("smiles_column", "id_column", "delimiter", "encoding", "shard"):
            if not isinstance(getattr(self, name), (str, type(None))):
                raise TypeError(f"screen: {name} must be a text, got {shown(getattr(self, name))}")
        for name in ("lowest", "resume", "force", "progress"):
            if name != "progress" or self.progress is not None:
                flag("screen", name, getattr(self, name))
        if self.max_unreadable is not None:
            fraction("screen", "max_unreadable", self.max_unreadable)
        if self.resume and (self.out is None or not isinstance(self.library, (str, os.PathLike))):
            raise ValueError(
                "screen: resume needs a file as library and out, beside which the record of the run is kept"
            )
        _, shards = self.shard_numbers
        if shards > 1 and self.steps.asked():
            raise ValueError(
                "screen: similar_to, filters, properties and diverse are steps on the hits of the whole library; give them to "
                "merge (catalase screen-merge), not to a shard"
            )

    @property
    def shard_numbers(self) -> tuple[int, int]:
        """The number of the shard, counted from 1, and the number of shards."""
        if self.shard is None:
            return 1, 1
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", strip_white(str(self.shard)))
        if not (found and 1 <= int(found[1]) <= int(found[2])):
            raise ValueError(f"screen: shard must be i/N with i from 1 to N, such as 2/8, got {self.shard!r}")
        if int(found[2]) > _MOST_SHARDS:
            raise ValueError(f"screen: shard must be i/N with N at most {_MOST_SHARDS:,}, got {self.shard!r}")
        return int(found[1]), int(found[2])

    @property
    def error_path(self) -> str | os.PathLike[str] | None:
        """The error file: by default it is next to the file of hits; None where there is no such file."""
        if self.errors_file is None and self.out is not None:
            return f"{os.fspath(self.out)}.errors.csv"
        return self.errors_file

    def check_outputs(self, *, force: bool, resumed: bool) -> None:
        """Refuse outputs that are inputs or would replace a file; a resumed run may replace its own hits."""
        outputs = [Output("errors_file (--errors-file)", self.error_path, ERRORS_BEGIN)]
        if self.out is not None:
            hits = Output("out (-o)", self.out, HITS_BEGIN if resumed else b"")
            outputs = [hits, Output("out (-o)", record_path(self.out), RECORD_BEGINS), *outputs]
        for name, path, *_ in outputs:
            if path is None or not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path):
                continue
            if path != self.error_path or os.path.realpath(path) != os.devnull:  # errors may go to /dev/null
                raise ValueError(f"screen: {name} must be a file, {path} is a device or a pipe")
        inputs = {"the library": self.library, "the model": self.model, "similar_to": self.steps.similar_to}
        check_outputs("screen", inputs, outputs, force=force, advice=_FORCE)

    def describe(self, library: Library, scorer: Scorer, steps: dict[str, Any]) -> dict[str, Any] | None:
        """Return all that decides the hits, as JSON values for the record; None where no record is kept.

        A record needs a file of hits next to which it is kept, and a library that is a file, so that it can be identified.
        """
        if self.out is None or library.path is None or not library.path.is_file():
            return None
        text = [self.delimiter, self.encoding] if self.delimiter or self.encoding else []
        return {
            "library": library.identity(),
            **scorer.describe(),
            "top": int(self.top),
            "lowest": bool(self.lowest),
            "columns": [self.smiles_column, self.id_column, *text],
            "shard": list(self.shard_numbers),
            "steps_on_the_hits": steps,
        }


def _hold_outputs(settings: ScreenSettings, stack: ExitStack) -> None:
    """Keep other writers away from the outputs until the stack is closed."""
    paths = [path for path in (settings.out, settings.error_path) if path is not None]
    for real, path in {os.path.realpath(path): path for path in paths}.items():
        if real != os.devnull:
            stack.enter_context(storage.writing_output("screen", path))


class LibraryScan:
    """One pass over a library, which can stop after any chunk and be resumed there.

    Attributes
    ----------
    best : TopK
        The best molecules so far.
    """

    def __init__(self, scorer: Scorer, library: Library, settings: ScreenSettings) -> None:
        self.best = TopK(settings.top, settings.lowest)
        self._scorer, self._library, self._settings = scorer, library, settings
        self._part, self._parts = settings.shard_numbers
        path = settings.error_path
        written = path is not None and os.path.realpath(path) != os.devnull
        self._errors = ErrorFile(os.path.realpath(path)) if path is not None and written else None
        self._row = self._scored = self._failed = 0  # the next row, and the counts of this shard
        self._failures: list[Failure] = []

    def start(self, record: dict[str, Any] | None) -> None:
        """Start from a record, or at the first row; then the files that an earlier run left are removed."""
        if record is not None:
            self._row, self._scored, self._failed = record["row"], record["scored"], record["failed"]
            self._failures = [Failure(*failure) for failure in record["failures"]]
            self.best.restore(record["best"])
        if self._errors is not None:
            self._errors.start(record["errors_bytes"] if record is not None else 0)
        if record is None and self._settings.out is not None:
            Path(os.path.realpath(record_path(self._settings.out))).unlink(missing_ok=True)

    def run(self, recorder: Recorder | None) -> None:
        """Score the rest of the library."""
        console = Console(
            SafeStream(sys.stderr), progress=self._settings.progress is None or bool(self._settings.progress)
        )
        begin, before, position = time.monotonic(), self._scored + self._failed, 0
        with console.work("screening", self._library.total) as show:
            for start, chunk in self._chunks():
                self._take(start, chunk)
                seen = self._scored + self._failed
                rate = (seen - before) / max(time.monotonic() - begin, 1e-9)
                position, last = self._library.position(), position
                show(position - last, f"{seen:,} molecules, {rate:,.0f}/s", self._library.total)
                if recorder is not None and recorder.due():
                    self._write(recorder)
        if recorder is not None:
            self._write(recorder)

    def _chunks(self) -> Iterator[tuple[int, Chunk]]:
        """Yield the chunks that are not scored yet, each with the number of its first row."""
        start, done = 0, self._row
        for chunk in self._library.chunks(self._settings.chunk):
            end = start + len(chunk.smiles)
            if end > done:
                cut = max(0, done - start)
                yield start + cut, chunk.every(1, cut) if cut else chunk
            start = end

    def _take(self, start: int, chunk: Chunk) -> None:
        """Score the molecules of a chunk that belong to this shard."""
        end = start + len(chunk.smiles)
        first = (self._part - 1 - start) % self._parts
        rows = range(start + first, end, self._parts)
        if self._parts > 1:
            chunk = chunk.every(self._parts, first)
        if rows:
            kept, scores, failures = self._scorer(chunk)
            if len(kept) == len(rows):
                self.best.add(scores, rows, chunk.smiles, chunk.ids)
            else:
                at = kept.tolist()
                self.best.add(scores, [rows[i] for i in at], [chunk.smiles[i] for i in at], [chunk.ids[i] for i in at])
            self._fail([failure._replace(position=rows[failure.position]) for failure in failures])
            self._scored += len(kept)
        self._row = end

    def _fail(self, failures: list[Failure]) -> None:
        self._failed += len(failures)
        self._failures += failures[: _FAILURES_KEPT - len(self._failures)]
        if self._errors is not None:
            self._errors.write(failures)

    def _write(self, recorder: Recorder) -> None:
        recorder.write(**self.record(), done=False, best=[list(entry) for entry in self.best.sorted()])

    def record(self) -> dict[str, Any]:
        """Return the state of the scan; the bytes of the error file that it counts are on the disk."""
        return {
            "row": self._row,
            "scored": self._scored,
            "failed": self._failed,
            "failures": [list(failure) for failure in self._failures],
            "errors_bytes": 0 if self._errors is None else self._errors.commit(),
        }

    def report(self) -> Report:
        """Return how many molecules were read and scored, and the first failures."""
        return report_of(self.record())

    def close(self) -> None:
        """Close the error file."""
        if self._errors is not None:
            self._errors.close()


def _check_share(report: Report, settings: ScreenSettings) -> None:
    """Stop where too many molecules could not be scored."""
    failed, most = report.total - report.kept, settings.max_unreadable
    if most is None or failed <= most * report.total:
        return
    first = report.failures[0]
    listed = f"; all are listed in {settings.error_path}" if settings.error_path is not None else ""
    raise ValueError(
        f"screen: {failed:,} of {report.total:,} molecules could not be scored, the first in row {first.position + 1}, "
        f"{first.text[:40]!r}: {first.reason}{listed}; at most a share of {most:g} may be so (max_unreadable, "
        "--max-unreadable)"
    )


def _record_to_resume(out: Any, described: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record to resume from, or None; refuse the record of another run."""
    record = read_record(out)
    if record is None or (record["done"] and not os.path.exists(out)):
        return None
    for name, value in described.items():
        if record["settings"].get(name) != value:
            raise ValueError(
                f"screen: {record_path(out)} is of a run with another {name.replace('_', ' ')}, so it cannot go on with this "
                "one; repeat the same command, or start again with force (--force) and without resume"
            )
    return record


def _check_unfinished(out: Any) -> None:
    """Refuse to discard the results of a killed run."""
    record = read_record(out)
    if record is not None and not record["done"]:
        raise ValueError(
            f"screen: {record_path(out)} is of a run that was stopped at molecule {record['row']:,}; go on with it by "
            "resume (--resume), or start again with force (--force)"
        )


def _hits_of_finished_run(out: Any, record: dict[str, Any]) -> Hits:
    hits = read_hits(out, record["dtype"])
    hits.report = report_of(record)
    return hits


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
    delimiter: str | None = None,
    encoding: str | None = None,
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
        A file or a named pipe (``-`` is standard input), whose name tells its format: ``.smi`` (also ``.smiles``, ``.ism``:
        each line holds a SMILES, then optionally spaces or a tab and a name, which ends at a tab), ``.csv``, ``.tsv``,
        ``.txt``, ``.cxsmiles``, ``.sdf``, each also compressed by gzip, bzip2 or xz under any name, ``.parquet`` (needs
        pyarrow) or ``.xlsx`` (needs openpyxl). A structure that RDKit cannot read in an SD file is one of the molecules that
        cannot be scored. ``.txt``, ``.cxsmiles`` and pipes without such a name are tables if the first line names a column
        of SMILES, else as ``.smi``.
        Or a list or generator of SMILES, or of pairs of SMILES and name; a generator is consumed as it is needed.
    top : int
        How many molecules to keep, 1 or more.
    out : path, optional
        CSV file for the hits. The record of the run, ``<out>.json``, and ``<out>.errors.csv`` are written next to it.
    task : str or int, optional
        The task to rank by: its name where the model knows it, or its number from 0. A model of several tasks needs it.
    class_index : int, optional
        The class whose probability is the score, for classifiers; by default 1.
    lowest : bool
        Rank the lowest scores first.
    smiles_column, id_column : str, optional
        Columns of a table. The defaults are the column that the model was trained on, or one named smiles, SMILES, mol,
        structure ...; and a column named id, ID, name ..., where there is one.
    delimiter, encoding : str, optional
        The character between the fields of a table of text (or "tab"), and its encoding, instead of what is found.
    radius, size : int, optional
        Radius and size of the fingerprints, for a model without a featurizer that was trained on plain bits. Such a model
        needs ``radius``, since nothing is guessed.
    shard : str, optional
        ``"i/N"``, i from 1 to N, screens only molecules i, i + N, i + 2 N ... `merge` puts the N results together.
    resume : bool
        Continue a killed run of the same command from its last record, or from the start if it had written none. A finished
        run is not repeated. This needs ``out`` and a file as library.
    force : bool
        Replace existing files, but never one that is read.
    errors_file : path, optional
        CSV file of row, text and reason for each molecule without a score. The error file of an earlier run is replaced,
        any other file only with ``force``.
    max_unreadable : float, optional
        Stop with an error if more than this share of the molecules cannot be read or scored.
    chunk : int
        The number of molecules held at a time.
    progress : bool, optional
        Show a progress bar on standard error; None shows one on a terminal.
    similar_to : path or iterable, optional
        Known actives, in any form a library has. They add the columns ``similarity``, the highest Tanimoto similarity to an
        active by the model's fingerprint (by its bits, if it counts), and ``nearest_active``, the name of that active.
    filters : str or sequence of str, optional
        RDKit's catalogs of structural alerts: pains (or pains_a, pains_b, pains_c), brenk, nih, zinc, chembl. The column
        ``alerts`` names the alerts of a hit.
    drop_filtered : bool
        Leave out hits with alerts, so that fewer than ``top`` may remain.
    properties : bool
        Add the columns ``molecular_weight``, ``logp`` (Crippen), ``tpsa`` and ``charge`` (the sum of formal charges), with
        RDKit's values.
    diverse : int, optional
        Pick this many of the remaining hits: the best of each Butina cluster, then the second best of each, and so on. The
        column ``cluster`` numbers the clusters by their best members.
    cutoff : float
        The largest Tanimoto distance of a member of those clusters from its centroid.

    Returns
    -------
    Hits
        The hits: higher scores first, equal scores by earlier row.

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit the model or the library, and for a damaged library.
    FileNotFoundError
        If the library or the model does not exist.

    Notes
    -----
    The result is exact: the hits are those of scoring all molecules and sorting them, for any chunk, shards and number of
    threads, and after any number of kills. Memory holds the model, one chunk and the hits. No molecule is dropped silently:
    those that cannot be read, or whose score is not finite, are counted in ``report``, which lists the first 1,000, and all
    of them are in the error file.
    The record is replaced every 5 s by one rename. A library counts as unchanged where its size, its time of change and the
    digest of its first and last MiB agree.

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
    settings = ScreenSettings.of(locals())
    settings.check_outputs(force=settings.force or settings.resume, resumed=False)
    with ExitStack() as stack:
        _hold_outputs(settings, stack)
        scorer = Scorer(settings)
        steps = settings.steps.prepare(scorer.fingerprint.to_config())
        library = Library(
            settings.library,
            settings.smiles_column,
            settings.id_column,
            scorer.model.smiles_column,
            delimiter=settings.delimiter,
            encoding=settings.encoding,
        )
        if settings.resume and library.path is not None and not library.path.is_file():
            raise ValueError(
                f"screen: {library.path} is no file but a pipe, which cannot be read again; save it, to resume"
            )
        described = settings.describe(library, scorer, steps)
        record = _record_to_resume(settings.out, described) if settings.resume and described is not None else None
        if record is not None and record["done"]:
            return _hits_of_finished_run(settings.out, record)
        settings.check_outputs(force=settings.force, resumed=record is not None)
        if settings.out is not None and not settings.force and not settings.resume:
            _check_unfinished(settings.out)
        scan = LibraryScan(scorer, library, settings)
        recorder = None if described is None or settings.out is None else Recorder(settings.out, described)
        stack.callback(scan.close)
        scan.start(record)  # no file was changed until here, so a refusal leaves all as they were
        scan.run(recorder)
        report = scan.report()
        _check_share(report, settings)
        n_notes = len(report.notes)
        report.notes += library.notes
        hits = Hits(scan.best.sorted(), scorer.dtype, report)
        scorer.add_certainty(hits)
        hits = settings.steps.apply(hits)
        if settings.out is not None:
            hits.to_csv(settings.out)
            if recorder is not None:
                recorder.write(**scan.record(), done=True, dtype=str(scorer.dtype), notes=hits.report.notes[n_notes:])
        return hits
