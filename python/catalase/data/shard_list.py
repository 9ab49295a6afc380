"""Writing the shards of a dataset on disk: their files, the specification of their columns, and the manifest."""

from __future__ import annotations

import hashlib
import io
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._internal import arrays as _arrays
from .._internal import storage
from .._internal.numbers import shown
from .._internal.report import Report
from ..feat.featurizer import saved_form
from .dataset import Dataset
from .shards import COLUMNS, SHARD_NAME, ColumnSpec, is_deepchem

FORMAT, VERSION, MANIFEST = "catalase dataset", 2, "manifest.json"
FORMAT_OF_GRAPHS = "catalase graphs"  # of a GraphDataset
_TEMPORARY = re.compile(rf"\.(manifest\.json|{SHARD_NAME.pattern})\.[0-9a-f]{{12}}\.tmp")

_REPLACED = re.compile(r"\.manifest\.json\.[0-9a-f]{12}\.old")


def claim_folder(function: str, folder: Path) -> None:
    """Make a folder for a dataset; refuse one that holds the manifest of another program, or a DeepChem dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    if is_deepchem(folder):
        raise ValueError(f"{function}: {folder} holds a dataset of DeepChem, which is only read; choose another folder")
    if not manifest.exists() and not manifest.is_symlink():
        return
    try:
        ours = storage.read_json(manifest).get("format") in (FORMAT, FORMAT_OF_GRAPHS)
    except (OSError, ValueError):  # it is damaged, but it is ours if our shards are there too
        ours = any(SHARD_NAME.fullmatch(file.name) for file in folder.iterdir())
    if not ours:
        raise ValueError(
            f"{function}: {manifest} is not of a dataset and would be lost; choose another folder, or move it"
        )


def checked_extra(function: str, extra: Any) -> dict[str, Any]:
    """Return the further values for a manifest after a check."""
    if extra is None:
        return {}
    if type(extra) is not dict:
        raise TypeError(f"{function}: extra must be a dict of JSON values, got {shown(extra)}")
    try:
        storage.check_json(extra, "extra")
    except (TypeError, ValueError) as error:
        raise type(error)(f"{function}: {str(error).removeprefix('save: ')}") from None
    return dict(extra)


class ShardList:
    """The shards that have been written, and the column specifications that the next one must match."""

    format = (FORMAT, VERSION)
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        self.forms: dict[str, ColumnSpec] = {}
        self.featurizer: Any = None
        self.scaled_by = 1.0

    def carry(self, where: str, shard: Dataset) -> None:
        """Take the featurizer and the scale of X from the first shard; refuse a later one whose X differs in them."""
        featurizer, scale = shard.featurizer, shard.scaled_by
        if not self.entries:
            self.featurizer, self.scaled_by = featurizer, scale
        elif scale != self.scaled_by:
            raise ValueError(
                f"{where}: pixels of shard {len(self.entries)} were multiplied with {scale:g}, those of the shards before "
                f"it with {self.scaled_by:g}; give all of them one scale"
            )
        elif None not in (featurizer, self.featurizer) and not self.featurizer.agrees_with(featurizer):
            raise ValueError(
                f"{where}: shard {len(self.entries)} was made by {featurizer!r}, but the shards before it by "
                f"{self.featurizer!r}; give all of them one featurizer"
            )
        elif featurizer is None:
            self.featurizer = None  # it did not make all rows

    def add(self, shard: Dataset) -> None:
        """Write the columns of a shard; they become part of the dataset when a manifest names them."""
        number = len(self.entries)
        arrays = self.arrays_of(shard)
        forms = {column: self._fit(column, array, number) for column, array in arrays.items()}
        entry: dict[str, Any] = dict(self.lengths_of(arrays))
        for column, array in arrays.items():
            entry[column] = _write(self.folder, column, number, array)
        self.entries.append(entry)
        self.forms = forms

    def arrays_of(self, shard: Any) -> dict[str, NDArray[Any]]:
        """Return the arrays of a shard, each of which becomes a file."""
        for column in COLUMNS:
            _arrays.refuse_sparse("DiskDataset", column, getattr(shard, column))
            _arrays.refuse_masked("DiskDataset", column, getattr(shard, column))
        return {column: np.asarray(getattr(shard, column)) for column in COLUMNS}

    def lengths_of(self, arrays: dict[str, NDArray[Any]]) -> dict[str, int]:
        """Return the lengths that the manifest keeps of a shard."""
        return {"rows": len(arrays["ids"])}

    @staticmethod
    def checked_name(folder: Path, name: Any) -> str:
        """Return the file name of a column of a shard; refuse what is none."""
        if not isinstance(name, str) or not SHARD_NAME.fullmatch(name):
            raise ValueError(f"DiskDataset: {folder / MANIFEST} names a shard {name!r}, which is no shard's name")
        return name

    def _fit(self, column: str, array: NDArray[Any], number: int) -> ColumnSpec:
        if array.dtype.hasobject:
            raise TypeError(f"DiskDataset: {column} holds Python objects; convert it to numbers or strings")
        new = ColumnSpec(array.shape[1:], array.dtype)
        old = self.forms.get(column)
        if old is None:
            return new
        if new.dtype.kind == old.dtype.kind and new.dtype.kind in "US" and new.shape == old.shape:
            return ColumnSpec(new.shape, max(old.dtype, new.dtype, key=lambda dtype: dtype.itemsize))
        if new != old:
            raise ValueError(
                f"DiskDataset.create: {column} of shard {number} has rows of shape {new.shape} and {new.dtype}, but the "
                f"shards before it {old.shape} and {old.dtype}; give all shards one width and dtype"
            )
        return old

    def commit(self, tasks: list[Any], report: Report | None, extra: dict[str, Any]) -> str:
        """Write the manifest, which makes the shards part of the dataset; return its checksum."""
        columns = {c: {"shape": list(form.shape), "dtype": form.dtype.str} for c, form in self.forms.items()}
        return storage.write_json_atomic(
            self.folder / MANIFEST,
            {
                "format": self.format[0],
                "format_version": self.format[1],
                "tasks": tasks,
                "columns": columns,
                "shards": self.entries,
                "report": report.to_dict() if report else None,
                "featurizer": saved_form("DiskDataset", self.featurizer),
                "scaled_by": self.scaled_by,
                "extra": extra,
            },
        )

    def keep_readers(self) -> None:
        """Keep the manifest that is about to be replaced for its readers; see `sweep`."""
        with suppress(OSError):  # there is no manifest yet, or the file system has no links
            os.link(self.folder / MANIFEST, self.folder / f".{MANIFEST}.{os.urandom(6).hex()}.old")

    def sweep(self) -> None:
        """Remove files that no reader needs any more and unfinished files; the caller holds the folder's lock.

        The shards of the manifest, and of replaced manifests that still have readers, stay.
        """
        wanted = {entry[column] for entry in self.entries for column in self.columns}
        for old in [file for file in self.folder.iterdir() if _REPLACED.fullmatch(file.name)]:
            if not storage.is_held(old):
                old.unlink(missing_ok=True)
                continue
            with suppress(ValueError, KeyError, TypeError):
                wanted |= {
                    shard[column]
                    for shard in storage.read_json(old)["shards"]
                    for column in shard
                    if isinstance(shard[column], str)
                }
        for file in self.folder.iterdir():
            if _TEMPORARY.fullmatch(file.name) or (SHARD_NAME.fullmatch(file.name) and file.name not in wanted):
                file.unlink(missing_ok=True)


def _write_all(file: BinaryIO, data: memoryview) -> None:
    file.write(data)


def _write(folder: Path, column: str, number: int, array: NDArray[Any]) -> str:
    """Write one array under a name that holds its checksum."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    data = buffer.getbuffer()
    name = f"{column}-{number:05d}-{hashlib.sha256(data).hexdigest()}.npy"
    # A file of this name may be damaged, so its content is compared first.
    file = folder / name
    if not file.is_file() or os.path.getsize(file) != len(data) or storage.sha256_file(file) != name[-68:-4]:
        storage.write_file_atomic(file, lambda stream: _write_all(stream, data))
    return name
