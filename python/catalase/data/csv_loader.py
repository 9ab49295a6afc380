"""Tables of molecules (or of numbers) from data frames, and from files of every format that `open_table` knows."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from .._internal.frames import is_frame
from .._internal.numbers import choice, listed, path_of, shown, whole_number
from .._internal.report import Failure, Report, one_a_row
from .._internal.text import strip_white
from ..feat.featurizer import Featurizer, featurizing
from .dataset import Dataset, task_names
from .disk import DiskDataset
from .frames import FrameTable
from .graph import GraphDataset, dataset_in_memory, is_empty
from .labels import parse_label
from .open_table import open_table
from .ragged import ragged
from .sequence import SequenceDataset


class CSVLoader:
    """A loader that reads a table, featurizes one column and takes others as labels. Arguments are in DeepChem 2.8's order.

    Parameters
    ----------
    tasks : sequence of str
        Columns of labels; an empty cell (or "nan", "NA") is a missing label.
    featurizer : object with ``featurize(list, errors=...)``
        For example `catalase.feat.CircularFingerprint`. A `catalase.feat.Featurizer` becomes the dataset's
        ``featurizer``.
    feature_field : str, optional
        Column to featurize; "smiles" by default.
    id_field : str, optional
        Column of identifiers; by default the feature column, which the scaffold splitter needs. Cells are taken
        unchanged, with any white space around them.

    Examples
    --------
    >>> import tempfile, pathlib, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "t.csv")
    ...     _ = file.write_text("smiles,y\\nCCO,1.5\\nCC,\\n")
    ...     data = ct.data.CSVLoader(["y"], ct.feat.CircularFingerprint(size=64)).create_dataset(file)
    >>> data.X.shape, data.w.ravel().tolist()
    ((2, 64), [1.0, 0.0])
    """

    def __init__(
        self, tasks: Sequence[str], featurizer: Any, feature_field: str | None = None, id_field: str | None = None
    ) -> None:
        if isinstance(tasks, str):
            raise TypeError(
                f"CSVLoader: tasks must be a list of column names, got the string {tasks!r}; wrap it in [ ]"
            )
        self.tasks = task_names("CSVLoader", tasks)
        self.featurizer = featurizing("CSVLoader", featurizer)
        for name, field in (("feature_field", feature_field), ("id_field", id_field)):
            if field is not None and not isinstance(field, str):
                raise TypeError(f"CSVLoader: {name} must be the name of a column or None, got {shown(field)}")
        self.feature_field = feature_field or "smiles"
        self.id_field = id_field or self.feature_field

    def create_dataset(
        self,
        inputs: Any,
        data_dir: str | Path | None = None,
        shard_size: int = 8192,
        errors: str = "raise",
    ) -> Dataset:
        """Read one or more files.

        Parameters
        ----------
        inputs : path, data frame, or list of these
            Data frames of pandas or polars, tables of Arrow; or files, named pipes or ``-`` for standard input: tables of
            text, whose delimiter and encoding are found, SMILES with names (``.smi``), SD files (``.sdf``), each plain or
            compressed by gzip, bzip2 or xz, Parquet (``.parquet``) and Excel (``.xlsx``). SD files and SMILES with names
            have the column ``smiles``, which is also taken where ``feature_field`` is not there.
        data_dir : path, optional
            Folder for a `DiskDataset` or a `GraphDataset`; by default the dataset is in memory.
        shard_size : int
            Number of rows that are read and featurized at a time.
        errors : {"raise", "mask", "drop"}
            Treatment of a row whose molecule or label cannot be read, or that has more cells than the header: raise an
            error, keep it (zero features, missing label, weight 0), or leave it out with a warning. Cells that are
            missing at the end of a row are empty. The dataset's ``report`` lists all such rows.

        Returns
        -------
        NumpyDataset or DiskDataset, or of a featurizer of graphs or sequences a GraphDataset or SequenceDataset

        Raises
        ------
        FileNotFoundError
            If a file does not exist.
        ValueError
            For a missing column (the error names the columns of the table), a table that is damaged or without
            rows, or with ``errors="raise"`` the first row that cannot be read.
        """
        choice("create_dataset", "errors", errors, ("raise", "mask", "drop"))
        shard_size = whole_number("create_dataset", "shard_size", shard_size, 1, 2**63 - 1)
        if not is_frame(inputs) and not isinstance(inputs, (str, os.PathLike, Iterable)):
            raise TypeError(
                f"create_dataset: inputs must be a file, a data frame or a list of these, got {type(inputs).__name__}"
            )
        data_dir = None if data_dir is None else path_of("create_dataset", "data_dir", data_dir)
        one = isinstance(inputs, (str, os.PathLike)) or is_frame(inputs)
        given = [inputs] if one else listed("create_dataset", "inputs", inputs, "files")
        files = [file if is_frame(file) else path_of("create_dataset", "inputs", file) for file in given]
        if not files:
            raise ValueError("create_dataset: inputs must be a file or a list of files, but it is empty")
        if data_dir is not None and isinstance(self.featurizer, Featurizer) and self.featurizer.makes_sequences:
            raise ValueError("CSVLoader: sequences of several lengths stay in memory; leave data_dir out")
        failures: list[Failure] = []
        counts = [0, 0]  # rows read, rows kept
        shards = self._shards(files, shard_size, errors, failures, counts)
        if data_dir is not None:
            report = functools.partial(self._report, counts, failures)
            if isinstance(self.featurizer, Featurizer) and self.featurizer.makes_graphs:
                return GraphDataset.create(data_dir, cast("Iterator[GraphDataset]", shards), report=report)
            return DiskDataset.create(data_dir, shards, tasks=self.tasks, report=report)
        parts = list(shards)
        dataset = parts[0] if len(parts) == 1 else _join(parts, self.tasks)
        dataset.report = self._report(counts, failures)
        return dataset

    def _report(self, counts: list[int], failures: list[Failure]) -> Report:
        report = Report(counts[0], counts[1], one_a_row(failures))
        if counts[1] < counts[0]:
            warnings.warn(
                f"CSVLoader: {counts[0] - counts[1]} of {counts[0]} rows were left out; see .report", stacklevel=3
            )
        return report

    def _shards(
        self, files: Sequence[Any], size: int, errors: str, failures: list[Failure], counts: list[int]
    ) -> Iterator[Dataset]:
        any_row = False
        for rows, unread in self._rows(files, size):
            any_row = True
            yield self._shard(rows, unread, errors, failures, counts)
        if not any_row:
            names = ["the data frame" if is_frame(file) else str(file) for file in files]
            raise ValueError(f"CSVLoader: {', '.join(names)} holds no rows below its header")

    def _rows(self, files: Sequence[Any], size: int) -> Iterator[tuple[list[dict[str, str]], list[Failure]]]:
        for file in files:
            with FrameTable(file, "CSVLoader") if is_frame(file) else open_table(file, "CSVLoader") as table:
                # A format of molecules has their SMILES under one name, whatever the caller's tables call them.
                smiles = table.smiles_column(self.feature_field)
                names = {name: smiles if name == self.feature_field else name for name in self._columns()}
                check_columns(table.name, table.header, list(names.values()))
                places = {name: table.header.index(column) for name, column in names.items()}
                table.only(list(places.values()))
                for rows, unread in table.chunks(size):
                    yield [{name: row[place] for name, place in places.items()} for row in rows], unread

    def _columns(self) -> list[str]:
        """Return the columns that are read."""
        return [self.feature_field, self.id_field, *self.tasks]

    def _shard(
        self,
        rows: list[dict[str, str]],
        unread: list[Failure],
        errors: str,
        failures: list[Failure],
        counts: list[int],
    ) -> Dataset:
        start = counts[0]
        counts[0] += len(rows)
        y = np.full((len(rows), len(self.tasks)), np.nan, np.float32)
        if unread and errors == "raise":
            first = unread[0].shifted(start)
            raise ValueError(f"CSVLoader: row {first.position}: {first.reason} ({first.text[:80]!r})")
        failures += [failure.shifted(start) for failure in unread]
        known = {failure.position for failure in unread}
        bad = set(known)
        for i, row in enumerate(rows):
            if i in known:
                continue
            for t, task in enumerate(self.tasks):
                value, reason = parse_label(row[task])
                y[i, t] = value
                if reason:
                    if errors == "raise":
                        raise ValueError(f"CSVLoader: row {start + i}, column {task!r}: {reason}")
                    failures.append(Failure(start + i, row[task], f"column {task!r}: {reason}"))
                    bad.add(i)
        texts = ["" if i in known else strip_white(row[self.feature_field]) for i, row in enumerate(rows)]
        X, readable = self._featurize(texts, known, start, errors, failures)
        keep = np.array([i for i in readable if i not in bad], np.int64) if errors == "drop" else readable
        position = {int(i): at for at, i in enumerate(readable)}
        X = X if len(keep) == len(readable) else X[[position[int(i)] for i in keep]]
        failed = {f.position - start for f in failures[-len(rows) * (len(self.tasks) + 1) :]}
        w = np.where(np.isnan(y), np.float32(0), np.float32(1))
        if errors == "mask":
            w[[i for i in range(len(rows)) if i in failed and is_empty(X[i])]] = 0
        counts[1] += len(keep)
        ids = np.array([row[self.id_field] for row in rows])
        kept = self.featurizer if isinstance(self.featurizer, Featurizer) else None
        return dataset_in_memory(X, y[keep], w[keep], ids[keep], tasks=self.tasks, featurizer=kept)

    def _featurize(
        self, items: list[str], known: set[int], start: int, errors: str, failures: list[Failure]
    ) -> tuple[Any, Any]:
        """Return features and the rows that they belong to. The failures of the rows in `known` are listed already."""
        empty = [i for i, item in enumerate(items) if not item]
        if empty and errors == "raise":
            raise ValueError(f"CSVLoader: row {start + empty[0]} has an empty {self.feature_field!r} cell")
        try:
            result = self.featurizer.featurize(items, errors=errors)
        except ValueError as error:
            raise ValueError(f"CSVLoader: rows from {start}: {error}") from None
        X, kept = result if errors == "drop" else (result, np.arange(len(items)))
        report = getattr(self.featurizer, "report", None)
        failures += [failure.shifted(start) for failure in (report.failures if report else [])]
        failures += [
            Failure(start + i, "", f"the {self.feature_field!r} cell is empty") for i in empty if i not in known
        ]
        if errors == "drop" and empty:
            full = ~np.isin(kept, empty)
            X, kept = X[full], kept[full]
        return X, kept


def check_columns(
    file: str | Path, present: Sequence[str] | None, wanted: Sequence[str], function: str = "CSVLoader"
) -> None:
    """Refuse a table that lacks a column; the error names the columns that it has."""
    if not present:
        raise ValueError(f"{function}: {file} is empty; it needs a header line")
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if missing:
        shown = ", ".join(map(repr, present[:30])) + (", ..." if len(present) > 30 else "")
        raise ValueError(f"{function}: {file} has no column {', '.join(map(repr, missing))}; it has {shown}")
    twice = [name for name in dict.fromkeys(wanted) if list(present).count(name) > 1]
    if twice:
        raise ValueError(
            f"{function}: {file} has more than one column {', '.join(map(repr, twice))}; rename all but one"
        )


def _join(parts: Sequence[Dataset], tasks: list[str]) -> Dataset:
    if isinstance(parts[0], GraphDataset):
        return GraphDataset.merge(cast("Sequence[GraphDataset]", parts))
    y, w, ids = (np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "w", "ids"))
    if isinstance(parts[0], SequenceDataset):
        X: Any = ragged([sequence for part in parts for sequence in part.X])
    else:
        X = np.concatenate([part.X for part in parts])
    return dataset_in_memory(X, y, w, ids, tasks=tasks, featurizer=parts[0].featurizer)
