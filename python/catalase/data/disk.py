"""Datasets on disk: ``.npy`` shards, and a manifest with their checksums, which is written last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal import arrays, storage
from .._internal.numbers import flag, path_of, shown, walked, whole_number
from .._internal.report import Report
from ..feat.featurizer import Featurizer
from .dataset import Dataset, Rows, checked_walk, filled_up, task_names
from .lazy_columns import prefetch
from .shard_list import FORMAT, FORMAT_OF_GRAPHS, MANIFEST, VERSION, ShardList, checked_extra, claim_folder
from .shards import (
    COLUMNS,
    ColumnSpec,
    DeepChemShards,
    NpyShards,
    ShardedArray,
    Shards,
    column_spec,
    deepchem_tasks,
    is_deepchem,
)
from .shuffle_windows import read_window, windows


class DiskDataset(Dataset):
    """A dataset in a folder, which may be larger than memory.

    Parameters
    ----------
    path : path
        A folder that `DiskWriter`, `DiskDataset.create` or a loader wrote, or the folder of a DeepChem ``DiskDataset``
        (``.npy`` shards or the older ``.joblib``).
    window_bytes : int
        A dataset of at most this size is held in memory. A larger one is read in windows of this size, of which up to
        three are in memory at a time.
    verify : bool
        Whether to compare each shard's checksum when it is first read.

    Attributes
    ----------
    X, y, w, ids : ndarray, or array-like
        The columns of a single shard are mapped from its file. With several shards, a column of at most
        ``window_bytes / 4`` is an array, and a larger one a `ShardedArray`, which reads the rows that it is indexed by
        (``X[1000:1100]``), or the whole column by ``np.asarray``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no dataset.
    ValueError
        If the manifest or a shard was altered, is truncated, or is of another format, or a DeepChem shard holds anything
        but numbers and strings.

    Notes
    -----
    **Order of a shuffled walk.** The shards are cut into blocks of a sixteenth of a window at most. The blocks are put into a
    random order, windows are filled with them in that order, and the rows of a window are shuffled. So a batch mixes
    rows of about sixteen places of the dataset, and rows should not be sorted by label over stretches longer than a
    block. Reads are sequential within a block. A thread reads the next window while the last is used. The order depends
    on the seed, the shards, the batch size and ``window_bytes``. A dataset that fits into one window is shuffled as a
    whole, in exactly the order of `NumpyDataset`.

    Arrays never contain pickles. DeepChem's may: a reader that knows only arrays of numbers and strings, and calls
    nothing, reads them. If the process is killed while it writes, the committed shards stay.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data = ct.data.DiskDataset.create(folder, [ct.data.NumpyDataset(np.ones((4, 2)), np.zeros(4))])
    ...     data.X.shape
    (4, 2)
    """

    def __init__(self, path: str | Path, *, window_bytes: int = 64 * 2**20, verify: bool = True) -> None:
        self.path = path_of("DiskDataset", "path", path)
        self.window_bytes = whole_number("DiskDataset", "window_bytes", window_bytes)
        verify = flag("DiskDataset", "verify", verify)
        self.extra: dict[str, Any] = {}
        self._shards: Shards
        self._hold: storage.Hold | None = None  # its files stay as long as this dataset is open
        if (self.path / MANIFEST).is_file():
            self._read_manifest(verify)
        elif is_deepchem(self.path):
            self.tasks = deepchem_tasks(self.path)
            self._shards = DeepChemShards(self.path)
        else:
            raise FileNotFoundError(
                f"DiskDataset: {self.path} holds no manifest.json; give a folder that a loader wrote, or DeepChem's "
                "(with metadata.csv.gzip and tasks.json)"
            )
        self._columns: dict[str, Any] = {}

    def _read_manifest(self, verify: bool) -> None:
        file = self.path / MANIFEST
        data, self._hold = storage.hold_for_reading(file)
        if len(data) > storage.MAX_JSON_BYTES:
            raise ValueError(f"DiskDataset: {file} has {len(data)} bytes, more than a manifest has; it is damaged")
        manifest = storage.verify_digest(storage.parse_json(data, file), file)
        if manifest.get("format") == FORMAT_OF_GRAPHS:
            raise ValueError(f"DiskDataset: {file} is a dataset of graphs; catalase.data.GraphDataset.load opens it")
        if manifest.get("format") != FORMAT or manifest.get("format_version") != VERSION:
            raise ValueError(f"DiskDataset: {file} is not a dataset of format version {VERSION}; make it again")
        try:
            self.tasks = list(manifest["tasks"])
            self.extra = dict(manifest["extra"])
            self.report = Report.from_dict(manifest["report"]) if manifest["report"] else None
            self.featurizer, self.scaled_by = _featurizer_and_scale(manifest)
            forms = {c: column_spec(manifest["columns"][c]) for c in COLUMNS}
            entries = [{c: str(shard[c]) for c in COLUMNS} for shard in manifest["shards"]]
            rows = [int(shard["rows"]) for shard in manifest["shards"]]
            if not rows or min(rows) < 0 or sum(rows) >= 2**63:
                raise ValueError("there are no shards, or some of an impossible length")
            if len({entry["ids"] for entry in entries}) < len(entries):
                raise ValueError("a shard is there twice")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"DiskDataset: {file} lacks a field or has one of the wrong type ({error})") from None
        for entry in entries:
            for name in entry.values():
                ShardList.checked_name(self.path, name)
        self._shards = NpyShards(self.path, entries, rows, forms, verify)
        self._shards.check_sizes("ids")  # memory is allocated by the number of rows, so it must not exceed the bytes

    @classmethod
    def create(
        cls,
        path: str | Path,
        shards: Iterable[Dataset],
        *,
        tasks: Sequence[Any] | None = None,
        report: Report | Callable[[], Report | None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> DiskDataset:
        """Write datasets as the shards of one dataset, which replaces that of the folder once all shards are on disk.

        Parameters
        ----------
        path : path
            The folder; it is made if it does not exist.
        shards : iterable of Dataset
            One or more datasets of equal widths and dtypes; they are read one at a time. (`DiskWriter` commits each.)
        tasks, report, extra
            Names, the loader's report, and further JSON values to keep. A function as `report` is called after the
            last shard, for loaders that only then know all failures.

        Raises
        ------
        ValueError
            If the folder holds other data, such as the ``manifest.json`` of another program.
        RuntimeError
            While another writer writes there. The dataset in the folder stays.

        Notes
        -----
        Readers that have the old dataset open can go on reading it; the next writer removes its files.
        """
        function = "DiskDataset.create"
        folder = path_of(function, "path", path)
        shards = walked(function, "shards", shards, "datasets")
        names: list[Any] | None = None if tasks is None else task_names(function, tasks)
        extra = checked_extra(function, extra)
        if report is not None and not isinstance(report, Report) and not callable(report):
            raise TypeError(
                f"{function}: report must be a Report, a function that gives one, or None, got {shown(report)}"
            )
        claim_folder(function, folder)
        written = ShardList(folder)
        with storage.writing(function, folder) as locked:
            for shard in shards:
                arrays.dataset_of(function, "each of shards", shard)
                written.carry(function, shard)
                names = task_names(function, shard.tasks) if names is None else names
                written.add(shard)
            if not written.entries:
                raise ValueError(f"{function}: there must be at least one shard in shards")
            told = report() if callable(report) else report
            if told is not None and not isinstance(told, Report):
                raise TypeError(f"{function}: report must give a Report or None, got {shown(told)}")
            if locked:
                written.keep_readers()
            written.commit(names or [], told, extra)
            if locked:
                written.sweep()
            return cls(folder)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_hold": None}  # a copy in another process reads the same files, but does not hold them

    def __len__(self) -> int:
        return self._shards.total

    @property
    def X(self) -> Any:  # type: ignore[override]
        """Features."""
        return self._column("X")

    @property
    def y(self) -> Any:  # type: ignore[override]
        """Labels."""
        return self._column("y")

    @property
    def w(self) -> Any:  # type: ignore[override]
        """Weights."""
        return self._column("w")

    @property
    def ids(self) -> Any:  # type: ignore[override]
        """Identifiers."""
        return self._column("ids")

    @property
    def forms(self) -> dict[str, ColumnSpec]:
        """Row shape and dtype of each column."""
        return self._shards.forms

    @property
    def manifest_shards(self) -> list[dict[str, Any]]:
        """The rows and file names of each shard, for a dataset in Catalase's format."""
        if not isinstance(self._shards, NpyShards):
            raise ValueError(f"DiskDataset: {self.path} is DeepChem's folder, which is only read")
        pairs = zip(self._shards.entries, self._shards.rows, strict=True)
        return [{"rows": rows, **entry} for entry, rows in pairs]

    def get_shard_size(self) -> int:
        """Return the number of rows in the first shard."""
        return self._shards.rows[0]

    def get_number_shards(self) -> int:
        """Return the number of shards."""
        return len(self._shards)

    def iter_shards(self) -> Iterator[Rows]:
        """Yield (X, y, w, ids) a shard, in order."""
        for shard in range(len(self._shards)):
            yield tuple(self._shards.read(shard, column) for column in COLUMNS)  # type: ignore[misc]

    def verify(self) -> None:
        """Read all shards now; raise a ValueError for a missing, altered or truncated one (else raised at first use)."""
        for _ in self.iter_shards():
            pass

    def _column(self, column: str) -> Any:
        if column not in self._columns:
            shards, form = self._shards, self._shards.forms[column]
            if isinstance(shards, NpyShards):
                shards.check_sizes(column)
            if len(shards) == 1:
                made: Any = shards.read(0, column)
            elif len(self) * form.row_bytes <= max(self.window_bytes // 4, 1) or self._fits():
                made = np.asarray(ShardedArray(shards, column))
            else:
                made = ShardedArray(shards, column)
            self._columns[column] = made
        return self._columns[column]

    def _row_bytes(self) -> int:
        return max(1, sum(form.row_bytes for form in self._shards.forms.values()))

    def _fits(self) -> bool:
        return len(self) * self._row_bytes() <= self.window_bytes

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Rows]]:
        """Yield (epoch, row numbers, batch); see the notes of the class for the order."""
        walk = checked_walk(batch_size, epochs, deterministic, pad_batches, seed)
        batch_size, epochs, deterministic, pad_batches, seed = walk
        if batch_size is None or self._fits():
            yield from super().numbered_batches(batch_size, epochs, deterministic, pad_batches, seed)
            return
        rng = np.random.Generator(np.random.Philox(seed))
        rows = max(1, self.window_bytes // self._row_bytes() // batch_size) * batch_size
        for epoch in range(epochs):
            plan = windows(self._shards, rows, None if deterministic else rng)
            for numbers, columns in prefetch(partial(read_window, self._shards), plan):
                for start in range(0, len(numbers), batch_size):
                    here = slice(start, start + batch_size)
                    batch: Any = [column[here] for column in columns]
                    chosen = numbers[here]
                    if pad_batches and len(chosen) < batch_size:
                        filled, w = filled_up(np.arange(len(chosen)), batch[2], batch_size)
                        chosen, batch = chosen[filled], [column[filled] for column in batch]
                        batch[2] = w
                    yield epoch, chosen, tuple(batch)
                del numbers, columns, batch, chosen  # so that the next window can reuse the memory


def _featurizer_and_scale(manifest: dict[str, Any]) -> tuple[Any, float]:
    """Return the featurizer and the scale of a manifest; datasets of earlier versions name neither."""
    featurizer, scale = manifest.get("featurizer"), manifest.get("scaled_by", 1.0)
    if featurizer is not None:
        featurizer = Featurizer.build(featurizer)
    if type(scale) not in (int, float) or not 0 < scale < float("inf"):
        raise ValueError(f"scaled_by is {scale!r}")
    return featurizer, float(scale)
