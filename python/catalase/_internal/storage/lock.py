"""Locks between writers, and between a writer and readers. The system releases them when a process ends in any way.

A writer locks the folder (or a file in its output's folder) while it writes. A reader that opens files later locks the
manifest that names them, so that the next writer does not remove these files.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .files import raise_os_error, remove_leftovers

_STEP_SECONDS = 0.005
_TAKEN = (errno.EAGAIN, errno.EACCES)  # another process has the lock; other errors mean that there are no locks here


class Hold:
    """A lock on an open file or folder. Closing it, or deleting the last reference to it, releases the lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        _held.add(self)

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


_held: weakref.WeakSet[Hold] = weakref.WeakSet()


def _forget_in_child() -> None:
    # A lock belongs to the open file, which a forked child shares: closing its copy leaves the parent's lock alone.
    for hold in list(_held):
        hold.close()


os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def writing(function: str, folder: str | os.PathLike[str], wait: float = 0.0) -> Iterator[bool]:
    """Lock a folder against other writers while the block runs.

    Parameters
    ----------
    function : str
        Name of the writing function, for messages.
    folder : path
        An existing folder.
    wait : float
        Seconds to wait for another writer before giving up.

    Yields
    ------
    bool
        False where the file system has no locks.

    Raises
    ------
    RuntimeError
        While another writer, in this process or another, writes there.
    """
    descriptor, owner = _open(function, folder), os.getpid()
    try:
        yield _acquire(function, descriptor, folder, wait)
    finally:
        _release(descriptor, owner)


@contextmanager
def writing_output(function: str, output: str | os.PathLike[str]) -> Iterator[bool]:
    """Lock an output that takes long to write against other writers, as `writing` does, by a file ``.NAME.lock``.

    Temporary files that killed runs left for the output are removed first.
    """
    target, owner = Path(os.path.realpath(output)), os.getpid()
    lock = target.with_name(f".{target.name}.lock")
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise_os_error(error, f"{function}: could not make", lock, "choose another folder")
        try:
            locked = _acquire(function, descriptor, output, 0.0)
        except BaseException:
            os.close(descriptor)
            raise
        if not locked or _is_at(descriptor, lock):  # else the writer before has just removed it
            break
        os.close(descriptor)
    try:
        remove_leftovers(target)
        yield locked
    finally:
        if locked and os.getpid() == owner:
            lock.unlink(missing_ok=True)
        _release(descriptor, owner)


def hold_for_reading(path: str | os.PathLike[str]) -> tuple[bytes, Hold]:
    """Return the bytes of a file, and a hold that tells writers that the files it names are still read.

    The bytes are those of the file that is at the path once it is locked: a writer that replaces it later finds it held.
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        hold = Hold(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # a writer is removing it, or there are no locks here
            if not _is_at(descriptor, path):
                continue
        if _is_at(descriptor, path):
            with open(os.dup(descriptor), "rb") as stream:
                return stream.read(), hold


def is_held(path: str | os.PathLike[str]) -> bool:
    """Return whether a reader holds a file by `hold_for_reading`; for a file that new readers cannot find any more."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _TAKEN
    finally:
        os.close(descriptor)
    return False


def _open(function: str, folder: str | os.PathLike[str]) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise_os_error(error, f"{function}: could not open the folder", folder, "choose another folder")


def _release(descriptor: int, owner: int) -> None:
    # A child that another thread forked meanwhile has the descriptor too, and would keep the lock if we only closed ours.
    # A child that calls this itself must not release a lock that its parent still needs.
    if os.getpid() == owner:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _acquire(function: str, descriptor: int, place: str | os.PathLike[str], wait: float) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in _TAKEN:
                return False  # there are no locks here
        if time.monotonic() >= deadline:
            waited = f" (for {wait:.0f} s now)" if wait else ""
            raise RuntimeError(
                f"{function}: another writer is at work on {os.fspath(place)}{waited}; let it end, or choose another place"
            )
        time.sleep(_STEP_SECONDS)


def _is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Return whether an open file is the one at a path."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
