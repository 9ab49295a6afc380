"""Reading the files of a dataset on disk: shards of four columns, and columns over all shards."""

from __future__ import annotations

import csv
import gzip
import io
import math
import mmap
import os
import re
import zlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal import storage
from .._internal.text import strip_white
from .lazy_columns import LazyArray

COLUMNS = ("X", "y", "w", "ids")
SHARD_NAME = re.compile(
    r"(X|y|w|ids|extra|(atom|bond)_(codes|counts)|atom_floats|source|target)-\d{5,}-[0-9a-f]{64}\.npy"
)
_DTYPE = re.compile(r"[<>|=]?[biufcUS]\d{1,8}")


class ColumnSpec(NamedTuple):
    """The shape of one row of a column, and its dtype (the widest, if shards differ in the length of their strings)."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Number of bytes a row."""
        return math.prod(self.shape) * self.dtype.itemsize


def column_spec(entry: dict[str, Any]) -> ColumnSpec:
    """Return the specification that a manifest has of a column."""
    if not _DTYPE.fullmatch(entry["dtype"]):
        raise ValueError(f"the dtype {entry['dtype']!r}")
    return ColumnSpec(tuple(int(n) for n in entry["shape"]), np.dtype(entry["dtype"]))


class Shards(ABC):
    """The shards of a folder: the number of rows of each, the specification of each column, and the arrays.

    Parameters
    ----------
    folder : Path
    rows : list of int
        Number of rows of each shard.
    forms : dict of str to ColumnSpec
    """

    whole_reads = False  # whether reading a part of a shard costs as much as reading all of it

    def __init__(self, folder: Path, rows: list[int], forms: dict[str, ColumnSpec]) -> None:
        self.folder, self.rows, self.forms = folder, rows, forms
        self.starts = np.concatenate([[0], np.cumsum(np.array(rows, np.int64))])

    def __len__(self) -> int:
        return len(self.rows)

    @abstractmethod
    def read(self, shard: int, column: str) -> NDArray[Any]:
        """Return a column of one shard; it is read-only if it is mapped from its file."""

    @property
    def total(self) -> int:
        """Number of rows of all shards."""
        return int(self.starts[-1])


class NpyShards(Shards):
    """Shards in Catalase's format: ``.npy`` files whose names hold their checksums."""

    def __init__(
        self, folder: Path, entries: list[dict[str, str]], rows: list[int], forms: dict[str, ColumnSpec], verify: bool
    ) -> None:
        super().__init__(folder, rows, forms)
        self.entries, self.verify = entries, verify
        self._headers: dict[str, tuple[int, np.dtype[Any]]] = {}

    def check_sizes(self, column: str) -> None:
        """Refuse a column whose files are shorter than the manifest says, before memory is allocated by its length."""
        form, longest = self.forms[column], 0
        least = form.row_bytes if form.dtype.kind not in "US" else 1  # strings may be shorter in some shards
        for entry, rows in zip(self.entries, self.rows, strict=True):
            try:
                size = os.path.getsize(self.folder / entry[column])
            except FileNotFoundError:
                continue  # `read` raises the error
            longest = max(longest, size)
            if rows * least > size:
                raise ValueError(
                    f"DiskDataset: {self.folder / entry[column]} was altered or cut short: it has {size} bytes, too "
                    f"few for the {rows} rows that the manifest lists; make the dataset again"
                )
        if form.dtype.kind in "US" and self.total and form.dtype.itemsize > longest:
            raise ValueError(
                f"DiskDataset: the manifest of {self.folder} says {form.dtype} of {column}, more than its files hold; make the "
                "dataset again"
            )

    def read(self, shard: int, column: str) -> NDArray[Any]:
        """Map a column of one shard; its checksum is compared at the first read."""
        name = self.entries[shard][column]
        file = self.folder / name
        shape = (self.rows[shard], *self.forms[column].shape)
        if name not in self._headers:
            self._headers[name] = self._open(file, name, shape, self.forms[column].dtype)
        offset, dtype = self._headers[name]
        if math.prod(shape) == 0 or dtype.itemsize == 0:
            return np.zeros(shape, dtype)
        with open(file, "rb") as raw:
            mapped = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last array in it
        return np.frombuffer(mapped, dtype, math.prod(shape), offset).reshape(shape)

    def _open(self, file: Path, name: str, shape: tuple[int, ...], wanted: np.dtype[Any]) -> tuple[int, np.dtype[Any]]:
        if not file.is_file():
            raise ValueError(
                f"DiskDataset: {file} is missing; if another writer has replaced the dataset, open it again; else copy "
                "the folder whole, or make the dataset again"
            )
        if self.verify and storage.sha256_file(file) != name[-68:-4]:
            raise ValueError(
                f"DiskDataset: {file} was altered or cut short (its checksum differs); make the dataset again"
            )
        try:
            with open(file, "rb") as raw:
                np.lib.format.read_magic(raw)
                found, fortran, dtype = np.lib.format.read_array_header_1_0(raw)
                offset = raw.tell()
        except ValueError as error:
            raise ValueError(f"DiskDataset: {file} is no .npy file ({error}); make the dataset again") from None
        fits = dtype == wanted or (dtype.kind == wanted.kind and dtype.kind in "US")
        long_enough = os.path.getsize(file) >= offset + math.prod(shape) * dtype.itemsize
        if found != shape or not fits or (fortran and len(shape) > 1) or not long_enough:
            raise ValueError(
                f"DiskDataset: {file} holds {dtype} of shape {found} where the manifest has {wanted} of shape {shape}; "
                "make the dataset again"
            )
        return offset, dtype


