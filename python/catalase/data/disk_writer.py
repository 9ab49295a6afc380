"""Writing datasets to disk, shard by shard; a committed shard survives if the process is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._internal import storage
from .._internal.arrays import dataset_of
from .._internal.numbers import flag, path_of
from .dataset import Dataset, task_names
from .disk import DiskDataset
from .shard_list import MANIFEST, ShardList, checked_extra, claim_folder


class DiskWriter:
    """A writer that appends shards to a dataset on disk; a shard is committed when `append` returns.

    Parameters
    ----------
    path : path
        The folder; it is made if it does not exist.
    tasks : sequence, optional
        Names of the columns of y; by default those of the first shard.
    extra : dict, optional
        Further JSON values to keep.
    resume : bool
        Whether to continue after the existing shards. False refuses a folder that has some.

    Attributes
    ----------
    rows, shards : int
        Rows and shards committed so far, after which a resumed run must continue.

    Raises
    ------
    FileExistsError
        If there is a dataset and `resume` is False.
    ValueError
        If the folder holds other data.
    RuntimeError
        From `append`, if another writer has committed since this one was opened; open it again to continue after that.
    OSError
        If the folder cannot be written. Committed shards stay.

    Notes
    -----
    The files of a shard are written, flushed and renamed; then a manifest that names it replaces the old one by one
    rename. If the process is killed at any point, the shards of the last manifest are complete; the next writer removes
    unfinished files. Writers take turns: `append` is refused if another writer has committed since, so no shard is lost.
    Readers see the committed shards, and may go on reading them.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writer = ct.data.DiskWriter(folder)
    ...     for start in (0, 100):
    ...         _ = writer.append(ct.data.NumpyDataset(np.zeros((100, 4), np.uint8), ids=np.arange(start, start + 100)))
    ...     writer.rows, len(writer.dataset())
    (200, 200)
    """

    def __init__(
        self, path: str | Path, *, tasks: Any = None, extra: dict[str, Any] | None = None, resume: bool = False
    ) -> None:
        self.path = path_of("DiskWriter", "path", path)
        self._tasks = None if tasks is None else task_names("DiskWriter", tasks)
        self._extra, self._report = checked_extra("DiskWriter", extra), None
        flag("DiskWriter", "resume", resume)
        claim_folder("DiskWriter", self.path)
        self._known = ""  # checksum of the manifest that the next one replaces
        self._list = ShardList(self.path)
        with storage.writing("DiskWriter", self.path, storage.LOCK_SECONDS) as locked:
            if (self.path / MANIFEST).exists():
                if not resume:
                    raise FileExistsError(
                        f"DiskWriter: {self.path} holds a dataset; give resume=True to append to it, or another folder"
                    )
                self._take_over(tasks, extra)
            if locked:
                self._list.sweep()

    def _take_over(self, tasks: Any, extra: dict[str, Any] | None) -> None:
        self._known = storage.sha256_file(self.path / MANIFEST)
        there = self.dataset()
        self._list.entries = [dict(entry) for entry in there.manifest_shards]
        self._list.forms = dict(there.forms)
        self._list.featurizer, self._list.scaled_by = there.featurizer, there.scaled_by
        self._report = there.report
        if self._tasks is None:
            self._tasks = list(there.tasks)
        elif self._tasks != list(there.tasks):
            raise ValueError(f"DiskWriter: {self.path} has the tasks {there.tasks}, not {self._tasks}")
        self._extra = dict(there.extra) if extra is None else self._extra

    @property
    def rows(self) -> int:
        """Number of committed rows."""
        return sum(entry["rows"] for entry in self._list.entries)

    @property
    def shards(self) -> int:
        """Number of committed shards."""
        return len(self._list.entries)

    def append(self, shard: Dataset) -> int:
        """Commit one more shard; return the number of rows committed in all.

        Parameters
        ----------
        shard : Dataset
            Rows of the same shapes and dtypes as in the shards before it.

        Raises
        ------
        ValueError, TypeError
            For another shape or dtype, or Python objects; nothing is committed then.
        """
        dataset_of("DiskWriter.append", "shard", shard)
        with storage.writing("DiskWriter.append", self.path, storage.LOCK_SECONDS):
            manifest = self.path / MANIFEST
            if (storage.sha256_file(manifest) if manifest.exists() else "") != self._known:
                raise RuntimeError(
                    f"DiskWriter.append: another writer has written into {self.path} since this one was opened; nothing was "
                    "appended, open a new DiskWriter with resume=True"
                )
            tasks = task_names("DiskWriter.append", shard.tasks) if self._tasks is None else self._tasks
            before = self._list.forms
            self._list.carry("DiskWriter.append", shard)
            self._list.add(shard)
            try:
                self._known = self._list.commit(tasks, self._report, self._extra)
            except BaseException:
                self._list.entries.pop()
                self._list.forms = before
                raise
            self._tasks = tasks
        return self.rows

    def dataset(self) -> Any:
        """Open the dataset of the committed shards."""
        return DiskDataset(self.path)
