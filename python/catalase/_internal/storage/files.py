"""One file at a time: atomic writes (temporary file, fsync, rename, folder fsync) and JSON with its own digest."""

from __future__ import annotations

import csv
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, cast

MAX_JSON_BYTES = 64 * 2**20  # a manifest of 100,000 shards is some 20 MiB
_MAX_DEPTH = 64
_MAX_DIGITS = 4300  # of a whole number: Python writes no more
_CHUNK = 2**20


class _HashingWriter(io.BufferedIOBase):
    """A write-only stream that hashes what passes through it; it cannot seek, so the digest is that of the file."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.sha256.update(view)
        self._raw.write(view)
        return view.nbytes


def raise_os_error(error: OSError, what: str, path: str | os.PathLike[str], advice: str) -> NoReturn:
    """Raise `error` again with one sentence that names the action, the file, the reason and the remedy; keep the errno."""
    reason = error.strerror or str(error) or type(error).__name__
    raise OSError(error.errno, f"{what} {os.fspath(path)}: {reason}; {advice}") from error


def fsync_folder(folder: str | os.PathLike[str]) -> None:
    """Flush a folder's entries to disk, so that a rename survives a power cut. File systems that cannot are skipped."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _FSYNC_UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


_FSYNC_UNSUPPORTED = frozenset({22, 95})  # EINVAL, ENOTSUP: some network file systems refuse fsync on a folder


def remove_quietly(path: str | os.PathLike[str]) -> None:
    """Remove a file; a failure is ignored, because the caller has an error to report, or the file does no harm."""
    try:
        os.unlink(path)
    except OSError:
        return


@contextmanager
def csv_writer(binary: IO[bytes]) -> Iterator[Any]:
    """Yield a CSV writer on a binary stream, which stays open. Bytes that are not UTF-8 are written unchanged."""
    text = io.TextIOWrapper(binary, "utf-8", "surrogateescape", newline="", write_through=True)
    try:
        yield csv.writer(text, lineterminator="\n")
        text.flush()
    finally:
        text.detach()