class DeepChemShards(Shards):
    """The folder of a DeepChem ``DiskDataset``: ``.npy`` or ``.joblib`` shards, listed in ``metadata.csv.gzip``."""

    whole_reads = True

    def __init__(self, folder: Path) -> None:
        self.entries = _deepchem_entries(folder)
        self._recent: OrderedDict[tuple[int, str], NDArray[Any]] = OrderedDict()
        super().__init__(folder, [], {})
        ids = [self._load(shard, "ids") for shard in range(len(self.entries))]
        rows = [len(part) for part in ids]
        forms = {"ids": ColumnSpec(ids[0].shape[1:], np.result_type(*ids))}
        for column in ("X", "y", "w"):
            first = self._load(0, column)
            forms[column] = ColumnSpec(first.shape[1:], first.dtype)
        super().__init__(folder, rows, forms)

    def read(self, shard: int, column: str) -> NDArray[Any]:
        """Read a column of one shard; the last few are cached, because a `.joblib` file can only be read whole."""
        key = (shard, column)
        if key not in self._recent:
            array = self._load(shard, column)
            shape, dtype = (self.rows[shard], *self.forms[column].shape), self.forms[column].dtype
            if array.shape != shape or array.dtype.kind != dtype.kind:
                raise ValueError(
                    f"DiskDataset: {column} of shard {shard} in {self.folder} is {array.dtype} of shape {array.shape}, but "
                    f"{dtype} of shape {shape} was needed to fit the ids and the first shard"
                )
            self._recent[key] = array.astype(dtype, copy=False)
        self._recent.move_to_end(key)
        while len(self._recent) > 2 * len(COLUMNS):
            self._recent.popitem(last=False)
        return self._recent[key]

    def _load(self, shard: int, column: str) -> NDArray[Any]:
        name = self.entries[shard][column]
        if not name:  # DeepChem writes no file for a column without values
            n = len(self._load(shard, "ids")) if column != "ids" else len(self._load(shard, "X"))
            absent: dict[str, NDArray[Any]] = {
                "y": np.zeros((n, 0), np.float32),
                "w": np.ones(n, np.float32),
                "ids": np.arange(n),
            }
            return absent[column]
        file = self.folder / name
        if not file.is_file():
            raise ValueError(f"DiskDataset: {file} is missing; copy the folder whole")
        from .array_files import load_joblib, load_npy  # it imports all decompressors

        return load_npy(file) if name.endswith(".npy") else load_joblib(file)


def is_deepchem(folder: Path) -> bool:
    """Return whether a folder is a DeepChem ``DiskDataset``."""
    return (folder / "metadata.csv.gzip").is_file() and (folder / "tasks.json").is_file()


def deepchem_tasks(folder: Path) -> list[Any]:
    """Return the names of the tasks of a DeepChem folder."""
    try:
        data = storage.read_bytes(folder / "tasks.json", _TASK_BYTES)
        tasks = storage.load_json(data.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"DiskDataset: {folder / 'tasks.json'} is damaged ({error}); copy the folder again") from None
    if not isinstance(tasks, list) or not all(isinstance(task, (str, int, float)) for task in tasks):
        raise ValueError(f"DiskDataset: {folder / 'tasks.json'} must hold a list of names")
    return tasks


_ROW_BYTES = 64 * 1024  # more than the names of a shard's files take
_TASK_BYTES = 16 * 2**20


class _LimitedReader(io.RawIOBase):
    """The content of a compressed file up to a limit, because a few bytes may decompress to gigabytes."""

    def __init__(self, raw: Any, most: int) -> None:
        self._raw, self._left = raw, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read1(min(len(buffer), self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it is far longer than a list of the files beside it")
        buffer[: len(data)] = data
        return len(data)


def _deepchem_entries(folder: Path) -> list[dict[str, str]]:
    path = folder / "metadata.csv.gzip"
    most = len(os.listdir(folder))  # each shard has a file for its X, which limits their number
    try:
        with gzip.open(path, "rb") as raw:
            bounded = io.BufferedReader(_LimitedReader(raw, _ROW_BYTES * (most + 1)))
            text = io.TextIOWrapper(bounded, encoding="utf-8", newline="")
            rows = list(islice(csv.DictReader(text), most + 1))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"DiskDataset: {path} is damaged ({error}); copy the folder again") from None
    if len(rows) > most:
        raise ValueError(f"DiskDataset: {path} lists more shards than there are files; copy the folder whole")
    entries = []
    for row in rows:
        entry = {column: strip_white(row.get(column) or "") for column in COLUMNS}
        for name in entry.values():
            if name and (Path(name).name != name or not name.endswith((".npy", ".joblib"))):
                raise ValueError(
                    f"DiskDataset: {path} names a shard {name!r}, which is no .npy or .joblib file beside it"
                )
        if not entry["X"]:
            raise ValueError(f"DiskDataset: {path} has a shard without X")
        entries.append(entry)
    if not entries:
        raise ValueError(f"DiskDataset: {path} lists no shards")
    return entries


class ShardedArray(LazyArray):
    """A column over many shards; an access reads only its rows, shard by shard."""

    def __init__(self, shards: Shards, column: str) -> None:
        form = shards.forms[column]
        super().__init__((shards.total, *form.shape), form.dtype)
        self.shards, self.column = shards, column

    def take_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return these rows."""
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        starts = self.shards.starts
        which = np.searchsorted(starts, rows, side="right") - 1
        for shard in np.unique(which):
            part = self.shards.read(int(shard), self.column)
            here = np.flatnonzero(which == shard)
            local = rows[here] - starts[shard]
            first, last = here[0], here[-1]
            if last - first == local[-1] - local[0] == len(here) - 1 and (len(here) < 3 or (np.diff(local) == 1).all()):
                out[first : last + 1] = part[local[0] : local[-1] + 1]
            else:
                out[here] = part[local]
        return out
