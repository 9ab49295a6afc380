"""FingerprintIndex: a library of fingerprints whose memory layout speeds up searches by Tanimoto similarity."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._core import empty
from ._internal import storage
from ._internal.numbers import flag, fraction, path_of, whole_number
from .backends.cpu import empty_hits
from .ops.checks import packed_bits, similarity_threshold

_FORMAT, _VERSION = "catalase-fingerprint-index", 1
_DTYPES: dict[str, Any] = {
    "slices": np.uint8,
    "popcounts": np.int32,
    "places": np.int64,
    "bit_frequencies": np.int64,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES = rf"({'|'.join(_DTYPES)})"
_PART = rf"\.{_NAMES}-[0-9a-f]{{12}}\.part"
_OURS = re.compile(rf"{_NAMES}-[0-9a-f]{{64}}\.npy|{_PART}|\.({_PART}|manifest\.json)\.[0-9a-f]{{12}}\.tmp")
_EARLIER = re.compile(rf"{_NAMES}\.npy\.part")  # left in a folder by a killed run of an earlier version


class FingerprintIndex:
    """A library of packed fingerprints that is searched 10 to 30 times as fast as by reading it whole.

    The library is sorted by the number of set bits and stored bit by bit instead of molecule by molecule, so that a
    query reads only the bits that it has set. Results always equal those of `catalase.ops.tanimoto_topk`.

    Parameters
    ----------
    packed : ndarray of uint8, shape (M, bytes)
        Packed bits, as `catalase.ops.ecfp` returns them. They may be deleted after the index is made.

    Raises
    ------
    TypeError
        If ``packed`` is not a uint8 array.
    ValueError
        If it is not a matrix, or has more than 1,048,576 bytes a row.

    Notes
    -----
    An index takes as much memory as the library, rounded up to 512 molecules, and 12 bytes a molecule. It does not change,
    so several threads may search it at once.

    References
    ----------
    Swamidass and Baldi, J. Chem. Inf. Model. 47 (2007) 302-317, doi:10.1021/ci600358f (bounds by popcount).

    Examples
    --------
    >>> import catalase as ct
    >>> index = ct.FingerprintIndex(ct.ops.ecfp(["CCO", "CCCO", "c1ccccc1", "CCN"]))
    >>> indices, similarities = index.topk(ct.ops.ecfp(["CCCCO"]), 2)
    >>> indices
    array([[1, 0]])
    >>> index.save("library.index")
    >>> ct.FingerprintIndex.load("library.index")
    FingerprintIndex(4 fingerprints of 2048 bits)
    """

    def __init__(self, packed: NDArray[np.uint8]) -> None:
        packed = packed_bits("FingerprintIndex", "packed", packed)
        rows, self._bytes = packed.shape
        self._arrays: dict[str, NDArray[Any]] = {
            name: empty((length,), _DTYPES[name]) for name, length in _lengths(rows, self._bytes).items()
        }
        _core.build_index(packed, **self._arrays)

    def __len__(self) -> int:
        return len(self._arrays["popcounts"])

    def __repr__(self) -> str:
        return f"FingerprintIndex({len(self)} fingerprints of {8 * self._bytes} bits)"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of fingerprints, and of bytes of each."""
        return len(self), self._bytes

    def topk(
        self, queries: NDArray[np.uint8], k: int, threshold: float = 0.0
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ``k`` fingerprints of the library that are most similar to each query.

        Parameters
        ----------
        queries : ndarray of uint8, shape (N, bytes)
            Packed bits, made like those of the library. Copied if not contiguous.
        k : int
            1 or more; it may exceed the number of fingerprints.
        threshold : float
            From 0 to 1; fingerprints of lower similarity are left out. The higher it is, the faster the search.

        Returns
        -------
        indices : ndarray of int64, shape (N, k)
            Rows of the library, by descending similarity, then by ascending index; -1 where fewer than k qualify.
        similarities : ndarray of float32, shape (N, k)
            NaN where the index is -1.

        Raises
        ------
        TypeError, ValueError
            As `catalase.ops.tanimoto_topk`, whose Notes apply here too.
        """
        where = "FingerprintIndex.topk"
        queries = packed_bits(where, "queries", queries, width=self._bytes, reference="the index")
        lowest = similarity_threshold(fraction(where, "threshold", threshold))
        indices, similarities = empty_hits(len(queries), whole_number(where, "k", k, 1, 2**31 - 1))
        _core.index_topk(**self._arrays, queries=queries, threshold=lowest, indices=indices, similarities=similarities)
        return indices, similarities

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index into a folder.

        Parameters
        ----------
        path : path
            The folder; it is made if it does not exist. An index in it is replaced once the new one is on disk; processes
            that have loaded the old one keep it.

        Raises
        ------
        OSError
            If the folder cannot be written. An index that was saved before stays loadable.
        ValueError
            If the folder holds the ``manifest.json`` of another program.
        """
        where = "FingerprintIndex.save"
        folder = path_of(where, "path", path)
        manifest = folder / "manifest.json"
        folder.mkdir(parents=True, exist_ok=True)
        with storage.writing(where, folder, storage.LOCK_SECONDS) as locked:
            replaces = manifest.exists()
            if replaces and not _is_index(manifest):
                raise ValueError(f"{where}: {manifest} is not of an index and would be lost; choose another folder")
            files = {name: _write(folder, name, array) for name, array in self._arrays.items()}
            content = {"format": _FORMAT, "format_version": _VERSION, "rows": len(self), "bytes": self._bytes}
            storage.write_json_atomic(manifest, {**content, "chunk_rows": _core.CHUNK_ROWS, "files": files})
            named = {_file(name, files[name]) for name in files}
            for file in folder.iterdir() if locked else ():
                ours = _OURS.fullmatch(file.name) or (replaces and _EARLIER.fullmatch(file.name))
                if ours and file.name not in named:
                    file.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, verify: bool = True) -> FingerprintIndex:
        """Open a saved index; its arrays are mapped from disk, not read into memory.

        Parameters
        ----------
        path : path
            The folder.
        verify : bool
            Compare all files with their checksums, and check that their counts and positions are possible, which reads
            them at most twice. False opens an index larger than memory at once, but does not detect damage that leaves
            the sizes right.

        Returns
        -------
        FingerprintIndex

        Raises
        ------
        FileNotFoundError
            If there is no saved index.
        ValueError
            If a file is missing, altered or truncated, or the folder holds other data.
        """
        folder, verify = path_of("FingerprintIndex.load", "path", path), flag("FingerprintIndex.load", "verify", verify)
        if not (folder / "manifest.json").is_file():
            raise FileNotFoundError(
                f"FingerprintIndex.load: there is no manifest.json in {folder}; give the folder that save wrote"
            )
        seen: tuple[int, int] | None = None
        while True:
            looked_at = storage.identity(folder / "manifest.json")
            manifest = storage.read_json(folder / "manifest.json")
            rows, width, files = _checked(manifest, folder / "manifest.json")
            index = cls.__new__(cls)
            index._bytes = width
            lengths = _lengths(rows, width)
            try:
                index._arrays = {name: _read(folder, name, files[name], lengths[name], verify) for name in _DTYPES}
                if verify:
                    _check_values(folder, index._arrays, rows, width)
                return index
            except FileNotFoundError as error:
                # A saver may have replaced the index between our reads: read again, unless nothing has changed.
                if looked_at == seen:
                    raise ValueError(
                        f"FingerprintIndex.load: {error.filename} is missing; copy the whole folder again"
                    ) from None
                seen = looked_at

    def _neighbors(
        self, queries: NDArray[np.uint8], cutoff: float, counts: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Return rows at a float64 distance ``1 - similarity`` of at most ``cutoff``, query by query, ascending.

        Without ``counts`` return only their numbers (N,), with them the start of each query's rows (N + 1,), and all rows.
        """
        found = np.empty(len(queries), np.int64)
        if counts is None:
            _core.index_neighbors(**self._arrays, queries=queries, cutoff=cutoff, counts=found)
            return found, None
        starts = np.zeros(len(queries) + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        neighbors = np.empty(int(starts[-1]), np.int64)
        _core.index_neighbors(
            **self._arrays, queries=queries, cutoff=cutoff, counts=found, starts=starts, neighbors=neighbors
        )
        return starts, neighbors


def _lengths(rows: int, width: int) -> dict[str, int]:
    return {
        "slices": _core.slice_bytes(rows, width),
        "popcounts": rows,
        "places": rows,
        "bit_frequencies": 8 * width,
    }


def _file(name: str, sha256: str) -> str:
    return f"{name}-{sha256}.npy"


def _is_index(manifest: Path) -> bool:
    try:
        return storage.read_json(manifest).get("format") == _FORMAT
    except ValueError:
        return False


def _write(folder: Path, name: str, array: NDArray[Any]) -> str:
    """Write one array; its checksum, which is known afterwards, becomes part of the file's name."""
    part = folder / f".{name}-{os.urandom(6).hex()}.part"
    sha256 = storage.write_file_atomic(part, lambda file: np.lib.format.write_array(file, array, allow_pickle=False))
    os.replace(part, folder / _file(name, sha256))
    return sha256


def _checked(manifest: dict[str, Any], path: Path) -> tuple[int, int, dict[str, str]]:
    """Return rows, bytes and checksums of a manifest after a check of the type and range of every field."""
    if manifest.get("format") != _FORMAT:
        raise ValueError(f"FingerprintIndex.load: {path} is not of a fingerprint index (no format {_FORMAT!r})")
    if manifest.get("format_version") != _VERSION or manifest.get("chunk_rows") != _core.CHUNK_ROWS:
        raise ValueError(
            f"FingerprintIndex.load: {path} is of format version {manifest.get('format_version')!r} with chunks of "
            f"{manifest.get('chunk_rows')!r}, this Catalase reads {_VERSION} with {_core.CHUNK_ROWS}; make the index again"
        )
    rows, width, files = manifest.get("rows"), manifest.get("bytes"), manifest.get("files")
    valid = type(rows) is int and type(width) is int and type(files) is dict and set(files) == set(_DTYPES)
    if valid:
        valid = 0 <= cast(int, rows) < 2**47 and 0 <= cast(int, width) <= 2**20
        valid = valid and all(type(s) is str and _SHA256.fullmatch(s) for s in cast(dict[str, Any], files).values())
    if not valid:
        raise ValueError(
            f"FingerprintIndex.load: {path} lacks a field or has one of the wrong type; save the index again"
        )
    return cast(int, rows), cast(int, width), cast(dict[str, str], files)


def _check_values(folder: Path, arrays: dict[str, NDArray[Any]], rows: int, width: int) -> None:
    """Refuse impossible counts and positions, because a forged file may have the right checksum."""
    counts, places = arrays["popcounts"], arrays["places"]
    for start in range(0, rows, _CHECKED_ROWS):
        some = counts[max(start - 1, 0) : start + _CHECKED_ROWS]
        there = places[start : start + _CHECKED_ROWS]
        if some[0] < 0 or some[-1] > 8 * width or (some[1:] < some[:-1]).any():
            raise ValueError(f"FingerprintIndex.load: the popcounts in {folder} are not in order; save the index again")
        if there.min() < 0 or there.max() >= rows:
            raise ValueError(f"FingerprintIndex.load: {folder} has places beyond its {rows} rows; save the index again")


_CHECKED_ROWS = 2**20  # rows that are checked at a time


def _read(folder: Path, name: str, sha256: str, length: int, verify: bool) -> NDArray[Any]:
    path = folder / _file(name, sha256)
    if verify and storage.sha256_file(path) != sha256:
        raise ValueError(
            f"FingerprintIndex.load: {path} was altered or cut short (its checksum differs); copy or save it again"
        )
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if length else None, allow_pickle=False)
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"FingerprintIndex.load: {path} cannot be read ({error}); copy or save it again") from error
    if not isinstance(array, np.ndarray):  # it is an archive of arrays
        raise ValueError(f"FingerprintIndex.load: {path} is not an .npy file; copy or save it again")
    if array.dtype != np.dtype(_DTYPES[name]) or array.shape != (length,):
        raise ValueError(
            f"FingerprintIndex.load: {path} holds {array.dtype} of shape {array.shape}, "
            f"needed {np.dtype(_DTYPES[name])} of shape {(length,)}; save the index again"
        )
    return array