def write_file_atomic(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> str:
    """Write a file so that readers see the old content or the new one, never a part.

    A temporary file in the same folder is written, flushed to disk and renamed into place; then the folder is
    flushed. On any error the temporary file is removed, and a file at `path` stays as it was.

    A symbolic link is followed: the file that it names is written, whether or not it exists. A file that is replaced
    keeps its permissions (and, where the system allows it, its owner). A named pipe, or a device such as ``/dev/stdout``
    or ``/dev/null``, is never replaced: the bytes are written into it directly.

    Parameters
    ----------
    path : str or path
        The file to write. Its folder must exist.
    write : callable
        Called once with a binary stream that can be written, not read or seeked.

    Returns
    -------
    str
        SHA-256 of the bytes written, 64 hexadecimal digits.

    Raises
    ------
    OSError
        If the disk is full, or the folder refuses writing or renaming. The message is one sentence; the errno is kept.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digest = write_file_atomic(folder + "/a.bin", lambda f: f.write(b"abc"))
    >>> digest[:8]
    'ba7816bf'
    """
    try:
        there = _stat(path)
        if there is not None and (not stat.S_ISREG(there.st_mode) or open_descriptor(path) is not None):
            return _write_into(path, write)
    except OSError as error:
        raise_os_error(error, "save: could not write", path, "start its reader, or choose another file")
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    try:
        digest = _write_and_rename(temporary, target, there, write)
        fsync_folder(target.parent)
    except OSError as error:
        remove_quietly(temporary)
        raise_os_error(error, "save: could not write", path, "free some space or choose another folder")
    except BaseException:
        remove_quietly(temporary)
        raise
    return digest


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed runs left for a file and for its record (``NAME.json``).

    They are recognized by their names. A file that is still being written is locked or young, and stays. Where the file
    system has no locks, all stay.
    """
    target = Path(os.path.realpath(path))
    names = re.compile(rf"\.{re.escape(target.name)}(\.json)?\.[0-9a-f]{{12}}\.tmp")
    try:
        there = [name for name in os.listdir(target.parent) if names.fullmatch(name)]
    except OSError:  # the error is reported when the file is written
        return
    for name in there:
        with suppress(OSError), open(target.with_name(name), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(file.fileno()).st_mtime > _YOUNG_SECONDS:
                os.unlink(file.name)


_YOUNG_SECONDS = 60.0  # a temporary file is locked long before this age


def _stat(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return the status of the file at a path, links followed; None where there is none."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def open_descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return the descriptor that a path such as ``/dev/stdout`` stands for; None for other paths."""
    text = os.path.abspath(path)
    if text in _STANDARD:
        return _STANDARD[text]
    found = _DESCRIPTOR.fullmatch(text)
    return int(found[1]) if found else None


_READER_SECONDS = 20.0
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def _write_into(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> str:
    """Write into a pipe or a device."""
    descriptor = open_descriptor(path)
    # A copy of the descriptor continues at the file's position; opening /dev/stdout again would begin at its start.
    with open(_open_for_writing(path) if descriptor is None else os.dup(descriptor), "wb") as raw:
        stream = _HashingWriter(raw)
        write(cast(BinaryIO, stream))
    return stream.sha256.hexdigest()


def _open_for_writing(path: str | os.PathLike[str]) -> int:
    """Open a pipe or a device. A named pipe without a reader is refused after some time, since none may ever open it."""
    deadline = time.monotonic() + _READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
            if time.monotonic() > deadline:
                raise OSError(errno.ENXIO, "nobody reads this pipe") from None
            time.sleep(0.02)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _write_and_rename(
    temporary: Path, target: Path, there: os.stat_result | None, write: Callable[[BinaryIO], None]
) -> str:
    with open(temporary, "xb") as raw:
        with suppress(OSError):  # the lock tells `remove_leftovers` that the file is being written
            fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stream = _HashingWriter(raw)
        write(cast(BinaryIO, stream))
        raw.flush()
        if there is not None:
            _keep_permissions(raw.fileno(), there)
        os.fsync(raw.fileno())
        with suppress(OSError):  # a child process that another thread forked meanwhile has this file open too
            fcntl.flock(raw, fcntl.LOCK_UN)
    os.replace(temporary, target)
    return stream.sha256.hexdigest()


def _keep_permissions(descriptor: int, there: os.stat_result) -> None:
    now = os.fstat(descriptor)
    with suppress(OSError):  # only root may change a file's owner
        if (now.st_uid, now.st_gid) != (there.st_uid, there.st_gid):
            os.fchown(descriptor, there.st_uid, there.st_gid)
    with suppress(OSError):  # some file systems have no permissions
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode))


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits; it is read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def identity(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return numbers that identify this version of a file: writing the same content again makes another version."""
    state = os.stat(path)
    return state.st_ino, state.st_mtime_ns


def read_bytes(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Read a whole regular file of at most `max_bytes`; ValueError for anything else that exists there."""
    # open() would block for ever on a named pipe, so the kind of file is checked first.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"load: {os.fspath(path)} is not a regular file; save the model again")
    with open(path, "rb") as stream:
        data = stream.read(min(os.fstat(stream.fileno()).st_size, max_bytes) + 1)  # read() allocates this much
    if len(data) > max_bytes:
        raise ValueError(f"load: {os.fspath(path)} is larger than the {max_bytes} bytes expected; it was damaged or "
                         "is not ours, copy the whole folder again")  # fmt: skip
    return data


def read_up_to(stream: Any, count: int) -> bytes:
    """Read ``count`` bytes of a stream, or all there are. Memory grows with the bytes that arrive, not with ``count``."""
    data = bytearray()
    while len(data) < count and (piece := stream.read(min(count - len(data), _CHUNK))):
        data += piece
    return bytes(data)


def check_json(value: Any, where: str = "config", depth: int = 0) -> None:
    """Refuse values that JSON cannot restore exactly.

    Allowed: None, bool, int, finite float, str, list, and dict with str keys, nested to 64 levels. Tuples, NumPy
    scalars and arrays, sets and objects are a TypeError; NaN and infinities are a ValueError.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"save: {where} is nested deeper than {_MAX_DEPTH} levels")
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return
    if kind is float:
        if not math.isfinite(value):
            raise ValueError(f"save: {where} is {value}; JSON has only finite numbers, use None for a missing one")
    elif kind is list:
        for index, item in enumerate(value):
            check_json(item, f"{where}[{index}]", depth + 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"save: {where} has the key {key!r} of type {type(key).__name__}; keys must be str")
            check_json(item, f"{where}.{key}", depth + 1)
    else:
        raise TypeError(f"save: {where} is a {kind.__module__}.{kind.__name__}; needed None, bool, int, float, str, "
                        "list or dict (use .item() on NumPy scalars, list() on tuples)")  # fmt: skip


def canonical_json(content: dict[str, Any]) -> bytes:
    """Return the one JSON text of a content (sorted keys, no spaces, ASCII), over which the digest is taken."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def _sealed(content: dict[str, Any]) -> bytes:
    digest = hashlib.sha256(canonical_json(content)).hexdigest()
    return json.dumps({**content, "digest": digest}, indent=1, allow_nan=False).encode("ascii") + b"\n"


def write_json_atomic(path: str | os.PathLike[str], obj: dict[str, Any]) -> str:
    """Write a dict as JSON with a ``digest`` of its content, atomically; return the same as `write_file_atomic`.

    Raises
    ------
    TypeError, ValueError
        If `obj` is not made of JSON values alone (see `check_json`), or has a key ``digest`` already.
    OSError
        As `write_file_atomic`.
    """
    if type(obj) is not dict:
        raise TypeError(f"write_json_atomic: needed a dict, got {type(obj).__name__}")
    if "digest" in obj:
        raise ValueError("write_json_atomic: the key 'digest' is added by this function; rename yours")
    check_json(obj, "content")
    data = _sealed(obj)
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"write_json_atomic: {os.fspath(path)} would take {len(data)} bytes, "
                         f"more than the {MAX_JSON_BYTES} that read_json accepts")  # fmt: skip
    return write_file_atomic(path, lambda stream: cast(None, stream.write(data)))


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key appears twice")
    return result


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _short_enough(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits, more than {_MAX_DIGITS:,}")
    return int(digits)


def load_json(text: str) -> Any:
    """Parse JSON strictly: duplicate keys, NaN, endless numbers and nesting deeper than a config's are a ValueError."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        if (mark := found[0])[0] != '"':
            depth += 1 if mark in "[{" else -1
            deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH + 2:
        raise ValueError(f"it is nested {deepest} levels deep, more than {_MAX_DEPTH}")
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants, parse_int=_short_enough)


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def parse_json(data: bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Parse bytes into a dict as strictly as `load_json`. The digest is not checked."""
    try:
        content = load_json(data.decode("ascii"))
        check_json(content, "content")
    except ValueError as error:
        raise ValueError(f"load: {os.fspath(path)} is not valid JSON ({error}); it was cut short or altered, "
                         "copy or save it again") from error  # fmt: skip
    if type(content) is not dict:
        raise ValueError(f"load: {os.fspath(path)} holds a {type(content).__name__}, needed a JSON object")
    return content


def verify_digest(content: dict[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check the ``digest`` of `content` and return `content` without it; ValueError if it is missing or differs."""
    body = {key: value for key, value in content.items() if key != "digest"}
    if content.get("digest") != hashlib.sha256(canonical_json(body)).hexdigest():
        raise ValueError(f"load: the digest in {os.fspath(path)} does not fit its content; it was altered after "
                         "saving or damaged, copy or save it again")  # fmt: skip
    return body


def read_json(path: str | os.PathLike[str], *, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Read a file of `write_json_atomic`; the digest is verified and left out.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Truncated, altered, larger than `max_bytes`, not JSON, or without a digest; the message names the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_json_atomic(folder + "/a.json", {"rows": 3, "names": ["x", None]})
    ...     read_json(folder + "/a.json")
    {'rows': 3, 'names': ['x', None]}
    """
    return verify_digest(parse_json(read_bytes(path, max_bytes), path), path)
