"""Datasets on disk: ``.npy`` shards, and a manifest with their checksums that is written last."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .. import _storage
from .._report import Report
from .dataset import Dataset

_FORMAT, _VERSION = "catalase dataset", 1
_COLUMNS = ("X", "y", "w", "ids")
_NAME = re.compile(r"(X|y|w|ids)-\d{5}-[0-9a-f]{64}\.npy")


class DiskDataset(Dataset):
    """A dataset in a folder, read shard by shard when it is needed.

    Parameters
    ----------
    path : path
        A folder that `DiskDataset.create` (or a loader) wrote.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If the manifest or a shard was altered, is truncated, or is of another format.

    Notes
    -----
    Checksums are verified when a shard is first read; arrays never contain pickles. A kill while writing leaves the
    dataset that was there before.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data = ct.data.DiskDataset.create(folder, [ct.data.NumpyDataset(np.ones((4, 2)), np.zeros(4))])
    ...     data.X.shape
    (4, 2)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        manifest_path = self.path / "manifest.json"
        if not manifest_path.is_file():
            raise FileNotFoundError(
                f"DiskDataset: {self.path} holds no manifest.json; give a folder that a loader wrote"
            )
        manifest = _storage.read_json(manifest_path)
        if manifest.get("format") != _FORMAT or manifest.get("format_version") != _VERSION:
            raise ValueError(f"DiskDataset: {manifest_path} is not a dataset of format version {_VERSION}")
        try:
            self.tasks = list(manifest["tasks"])
            self.extra: dict[str, Any] = dict(manifest["extra"])
            self._shards: list[dict[str, str]] = [{c: str(s[c]) for c in _COLUMNS} for s in manifest["shards"]]
            self.report = Report.from_dict(manifest["report"]) if manifest["report"] else None
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"DiskDataset: {manifest_path} lacks a field or has one of the wrong type ({error})"
            ) from None
        for shard in self._shards:
            for name in shard.values():
                if not _NAME.fullmatch(name):
                    raise ValueError(f"DiskDataset: {manifest_path} names a shard {name!r}, which is no shard's name")
        self._loaded: dict[str, NDArray[Any]] = {}

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
        """Write datasets as the shards of one, replacing what was in the folder once all is on disk.

        Parameters
        ----------
        path : path
            Made where it does not exist.
        shards : iterable of Dataset
            One or more, of equal widths and dtypes; taken one at a time.
        tasks, report, extra
            Names, the loader's report, and further JSON values to keep. A function as `report` is called after the
            last shard, for loaders that know what failed only then.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        entries: list[dict[str, str]] = []
        names: list[Any] | None = None if tasks is None else list(tasks)
        form: list[Any] | None = None
        for number, shard in enumerate(shards):
            form = _same_form(form, shard, number)
            names = list(shard.tasks) if names is None else names
            entries.append({c: _write(folder, c, number, getattr(shard, c)) for c in _COLUMNS})
        if not entries:
            raise ValueError("DiskDataset.create: there must be at least one shard")
        made = report() if callable(report) else report
        _storage.write_json_atomic(
            folder / "manifest.json",
            {
                "format": _FORMAT,
                "format_version": _VERSION,
                "tasks": names or [],
                "shards": entries,
                "report": made.to_dict() if made else None,
                "extra": extra or {},
            },
        )
        wanted = {name for entry in entries for name in entry.values()}
        for file in folder.iterdir():
            if _NAME.fullmatch(file.name) and file.name not in wanted:
                file.unlink(missing_ok=True)
        return cls(folder)

    @property
    def X(self) -> NDArray[Any]:  # type: ignore[override]
        """Features, all shards together; a single shard is memory-mapped."""
        return self._column("X")

    @property
    def y(self) -> NDArray[Any]:  # type: ignore[override]
        """Labels."""
        return self._column("y")

    @property
    def w(self) -> NDArray[Any]:  # type: ignore[override]
        """Weights."""
        return self._column("w")

    @property
    def ids(self) -> NDArray[Any]:  # type: ignore[override]
        """Identifiers."""
        return self._column("ids")

    def verify(self) -> None:
        """Read all shards now; ValueError for one that is missing, altered or cut short (else found at first use)."""
        for column in _COLUMNS:
            self._column(column)

    def _column(self, column: str) -> NDArray[Any]:
        if column not in self._loaded:
            parts = [self._read(shard[column]) for shard in self._shards]
            self._loaded[column] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._loaded[column]

    def _read(self, name: str) -> NDArray[Any]:
        file = self.path / name
        if not file.is_file():
            raise ValueError(f"DiskDataset: {file} is missing; make the dataset again, or copy the folder whole")
        if _storage.sha256_file(file) != name[-68:-4]:
            raise ValueError(
                f"DiskDataset: {file} was altered or cut short (its checksum differs); make the dataset again"
            )
        return np.load(file, mmap_mode="r" if os.path.getsize(file) > 1 << 20 else None, allow_pickle=False)


def _same_form(form: list[Any] | None, shard: Dataset, number: int) -> list[Any]:
    """Row shapes and dtypes of a shard's columns, which must be those of the shards before it."""
    found: list[Any] = []
    for column in _COLUMNS:
        array = getattr(shard, column)
        # Shards differ in the length of their strings, which np.concatenate widens.
        found.append((column, array.shape[1:], "text" if array.dtype.kind == "U" else str(array.dtype)))
    if form is not None and found != form:
        old, new = next(pair for pair in zip(form, found, strict=True) if pair[0] != pair[1])
        raise ValueError(
            f"DiskDataset.create: {new[0]} of shard {number} has rows of shape {new[1]} and {new[2]}, but the shards "
            f"before it {old[1]} and {old[2]}; give all shards one width and dtype"
        )
    return found


def _write_all(file: BinaryIO, data: memoryview) -> None:
    file.write(data)


def _write(folder: Path, column: str, number: int, array: NDArray[Any]) -> str:
    """Write one array under a name that holds its checksum."""
    if array.dtype.hasobject:
        raise TypeError(f"DiskDataset: {column} holds Python objects; convert it to numbers or strings")
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    data = buffer.getbuffer()
    name = f"{column}-{number:05d}-{hashlib.sha256(data).hexdigest()}.npy"
    # A file of this name may be a damaged one: look inside before trusting it.
    if not (folder / name).is_file() or _storage.sha256_file(folder / name) != name[-68:-4]:
        _storage.write_file_atomic(folder / name, lambda file: _write_all(file, data))
    return name
