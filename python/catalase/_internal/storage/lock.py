"""Locks between writers, and between a writer and readers. The system gives them back when a process ends, however it ends.

A writer holds the folder (or a file beside its output) while it writes. A reader that opens files later holds the
manifest that names them, so that the next writer leaves these files where they are.
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
_TAKEN = (errno.EAGAIN, errno.EACCES)  # by another; any other error says that there are no locks here


class Hold:
    """A lock on an open file or folder; closing it, or losing the last reference to it, gives the lock back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        _held.add(self)

    def close(self) -> None:
        """Give the lock back."""
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
    """Be the only writer of a folder.

    Parameters
    ----------
    function : str
        Who writes, for messages.
    folder : path
        Which must exist.
    wait : float
        Seconds to wait for another writer before giving up.

    Yields
    ------
    bool
        False where the file system has no locks.

    Raises
    ------
    RuntimeError
        While another writer, of this process or another, is at work there.
    """
    descriptor, owner = _open(function, folder), os.getpid()
    try:
        yield _acquire(function, descriptor, folder, wait)
    finally:
        _release(descriptor, owner)


@contextmanager
def writing_output(function: str, output: str | os.PathLike[str]) -> Iterator[bool]:
    """Be the only one who writes an output that takes long: as `writing`, by a file ``.NAME.lock`` beside it.

    Temporary files of the output that killed runs have left are removed first.
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
        if not locked or _is_at(descriptor, lock):  # else whoever had it has just removed it
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
    """Return the bytes of a file, and a hold by which writers know that what it names is still read.

    The file is the one that stands at the path when the hold is there: a writer that replaces it later finds it held.
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        hold = Hold(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # being removed by a writer, or no locks here
            if not _is_at(descriptor, path):
                continue
        if _is_at(descriptor, path):
            with open(os.dup(descriptor), "rb") as stream:
                return stream.read(), hold


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether a reader holds a file by `hold_for_reading`. For a file that no longer stands where readers look for it."""
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
    # A child that another thread forked meanwhile has the descriptor too, and closing ours would leave it the lock; a
    # child that comes here itself must not give back what its parent still needs.
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
                return False  # no locks here
        if time.monotonic() >= deadline:
            waited = f" (for {wait:.0f} s now)" if wait else ""
            raise RuntimeError(
                f"{function}: another writer is at work on {os.fspath(place)}{waited}; let it end, or choose another place"
            )
        time.sleep(_STEP_SECONDS)


def _is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Whether an open file is the one that stands at a path."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
